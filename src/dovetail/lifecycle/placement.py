"""Where the agents of an extension run, and with which values: pure.

Clusters that are named win over the selector. Overrides are YAML texts, merged over the plan's config: maps by key,
everything else replaced. An agent's release is `<extension>-agent` (reference/kubesphere-core.md 2.2, 2.3).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from dovetail.apis.dialects.install_plan import Scheduling
from dovetail.apis.yaml_depth import refuse_depth
from dovetail.helm.values import merged
from dovetail.kube import matches

AGENT_SUFFIX: Final = "-agent"
Clusters = Mapping[str, Mapping[str, str]]
"""Labels of the member clusters, by name."""


class UnreadableOverride(Exception):
    """An override is no YAML of a map."""

    def __init__(self, cluster: str, why: str) -> None:
        super().__init__(
            f"spec.clusterScheduling.overrides of {cluster} is no YAML of a map of Helm values ({why}); correct it"
        )


def agent_release(extension: str) -> str:
    """The release's name on a member cluster."""
    return f"{extension}{AGENT_SUFFIX}"


def placed(scheduling: Scheduling | None, clusters: Clusters) -> tuple[str, ...]:
    """The clusters that get an agent, in order. A named one needs not be known: that it is not must be told."""
    if scheduling is None:
        return ()
    if scheduling.clusters:
        return tuple(sorted(dict.fromkeys(scheduling.clusters)))
    selector = scheduling.cluster_selector
    return () if selector is None else tuple(sorted(_selected(selector, clusters)))


def _selected(selector: Mapping[str, Any], clusters: Clusters) -> Iterable[str]:
    try:
        return [name for name, labels in clusters.items() if matches(selector, labels)]
    except (ValueError, KeyError, TypeError):  # an operator that Kubernetes does not have selects nothing
        return []


def agent_config(config: str, scheduling: Scheduling | None, cluster: str) -> str:
    """The plan's config with the cluster's override merged over it, as YAML. Raises UnreadableOverride."""
    override = scheduling.overrides.get(cluster, "") if scheduling is not None else ""
    if not override.strip():
        return config
    import yaml

    base, over = _values(config, cluster), _values(override, cluster)
    return yaml.safe_dump(merged(base, over), sort_keys=False, allow_unicode=True).rstrip()


def _values(text: str, cluster: str) -> Mapping[str, Any]:
    import yaml

    try:
        refuse_depth(text)
        parsed: object = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableOverride(cluster, " ".join(str(error).split())[:200]) from error
    if parsed is None:
        return {}
    if not isinstance(parsed, Mapping):
        raise UnreadableOverride(cluster, f"it is a {type(parsed).__name__}")
    return cast("Mapping[str, Any]", parsed)
