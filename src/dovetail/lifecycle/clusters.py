"""Member clusters as the lifecycle needs them: labels, and a client by name. How one is reached is another room's.
`Clusters` is the seam; whoever knows members implements it. Until then there are none, and a plan that names one is
told so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from dovetail.kube import Client
from dovetail.lifecycle.errors import LifecycleError

UNKNOWN: Final = "ClusterUnknown"
UNREACHABLE: Final = "ClusterUnreachable"
Wake = Callable[[str], None]


class ClusterUnknown(LifecycleError):
    """No member cluster has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no member cluster {name} is known; add it, or take it out of spec.clusterScheduling")


class ClusterUnreachable(LifecycleError):
    """The member did not answer; it is tried again."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"member cluster {name} cannot be reached: {why}; its agent is looked after when it is back")


@dataclass(frozen=True)
class Member:
    """A member cluster that can be talked to; Helm's process takes the kubeconfig, everything else the client."""

    name: str
    client: Client
    kubeconfig: Path
    context: str | None = None


class Clusters(Protocol):
    """The member clusters that there are."""

    def known(self) -> Mapping[str, Mapping[str, str]]:
        """Labels of every member, by name."""
        ...

    async def reach(self, name: str) -> Member:
        """The member; the same value as long as it is the same cluster. Raises ClusterUnknown, ClusterUnreachable."""
        ...

    def on_change(self, wake: Wake) -> None:
        """Call `wake(name)` whenever a member comes, goes, changes its labels or can be reached again."""
        ...


class NoClusters:
    """There is only the host."""

    def known(self) -> Mapping[str, Mapping[str, str]]:
        return {}

    async def reach(self, name: str) -> Member:
        raise ClusterUnknown(name)

    def on_change(self, wake: Wake) -> None:
        del wake
