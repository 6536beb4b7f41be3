"""Leader election on a Lease: of several replicas one works, and another takes over when it stops renewing.

The model is client-go's. A candidate does not compare clocks with the holder: it looks whether the lease changes, and
takes it when it has seen the same record for a whole `duration` of its own time. What to do with a lease is the pure
function `decide`; `LeaderElector` carries it out. Two leaders at once are excluded as long as clocks run at similar
speed.
"""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dovetail.kube.client import Client
from dovetail.kube.errors import AlreadyExists, Conflict, KubeError, LeadershipLost, NotFound, first_error
from dovetail.kube.objects import resource_version_of
from dovetail.kube.resources import LEASES, Object
from dovetail.kube.timestamps import now, rfc3339_micro

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Seconds: how long a lease holds, how long the holder may fail to renew it, how often it tries."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class Claim(Enum):
    """What a candidate does about a lease."""

    RENEW = "it is ours: renew it"
    TAKE = "nobody holds it, or its holder is gone: take it"
    WAIT = "somebody else holds it"


def decide(spec: Mapping[str, Any], identity: str, unchanged_for: float, duration: float) -> Claim:
    """What to do about a lease with this `spec` that has not changed for this many seconds of our own clock."""
    holder = spec.get("holderIdentity") or ""
    if holder == identity:
        return Claim.RENEW
    held_for = spec.get("leaseDurationSeconds") or duration
    return Claim.TAKE if not holder or unchanged_for >= held_for else Claim.WAIT


def claimed(spec: Mapping[str, Any], identity: str, duration: float, moment: str) -> Object:
    """The spec with which `identity` holds the lease from `moment` (metav1.MicroTime) on."""
    kept = spec.get("holderIdentity") == identity
    transitions = int(spec.get("leaseTransitions") or 0)
    return {
        **spec,
        "holderIdentity": identity,
        "leaseDurationSeconds": max(1, round(duration)),
        "acquireTime": (kept and spec.get("acquireTime")) or moment,
        "renewTime": moment,
        "leaseTransitions": transitions if kept or not spec else transitions + 1,
    }


def default_identity() -> str:
    """A name for this process that no other has: host, process, and a random part."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"


class LeaderElector:
    """A candidate for one lease. Its namespace must exist."""

    def __init__(
        self,
        client: Client,
        name: str,
        namespace: str,
        *,
        identity: str | None = None,
        settings: LeaseSettings = LeaseSettings(),
    ) -> None:
        self.identity = identity or default_identity()
        self.is_leader = False
        self._client, self._name, self._namespace, self._settings = client, name, namespace, settings
        self._lease: Object | None = None
        self._seen_at = 0.0

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for leadership, then run `lead` for as long as it lasts; give the lease back at the end.

        Raises LeadershipLost when the lease could not be kept; `lead` has then been cancelled.
        """
        await self._acquire()
        log.info("leading %s as %s", self._name, self.identity)
        try:
            async with asyncio.TaskGroup() as tasks:
                renewing = tasks.create_task(self._renew_forever(), name=f"lease {self._name}")
                await lead()
                renewing.cancel()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        finally:
            self.is_leader = False
            await self._release()

    async def _acquire(self) -> None:
        while not await self._try():  # noqa: ASYNC110 -- what is waited for happens in another process
            await asyncio.sleep(self._settings.retry)
        self.is_leader = True

    async def _renew_forever(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(self._settings.retry)
            left = renewed + self._settings.renew_deadline - loop.time()
            if left <= 0 or (self._lease is not None and self._holder() != self.identity):
                raise LeadershipLost(self._name, self._holder())
            try:
                async with asyncio.timeout(left):
                    if await self._try():
                        renewed = loop.time()
            except TimeoutError:
                continue

    async def _try(self) -> bool:
        """One attempt to hold the lease; False when somebody else does or the API does not answer."""
        try:
            await self._look()
            spec: Object = (self._lease or {}).get("spec") or {}
            unchanged = asyncio.get_running_loop().time() - self._seen_at
            if decide(spec, self.identity, unchanged, self._settings.duration) is Claim.WAIT:
                return False
            self._saw(await self._write(claimed(spec, self.identity, self._settings.duration, rfc3339_micro(now()))))
            return True
        except (Conflict, AlreadyExists):
            return False
        except KubeError as error:
            log.warning("lease %s: %s", self._name, error)
            return False

    async def _look(self) -> None:
        try:
            self._saw(await self._client.get(LEASES, self._name, self._namespace))
        except NotFound:
            self._lease = None

    async def _write(self, spec: Object) -> Object:
        if self._lease is not None:
            return await self._client.update(LEASES, {**self._lease, "spec": spec})
        meta = {"name": self._name, "namespace": self._namespace}
        lease = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}
        return await self._client.create(LEASES, lease)

    def _saw(self, lease: Object) -> None:
        if self._lease is None or resource_version_of(lease) != resource_version_of(self._lease):
            self._seen_at = asyncio.get_running_loop().time()
        self._lease = lease

    def _holder(self) -> str:
        spec: Object = (self._lease or {}).get("spec") or {}
        return str(spec.get("holderIdentity") or "")

    async def _release(self) -> None:
        """Let the next candidate in at once; if that fails, the lease runs out by itself."""
        if self._lease is None or self._holder() != self.identity:
            return
        spec: Object = {**(self._lease.get("spec") or {}), "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            async with asyncio.timeout(self._settings.retry):
                await self._client.update(LEASES, {**self._lease, "spec": spec})
        except (KubeError, TimeoutError) as error:
            log.debug("lease %s was not given back: %s", self._name, error)
