"""Health: whether a backend answers, measured.

Three parts. `probe` asks once: it connects to each address (with TLS where the upstream uses it), and with a health
check also GETs its path; a backend is up when one address is. `judge` is pure: from what was known and what a probe
found it says what is known now, so that one lost packet does not take a backend away. `Prober` repeats probes for a
changing set of targets and reports each change of mind.

A probe never carries a user's identity or credentials. Whoever uses this decides what becomes of a verdict; it never
concerns objects that are Disabled.
"""

import asyncio
import contextlib
import functools
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from dovetail.apis.dialects import HealthCheck
from dovetail.gateway.backend_tls import certificate_times, client_context
from dovetail.routing.model import Address, Upstream, UpstreamTLS

INTERVAL: Final = 10.0
TIMEOUT: Final = 5.0
FAILURES_TO_FALL: Final = 2
"""Failed probes in a row that take an Available backend away. From an unknown state one is enough."""
_FASTEST: Final = 1.0
_MAX_STATUS_LINE: Final = 1024
_MAX_PROBES: Final = 64
"""Probes that run at the same time, over all targets."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict.

    `reason` is one word: Healthy, ConnectionRefused, TLSVerificationFailed, TLSHandshakeFailed, Timeout,
    NameResolutionFailed, Unreachable, UnexpectedStatus, NoAnswer, or that of a resolution (MissingEndpoints, ...).
    """

    state: Literal["Available", "Unavailable"]
    reason: str
    message: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a backend: the verdict in force and the failures in a row since the last success."""

    health: Health | None = None
    failures: int = 0


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What to probe. `unresolved` says why there is nothing to dial, and is then the verdict."""

    upstream: Upstream
    check: HealthCheck | None = None
    unresolved: Health | None = None

    @property
    def interval(self) -> float:
        """Seconds between two probes."""
        return max(self.check.interval if self.check else INTERVAL, _FASTEST)


HEALTHY: Final = Health(state="Available", reason="Healthy", message="the backend answers")


def unavailable(reason: str, message: str) -> Health:
    """The verdict that a backend is down."""
    return Health(state="Unavailable", reason=reason, message=message)


def judge(known: Known, found: Health) -> Known:
    """What is known after one more probe. A success counts at once, a failure only when it is repeated."""
    if found.state == "Available":
        return Known(health=found)
    failures = known.failures + 1
    falls = known.health is None or known.health.state == "Unavailable" or failures >= FAILURES_TO_FALL
    return Known(health=found if falls else known.health, failures=failures)


async def probe(target: Target) -> Health:
    """Ask a backend once. Never raises for anything that the backend does; takes no longer than the check's timeout."""
    if target.unresolved:
        return target.unresolved
    dial = _dial_plan(target)
    found = unavailable("MissingEndpoints", "the backend has no address")
    timeout = target.check.timeout if target.check else TIMEOUT
    try:
        async with asyncio.timeout(timeout):
            for address in dial.addresses:
                found = await _probe_address(dial, address)
                if found.state == "Available":
                    break
    except TimeoutError:
        return unavailable("Timeout", f"no answer within {timeout:g} s")
    return found


class _Dial(msgspec.Struct, frozen=True):
    """Addresses to try and what to ask: no path means that a connection is enough."""

    addresses: tuple[Address, ...]
    tls: UpstreamTLS | None
    authority: str
    path: str
    status: str


def _dial_plan(target: Target) -> _Dial:
    upstream, check = target.upstream, target.check
    tls = upstream.tls
    addresses, authority, path = upstream.addresses, upstream.authority, ""
    if check and check.url.startswith("/"):
        path = upstream.base_path + check.url
    elif check:
        parts = urlsplit(check.url)
        https, name, authority = parts.scheme == "https", parts.hostname or "", parts.netloc
        tls = replace(tls or UpstreamTLS(name), server_name=name) if https else None
        addresses = (Address(name, parts.port or (443 if https else 80)),)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Dial(
        addresses=addresses,
        tls=tls,
        authority=authority,
        path=path,
        status=check.status if check else "",
    )


async def _probe_address(dial: _Dial, address: Address) -> Health:
    where = f"{address.host}:{address.port}"
    try:
        tls = dial.tls
        context = _context(tls, certificate_times(tls)) if tls else None
        reader, writer = await asyncio.open_connection(
            address.host, address.port, ssl=context, server_hostname=(tls.server_name or None) if tls else None,
            limit=_MAX_STATUS_LINE,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        return _failure(error, where)
    try:
        return await _ask(dial, reader, writer) if dial.path else HEALTHY
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return unavailable("NoAnswer", f"{where} closed the connection without an HTTP answer")
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def _ask(dial: _Dial, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Health:
    headers = f"Host: {dial.authority}\r\nUser-Agent: dovetail-health\r\nConnection: close\r\n"
    writer.write(f"GET {dial.path} HTTP/1.1\r\n{headers}\r\n".encode("ascii"))
    line = (await reader.readuntil(b"\r\n")).decode("latin-1").split(" ", 2)
    if len(line) < 2 or not line[0].startswith("HTTP/1."):
        return unavailable("NoAnswer", f"{dial.path} was not answered in HTTP")
    status = line[1].strip()
    wanted = dial.status
    if status == wanted or (wanted.endswith("xx") and status[:1] == wanted[:1]):
        return HEALTHY
    return unavailable("UnexpectedStatus", f"{dial.path} was answered {status[:3]}, not {wanted}")


def _failure(error: Exception, where: str) -> Health:
    match error:
        case ssl.SSLCertVerificationError():
            return unavailable(
                "TLSVerificationFailed", f"the certificate of {where} is not good: {error.verify_message}"
            )
        case ssl.SSLError():
            return unavailable("TLSHandshakeFailed", f"{where} does not speak TLS as expected: {error.reason}")
        case ConnectionRefusedError():
            return unavailable("ConnectionRefused", f"nothing listens at {where}")
        case TimeoutError():
            return unavailable("Timeout", f"{where} does not answer")
        case _ if type(error).__name__ == "gaierror":
            return unavailable("NameResolutionFailed", f"{where.rpartition(':')[0]} has no address")
        case _:
            return unavailable("Unreachable", f"{where} cannot be reached: {error}")


@functools.lru_cache(maxsize=256)
def _context(tls: UpstreamTLS, renewed: tuple[int, ...]) -> ssl.SSLContext:
    """`renewed` tells one certificate in the file from the next."""
    return client_context(tls)


Report = Callable[[str, Health], Awaitable[None]]
"""Told of each change of mind: the target's key and the new verdict. Must not raise: that would end the Prober."""


class Prober:
    """Probes targets by key until cancelled, and reports each verdict that differs from the one before."""

    def __init__(self, report: Report, *, probe: Callable[[Target], Awaitable[Health]] = probe) -> None:
        self._report = report
        self._probe = probe
        self._targets: dict[str, Target] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(_MAX_PROBES)
        self._changed = asyncio.Event()

    def set_targets(self, targets: Mapping[str, Target]) -> None:
        """Probe exactly these from now on; one that is new or changed is probed at once."""
        self._targets = dict(targets)
        self._changed.set()

    async def run(self) -> None:
        """Follow the targets until cancelled."""
        async with asyncio.TaskGroup() as group:
            in_force: dict[str, Target] = {}
            while True:
                await self._changed.wait()
                self._changed.clear()
                for key in in_force.keys() - self._targets.keys():
                    self._tasks.pop(key).cancel()
                for key, target in self._targets.items():
                    if in_force.get(key) != target:
                        if key in in_force:
                            self._tasks.pop(key).cancel()
                        self._tasks[key] = group.create_task(self._follow(key, target), name=f"probe {key}")
                in_force = dict(self._targets)

    async def _follow(self, key: str, target: Target) -> None:
        known = Known()
        while True:
            async with self._slots:
                found = await self._probe(target)
            before, known = known, judge(known, found)
            if known.health and known.health != before.health:
                await self._report(key, known.health)
            failing = known.failures > 0
            await asyncio.sleep(min(target.interval, _FASTEST * 2) if failing else target.interval)
