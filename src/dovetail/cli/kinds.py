"""Waiting for the platform's resource kinds, which `dovetail init` installs while the other processes are starting.

A process whose caches begin before a kind is served looks for it again every few seconds only, and would meanwhile say
that it is ready and know of no user, role or extension. So each waits a little, asking the cluster's discovery. A
cluster that has no kinds for longer, or does not answer, is left to what the caches do about it.
"""

import asyncio
import logging
from pathlib import Path

import orjson

from dovetail.apis.crds import KINDS
from dovetail.kube import Client, ClusterConfig
from dovetail.kube.errors import KubeError

LONGEST_SECONDS = 15.0
_EVERY_SECONDS = 0.05

_log = logging.getLogger(__name__)


async def wait_for_kinds(kubeconfig: Path | None) -> bool:
    """Wait until the cluster serves every kind of ours. False when it took too long."""
    async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-kinds") as client:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                served = await _all_served(client)
                while not served:
                    await asyncio.sleep(_EVERY_SECONDS)
                    served = await _all_served(client)
        except TimeoutError:
            _log.warning("the cluster does not serve the platform's kinds; `dovetail init` installs them")
            return False
    return True


async def _all_served(client: Client) -> bool:
    for api_version in sorted({f"{kind.resource.group}/{kind.resource.version}" for kind in KINDS}):
        wanted = {kind.resource.plural for kind in KINDS if api_version.startswith(f"{kind.resource.group}/")}
        if not wanted <= await _served(client, api_version):
            return False
    return True


async def _served(client: Client, api_version: str) -> set[str]:
    """The plurals of one group and version, by the cluster's discovery; none when it does not know it."""
    try:
        answer = await client.request("GET", f"/apis/{api_version}")
    except KubeError:
        return set()
    if answer.status != 200:
        return set()
    found: dict[str, list[dict[str, str]]] = orjson.loads(answer.body)
    return {resource["name"] for resource in found["resources"]}
