"""On which clusters a workspace is to be. Pure.

This is the seam for several clusters: `KNOWN` holds the one there is, the host, and everything below asks it. A
placement that says nothing means the host. Clusters that it names and nobody knows are told, never dropped: they stay
in the template, and `Placed.unknown` becomes a condition in its status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from dovetail.kube.selectors import matches

HOST: Final = "host"
HOST_ROLE: Final = "cluster-role.kubesphere.io/host"
KNOWN: Final[Mapping[str, Mapping[str, str]]] = {HOST: {HOST_ROLE: ""}}
"""Every cluster by name, with its labels."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Which known clusters hold the workspace, which names lead nowhere, and what could not be read."""

    clusters: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    problem: str = ""

    @property
    def here(self) -> bool:
        """Whether the workspace is to be on this cluster."""
        return HOST in self.clusters


def placed(placement: Mapping[str, Any] | None, known: Mapping[str, Mapping[str, str]] = KNOWN) -> Placed:
    """Where a `spec.placement` puts a workspace: the clusters it names, and those that its selector matches."""
    given = placement or {}
    entries = cast("list[Mapping[str, Any]]", given.get("clusters") or [])
    selector = given.get("clusterSelector")
    names = tuple(str(entry.get("name", "")) for entry in entries)
    if not names and selector is None:
        return Placed(clusters=(HOST,))
    try:
        selected = {name for name, labels in known.items() if selector is not None and matches(selector, labels)}
    except (ValueError, KeyError) as error:
        return Placed(clusters=_known(names, known), problem=f"clusterSelector cannot be read: {error}")
    found = tuple(sorted(selected.union(_known(names, known))))
    return Placed(clusters=found, unknown=tuple(sorted(name for name in names if name not in known)))


def _known(names: tuple[str, ...], known: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name in known}))
