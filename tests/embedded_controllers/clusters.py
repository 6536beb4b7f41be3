"""What the tests of single controllers share: waiting, and names of their own."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from dovetail.kube import NAMESPACES, Client, NotFound, ResourceLike

PATIENCE = 25.0


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def new_namespace(client: Client, prefix: str) -> str:
    name = f"{prefix}-{uuid.uuid4().hex[:8]}"
    await client.create(NAMESPACES, {"metadata": {"name": name}})
    return name


async def exists(client: Client, resource: ResourceLike, name: str, namespace: str | None = None) -> bool:
    try:
        await client.get(resource, name, namespace)
    except NotFound:
        return False
    return True


async def gone(client: Client, resource: ResourceLike, name: str, namespace: str | None = None) -> None:
    async def condition() -> bool:
        return not await exists(client, resource, name, namespace)

    await until(condition)
