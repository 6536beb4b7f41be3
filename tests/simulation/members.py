"""The member clusters as a process of the controllers knows them: one, which may be out of reach."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dovetail.kube import Client, ClusterConfig
from dovetail.lifecycle.clusters import ClusterUnknown, Member
from tests.simulation.cluster import Cluster

EDGE = "edge"
EDGE_SERVER = "https://edge"


class Members:
    """The platform's `Clusters`. A member that is cut off is known, and does not answer."""

    def __init__(self, edge: Cluster | None) -> None:
        self._there = edge is not None
        self._member: Member | None = None

    def known(self) -> Mapping[str, Mapping[str, str]]:
        return {EDGE: {"place": EDGE}} if self._there else {}

    async def reach(self, name: str) -> Member:
        if not self._there or name != EDGE:
            raise ClusterUnknown(name)
        if self._member is None:
            self._member = Member(EDGE, Client(ClusterConfig(server=EDGE_SERVER)), Path(EDGE))
        return self._member

    def on_change(self, wake: Callable[[str], None]) -> None:
        del wake
