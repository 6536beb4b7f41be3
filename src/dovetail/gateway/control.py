"""Control: keeps the snapshot in step with the cluster.

Informers watch everything a snapshot is made of; each change marks the part it concerns (the table, the policy, the
ended sessions). A loop compiles the marked parts anew, and hands a snapshot to the publisher when it differs from the
one before. Changes that arrive together are compiled together. Compiling is pure and lives below
(`dovetail.routing`, `dovetail.iam`); a bad object is left out there and told in its own status
(`dovetail.gateway.availability`), so nothing that somebody writes can stop the rest.

Control never sees a request. When it is down, workers go on with what they have.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import time

import msgspec

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.gateway.audit.policy import AuditPolicy
from dovetail.gateway.delta import same_but_for_generation
from dovetail.gateway.objects import RoutingObjects
from dovetail.gateway.policy_objects import PolicyObjects
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.iam.assertions import AssertionKey, AssertionSigner
from dovetail.iam.policy import Identity, Policy
from dovetail.iam.session import SELECTOR, StoredSessions, revoked_sessions
from dovetail.iam.tokens import Lifetimes
from dovetail.kube import SECRETS, ControllerRuntime, Object

COALESCE_SECONDS = 0.003
"""How long a first change waits for others that belong to it."""

STATUS_SECONDS = 0.02
"""How long after a table the status of objects is looked at."""


@dataclass(frozen=True)
class _Change:
    """Which parts of the snapshot are out of date."""

    table: bool = False
    policy: bool = False
    sessions: bool = False

    def __or__(self, other: "_Change") -> "_Change":
        return _Change(self.table or other.table, self.policy or other.policy, self.sessions or other.sessions)


_ALL = _Change(table=True, policy=True, sessions=True)


class Control:
    """Owns the informers of the snapshot and the snapshot itself. `start` is its keys, issuer and empty parts."""

    def __init__(
        self, runtime: ControllerRuntime, publisher: Publisher, objects: RoutingObjects, start: Snapshot,
        lifetimes: Lifetimes, compiled: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._publisher = publisher
        self._objects = objects
        self._lifetimes = lifetimes
        self._compiled = compiled
        self._snapshot = start
        self._pending = _ALL
        self._marked = asyncio.Event()
        self._stored = StoredSessions()
        self._ended_here: dict[str, float] = {}
        self.policy_objects = PolicyObjects(runtime, lambda: self._mark(_Change(policy=True)))
        watched = self.policy_objects.informers
        self.users, self.roles = watched[USERS.kind], watched[GLOBALROLES.kind]
        self.bindings = watched[GLOBALROLEBINDINGS.kind]
        self._sessions = runtime.informer(SECRETS, namespace=SYSTEM_NAMESPACE, label_selector=SELECTOR)
        self._sessions.add_handler(self._session_changed)
        objects.on_change(lambda: self._mark(_Change(table=True)))

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self._snapshot.policy

    @property
    def generation(self) -> int:
        """The generation of the latest snapshot; 0 before the first."""
        return self._snapshot.generation

    async def revoke(self, sessions: Collection[str]) -> None:
        """Refuse the tokens of these sessions from now on, without waiting for a watch to tell."""
        self._ended_here.update(dict.fromkeys(sessions, time()))
        await self._compile(_Change(sessions=True))

    def vouch(self, identity: Identity, audience: str) -> str:
        """The platform's own signed word to a backend, as workers give it for users; empty without a key."""
        key = self._snapshot.assertion_key
        return AssertionSigner(self._snapshot.issuer, key).sign(identity, audience, time()) if key else ""

    async def sign_with(self, key: AssertionKey) -> None:
        """Have the workers sign assertions with this key from now on."""
        await self._take(msgspec.structs.replace(self._snapshot, assertion_key=key))

    async def verify_with(self, keys: tuple[VerificationKey, ...]) -> None:
        """Have the workers verify tokens with these keys from now on."""
        after = msgspec.structs.replace(self._snapshot, keys=keys)
        if self.generation:
            await self._put(after)
        else:
            self._snapshot = after

    async def audit_by(self, policy: AuditPolicy) -> None:
        """Have the workers record by this policy from now on."""
        await self._take(msgspec.structs.replace(self._snapshot, audit=policy))

    async def run(self) -> None:
        """Follow the cluster until cancelled; call it when the informers are synced."""
        while True:
            await self._marked.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            self._marked.clear()
            change, self._pending = self._pending, _Change()
            await self._compile(change)

    def start(self) -> None:
        """Compile everything for the first time, as soon as `run` gets to it."""
        self._mark(_ALL)

    def _session_changed(self, type: str, old: Object | None, new: Object, /) -> None:
        if type != "MODIFIED" or old != new:
            self._mark(_Change(sessions=True))

    def _mark(self, change: _Change) -> None:
        self._pending |= change
        self._marked.set()

    async def _compile(self, change: _Change) -> None:
        before = self._snapshot
        after = msgspec.structs.replace(
            before,
            table=self._objects.compile() if change.table else before.table,
            policy=self.policy_objects.compile() if change.policy else before.policy,
            revoked_sessions=self._revoked() if change.sessions else before.revoked_sessions,
        )
        await self._put(after)
        if change.table:
            # Later: statuses can wait, the workers cannot.
            asyncio.get_running_loop().call_later(STATUS_SECONDS, self._compiled)

    async def _take(self, after: Snapshot) -> None:
        """Publish this, unless nothing has been compiled yet: then it is part of the first."""
        if self.generation:
            await self._put(after)
        else:
            self._snapshot = after

    async def _put(self, after: Snapshot) -> None:
        before = self._snapshot
        if before.generation and same_but_for_generation(before, after):
            return
        self._snapshot = msgspec.structs.replace(after, generation=before.generation + 1)
        await self._publisher.publish(self._snapshot)

    def _revoked(self) -> tuple[str, ...]:
        now = time()
        self._ended_here = {one: at for one, at in self._ended_here.items() if now - at < self._lifetimes.access}
        stored = revoked_sessions(self._stored.of(self._sessions.lister), self._lifetimes, now)
        return tuple(sorted({*stored, *self._ended_here}))
