"""The parts that work in one cluster: the host, or a member."""

from dataclasses import dataclass

from dovetail.kube import Client
from dovetail.lifecycle.deployment import Deployer
from dovetail.lifecycle.switching import Switchboard
from dovetail.lifecycle.workloads import Workloads


@dataclass(frozen=True)
class Site:
    """Where releases are made, and by what."""

    client: Client
    deployer: Deployer
    switchboard: Switchboard
    workloads: Workloads

    async def switch(self, extension: str, *, enabled: bool, scale_down: bool) -> None:
        """Enable or disable what an extension brought there."""
        await self.switchboard.switch(extension, enabled)
        await self.workloads.switch(extension, enabled, scale_down)
