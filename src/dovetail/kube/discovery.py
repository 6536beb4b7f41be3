"""Which resources the cluster serves. Pure readings of discovery documents; the client fetches and caches them.

`ServedResource` is a resource with its verbs. Aggregated discovery (one document, Kubernetes 1.27 and later) is read as
well as the older form (one document a group version).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from dovetail.kube.resources import Resource

AGGREGATED_ACCEPT = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@dataclass(frozen=True, slots=True)
class ServedResource:
    """A resource and what may be done with it; `preferred` is False for other versions of the same group."""

    resource: Resource
    verbs: frozenset[str]
    preferred: bool = True


def split_api_version(api_version: str) -> tuple[str, str]:
    """(group, version); the core group is ""."""
    group, _, version = api_version.rpartition("/")
    return group, version


def group_version_path(api_version: str) -> str:
    """Where a group version's APIResourceList is."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def read_resource_list(document: Mapping[str, Any], preferred: bool = True) -> list[ServedResource]:
    """An APIResourceList, without subresources."""
    group, version = split_api_version(str(document.get("groupVersion") or "v1"))
    return [
        ServedResource(
            Resource(group, version, str(item["name"]), str(item["kind"]), bool(item.get("namespaced"))),
            frozenset(item.get("verbs") or ()),
            preferred,
        )
        for item in _items(document, "resources")
        if "/" not in str(item["name"])
    ]


def read_aggregated(document: Mapping[str, Any]) -> list[ServedResource]:
    """An APIGroupDiscoveryList; of each group the first version is the preferred one."""
    found: list[ServedResource] = []
    for group in _items(document, "items"):
        name = str(_mapping(group.get("metadata")).get("name") or "")
        for at, version in enumerate(_items(group, "versions")):
            found += _aggregated_version(name, version, preferred=at == 0)
    return found


def read_groups(document: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """An APIGroupList as (apiVersion, preferred)."""
    found: list[tuple[str, bool]] = []
    for group in _items(document, "groups"):
        preferred = _mapping(group.get("preferredVersion")).get("groupVersion")
        found += [(str(v["groupVersion"]), v["groupVersion"] == preferred) for v in _items(group, "versions")]
    return found


def preferred_resources(served: Iterable[ServedResource], verbs: Iterable[str] = ()) -> list[ServedResource]:
    """One version a (group, plural): the preferred version's, else the first that serves it; only with all `verbs`."""
    wanted = frozenset(verbs)
    chosen: dict[tuple[str, str], ServedResource] = {}
    for candidate in sorted(served, key=lambda s: not s.preferred):
        if wanted <= candidate.verbs:
            chosen.setdefault((candidate.resource.group, candidate.resource.plural), candidate)
    return list(chosen.values())


def _aggregated_version(group: str, version: Mapping[str, Any], preferred: bool) -> list[ServedResource]:
    return [
        ServedResource(
            Resource(
                group,
                str(version["version"]),
                str(item["resource"]),
                str(_mapping(item.get("responseKind")).get("kind") or ""),
                item.get("scope") == "Namespaced",
            ),
            frozenset(item.get("verbs") or ()),
            preferred,
        )
        for item in _items(version, "resources")
    ]


def _items(document: Mapping[str, Any], field: str) -> list[Mapping[str, Any]]:
    return cast("list[Mapping[str, Any]]", document.get(field) or [])


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
