"""The discovery cache: kinds to resources, asked once and kept.

A kind that is not in the cache is asked for again at most once in `MISS_SECONDS` a group version, so that a controller
that waits for a CRD neither misses it for long nor floods the server.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from dovetail.kube.discovery import (
    AGGREGATED_ACCEPT,
    ServedResource,
    group_version_path,
    read_aggregated,
    read_groups,
    read_resource_list,
)
from dovetail.kube.errors import NotFound, UnknownKind
from dovetail.kube.resources import Resource

MISS_SECONDS = 1.0

Fetch = Callable[[str, str], Awaitable[Mapping[str, Any]]]
"""(path, accept) -> the document; raises ApiError."""


class Catalog:
    """What the cluster serves, as far as anybody asked."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._asked: dict[str, float] = {}
        self._lock = asyncio.Lock()

    async def find(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind. Raises UnknownKind."""
        found = self._kinds.get((api_version, kind))
        if found is None:
            async with self._lock:
                await self._ask(api_version)
            found = self._kinds.get((api_version, kind))
        if found is None:
            raise UnknownKind(api_version, kind)
        return found

    async def all(self) -> list[ServedResource]:
        """Everything the cluster serves right now, in every version; also refreshes the cache."""
        served = await self._everything()
        self._kinds = {(s.resource.api_version, s.resource.kind): s.resource for s in reversed(served)}
        return served

    def forget(self) -> None:
        """Empty the cache: CRDs changed."""
        self._kinds.clear()
        self._asked.clear()

    async def _ask(self, api_version: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._asked.get(api_version, -MISS_SECONDS) < MISS_SECONDS:
            return
        try:
            document = await self._fetch(group_version_path(api_version), "application/json")
        except NotFound:
            document = {}
        self._asked[api_version] = now
        for served in reversed(read_resource_list({"groupVersion": api_version, **document})):
            self._kinds[(served.resource.api_version, served.resource.kind)] = served.resource

    async def _everything(self) -> list[ServedResource]:
        apis = await self._fetch("/apis", AGGREGATED_ACCEPT)
        if apis.get("kind") == "APIGroupDiscoveryList":
            core = await self._fetch("/api", AGGREGATED_ACCEPT)
            if core.get("kind") == "APIGroupDiscoveryList":
                return read_aggregated(core) + read_aggregated(apis)
        groups = [
            ("v1", True),
            *read_groups(apis if apis.get("kind") == "APIGroupList" else await self._plain_groups()),
        ]
        lists = await asyncio.gather(
            *(self._group_version(api_version, preferred) for api_version, preferred in groups)
        )
        return [served for one in lists for served in one]

    async def _plain_groups(self) -> Mapping[str, Any]:
        return await self._fetch("/apis", "application/json")

    async def _group_version(self, api_version: str, preferred: bool) -> list[ServedResource]:
        try:
            document = await self._fetch(group_version_path(api_version), "application/json")
        except NotFound:  # a CRD's group that went away since the groups were listed
            return []
        return read_resource_list({"groupVersion": api_version, **document}, preferred)
