"""Runs the controllers of roles against the embedded API, as a user who holds what the real process holds."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from dovetail.iam import bootstrap
from dovetail.iam.process_roles import CONTROLLERS, process_roles
from dovetail.kube.client import Client
from dovetail.kube.controller import Controller
from dovetail.kube.errors import NotFound
from dovetail.kube.resources import CLUSTERROLEBINDINGS, ResourceLike
from dovetail.kube.runtime import ControllerRuntime

GOODBYE = 0.1
"""aiohttp does not wait for the watches' sockets to close."""


def fresh(prefix: str = "t") -> str:
    """A name that no other test has."""
    return prefix + secrets.token_hex(4)


async def stand_in(client: Client) -> str:
    """A user who holds what `dovetail:controllers` holds and nothing else."""
    user = "system:dovetail-test:" + secrets.token_hex(4)
    for obj in process_roles():
        if obj["kind"] == "ClusterRoleBinding" and obj["subjects"][0]["name"] == CONTROLLERS:
            subjects = [{**obj["subjects"][0], "name": user}]
            await client.create(CLUSTERROLEBINDINGS, {**obj, "metadata": {"name": user}, "subjects": subjects})
    return user


@contextlib.asynccontextmanager
async def running(api: Any, *makers: Callable[[ControllerRuntime], Iterable[Controller]]) -> AsyncIterator[Client]:
    """The administrator's client, while these controllers work."""
    async with api.client() as client:
        await bootstrap.ensure(client)
        runtime = ControllerRuntime(client.impersonate(await stand_in(client), ["system:authenticated"]))
        for make in makers:
            for controller in make(runtime):
                runtime.add(controller)
        ready = asyncio.Event()
        task = asyncio.ensure_future(runtime.run(ready.set))
        try:
            async with asyncio.timeout(20):
                await ready.wait()
            yield client
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await asyncio.sleep(GOODBYE)


async def eventually(check: Callable[[], Awaitable[bool]], within: float = 20) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(within):
        while not await check():  # noqa: ASYNC110 - the cluster has no event for it
            await asyncio.sleep(0.02)


async def found(client: Client, kind: ResourceLike, name: str, namespace: str | None = None) -> dict[str, Any] | None:
    """The object, or None."""
    try:
        return await client.get(kind, name, namespace)
    except NotFound:
        return None
