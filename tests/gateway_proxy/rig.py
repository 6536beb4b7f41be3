"""A worker with real sockets on all sides: a control that publishes snapshots, tokens that verify, clients."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from dovetail.gateway.proxy import Limits, WorkerSettings, serve
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.iam.keys import SigningKey
from dovetail.iam.policy import Account, Policy, Rule
from dovetail.iam.tokens import Subject, TokenIssuer
from dovetail.routing.model import Address, Match, Route, RouteTable, Upstream
from dovetail.routing.upstreams import with_key
from tests.conftest import free_port
from tests.gateway_proxy.client import PATIENCE, Answer, Client

ISSUER = "https://gateway.test"
KEY = SigningKey.generate()
_ISSUER = TokenIssuer(ISSUER, KEY)

ADMIN = "alice"
STRANGER = "bob"
POLICY = Policy(
    accounts={
        ADMIN: Account(uid="u-1", groups=("devs", "ops team")),
        STRANGER: Account(uid="u-2"),
        "mé\r\nX-Evil: 1": Account(uid="u-3"),
    },
    roles={
        "platform-admin": (
            Rule(verbs=("*",), api_groups=("*",), resources=("*",)),
            Rule(verbs=("*",), non_resource_urls=("*",)),
        )
    },
    user_roles={ADMIN: ("platform-admin",), "mé\r\nX-Evil: 1": ("platform-admin",)},
)  # fmt: skip


def token(user: str = ADMIN, *, session: str = "s-1", lasts: int = 3600) -> str:
    """An access token that the worker will believe."""
    now = time.time()
    return _ISSUER.access(Subject(user, POLICY.accounts[user].uid, session), int(now) + lasts, now)


def bearer(user: str = ADMIN, **more: Any) -> str:
    return f"Authorization: Bearer {token(user, **more)}"


def upstream(port: int, **fields: Any) -> Upstream:
    """A backend on this machine."""
    fields.setdefault("addresses", (Address("127.0.0.1", port),))
    return with_key(Upstream(key="", authority="backend.test:80", **fields))


def route(path: str, to: Upstream, **fields: Any) -> Route:
    fields.setdefault("access", "public")
    fields.setdefault("id", f"test{path}")
    return Route(match=Match("prefix", path), upstream=to.key, **fields)


def snapshot(generation: int, routes: list[Route], upstreams: list[Upstream], **fields: Any) -> Snapshot:
    routes = sorted(routes, key=lambda each: -len(each.match.path))  # as the compiler puts them
    table = RouteTable(routes=tuple(routes), upstreams={each.key: each for each in upstreams})
    fields.setdefault("policy", POLICY)
    keys = tuple(VerificationKey(each.kid, each.jwk) for each in (KEY.public(),))
    return Snapshot(generation=generation, issuer=ISSUER, table=table, keys=keys, **fields)


@dataclass
class Control:
    """The other end of the snapshot socket; can go away and come back."""

    socket: Path
    last: Snapshot | None = None
    publisher: Publisher | None = None
    _task: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        self.publisher = Publisher(self.socket)
        self._task = asyncio.create_task(self.publisher.run())
        if self.last is not None:
            await self.publisher.publish(self.last)

    async def publish(self, snapshot: Snapshot, *, wait: bool = True) -> None:
        """Publish, and wait until every worker serves it."""
        self.last = snapshot
        assert self.publisher is not None
        await self.publisher.publish(snapshot)
        async with asyncio.timeout(PATIENCE):
            while wait and set(self.publisher.serving) != {snapshot.generation}:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await asyncio.sleep(0.01)  # transports are closed a turn of the loop later


@dataclass
class Gateway:
    """A running worker and its control."""

    port: int
    control: Control
    pid: int = 0
    stop: Any = None
    generation: int = 1
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)

    async def client(self, **more: Any) -> Client:
        return await Client.connect(self.port, **more)

    async def once(self, method: str, target: str, *lines: str, body: bytes | None = None) -> Answer:
        """One request on a connection of its own."""
        async with await self.client() as client:
            client.request(method, target, *lines, body=body)
            return await client.answer(head_only=method == "HEAD")

    async def serve(self, routes: list[Route], upstreams: list[Upstream], **fields: Any) -> None:
        """Put another table in force."""
        self.generation += 1
        await self.control.publish(snapshot(self.generation, routes, upstreams, **fields))

    def rss(self) -> int:
        """Resident bytes of the worker's process."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) << 10
        raise AssertionError


@contextlib.asynccontextmanager
async def gateway(
    routes: list[Route], upstreams: list[Upstream], *, limits: Limits | None = None, **more: Any
) -> AsyncIterator[Gateway]:
    """A worker on the test's own loop."""
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        control = Control(Path(directory) / "snapshot.sock", snapshot(1, routes, upstreams))
        settings = WorkerSettings(port=free_port(), snapshot_socket=control.socket, limits=limits or Limits(), **more)
        ready = asyncio.Event()

        async def work() -> None:
            try:
                await serve(settings, ready.set)
            finally:
                ready.set()  # nobody waits for one that has failed

        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(control.stop)
            await control.start()
            task = asyncio.create_task(work())

            async def stop() -> None:
                task.cancel()
                await asyncio.wait({task}, timeout=PATIENCE)
                assert task.done(), "the worker does not stop"
                if not task.cancelled():
                    task.result()

            stack.push_async_callback(stop)
            async with asyncio.timeout(PATIENCE):
                await ready.wait()
            if task.done():
                task.result()
            yield Gateway(settings.port, control, os.getpid(), stop)


@contextlib.asynccontextmanager
async def gateway_process(
    routes: list[Route], upstreams: list[Upstream], *, limits: Limits | None = None
) -> AsyncIterator[Gateway]:
    """A worker in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="gw-") as directory:
        control = Control(Path(directory) / "snapshot.sock", snapshot(1, routes, upstreams))
        port = free_port()
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(control.stop)
            await control.start()
            process = await stack.enter_async_context(worker_process(port, control, limits))
            yield Gateway(port, control, process.pid, lambda: stopped(process))


@contextlib.asynccontextmanager
async def worker_process(
    port: int, control: Control, limits: Limits | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """One worker in a process of its own; several can share a port."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.gateway_proxy.worker_process", str(port), str(control.socket),
        msgspec.json.encode(limits or Limits()).decode(), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        await stopped(process)


async def stopped(process: asyncio.subprocess.Process) -> None:
    """End a process as it is meant to end, or by force."""
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise


def limits(**fields: Any) -> Limits:
    return replace(Limits(), **fields)
