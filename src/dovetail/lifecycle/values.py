"""What the platform puts into the values of every release, over the user's (reference/kubesphere-core.md 2.4).

Tags choose the sub-charts of this cluster; a sub-chart that is switched by a condition and belongs only to the other
kind of cluster is switched off by that condition, because in Helm a condition beats a tag. One that carries both tags
is left alone (the published platform disables it in both). Pure.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from dovetail.helm.values import put
from dovetail.lifecycle.settings import LifecycleSettings

HOST_TAG: Final = "extension"
AGENT_TAG: Final = "agent"


class SubChart(Protocol):
    """What is read of a dependency in Chart.yaml."""

    @property
    def condition(self) -> str: ...
    @property
    def tags(self) -> Sequence[str]: ...


def platform_values(settings: LifecycleSettings, *, agent: bool = False) -> dict[str, Any]:
    """The part that does not depend on the package."""
    values: dict[str, Any] = {
        "tags": {HOST_TAG: not agent, AGENT_TAG: agent},
        "global": {"clusterInfo": {"name": settings.cluster_name, "role": settings.cluster_role}},
    }
    if settings.portal_url:
        put(values, "global.portal.url", settings.portal_url)
    if settings.image_registry:
        put(values, "global.imageRegistry", settings.image_registry)
    if settings.node_selector:
        put(values, "global.nodeSelector", dict(settings.node_selector))
    if settings.ingress:
        put(values, "global.extension.ingress", dict(settings.ingress))
    return values


def injected_values(
    settings: LifecycleSettings, dependencies: Iterable[SubChart], *, agent: bool = False
) -> dict[str, Any]:
    """All of it, for a package with these sub-charts: the release on the host, or an agent's on a member cluster."""
    values = platform_values(settings, agent=agent)
    here, there = (AGENT_TAG, HOST_TAG) if agent else (HOST_TAG, AGENT_TAG)
    for dependency in dependencies:
        if there in dependency.tags and here not in dependency.tags:
            for path in filter(None, (part.strip() for part in dependency.condition.split(","))):
                put(values, path, False)
    return values
