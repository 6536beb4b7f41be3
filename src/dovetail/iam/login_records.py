"""The login history: LoginRecords of users, written behind the log-in's back, few and not for ever.

A log-in is noted and goes on; writing happens in a task, from a line that has an end. A success is one record. Failures
are not: of each (user, address) one is written in a while, with how many there were since the last one, and of each
user some a while, so that nobody can fill the cluster by guessing. Names that are no user's leave no record (the audit
log has them). Records go when they are old, when a user has too many of them, and with their user.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex
from time import time
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import GROUP, LOGINRECORDS, USERS, VERSION
from dovetail.apis.labels import USER_REF
from dovetail.iam.lockout import place_of
from dovetail.kube.client import Client
from dovetail.kube.errors import KubeError, NotFound
from dovetail.kube.objects import labels_of
from dovetail.kube.timestamps import rfc3339

_LONGEST_LINE: Final = 1000
_REMEMBERED: Final = 10_000
_LABEL_LENGTH: Final = 63
_SWEEP_SECONDS: Final = 3600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records stay, how many a user has, and how many failures are written down in how many seconds."""

    seconds: float = 7 * 24 * 3600.0
    per_user: int = 100
    window: float = 600.0
    failures_per_user: int = 20


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A try to log in. `type` is Password, OAuth or Token; `reason` says why it failed."""

    user: str
    success: bool
    address: str = ""
    agent: str = ""
    type: str = "Password"
    provider: str = ""
    reason: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Gone:
    """A user who is no more."""

    user: str


@dataclass(slots=True)
class _Failures:
    since: float
    written: int = 0
    unwritten: int = 0


class FailureBudget:
    """Which failures are written down: the first of each place in a window, and so many of a user. Bounded."""

    def __init__(self, retention: Retention) -> None:
        self._rules = retention
        self._counts: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def spend(self, attempt: LoginAttempt) -> LoginAttempt | None:
        """The failure as it should be written, or None."""
        place = self._count(attempt.user, place_of(attempt.address), attempt.at)
        user = self._count(attempt.user, "", attempt.at)
        if place.written or user.written >= self._rules.failures_per_user:
            place.unwritten += 1
            return None
        missed, place.unwritten = place.unwritten, 0
        place.written += 1
        user.written += 1
        return replace(attempt, reason=f"{attempt.reason} ({missed} more before)") if missed else attempt

    def _count(self, user: str, place: str, now: float) -> _Failures:
        count = self._counts.setdefault((user, place), _Failures(now))
        if now - count.since >= self._rules.window:
            count.since, count.written = now, 0
        self._counts.move_to_end((user, place))
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return count


class LoginRecords:
    """Notes log-ins; run `run` in a task. `list_of` reads a user's history."""

    def __init__(self, client: Client, retention: Retention | None = None, clock: Callable[[], float] = time) -> None:
        self._client = client
        self._rules = retention or Retention()
        self._clock = clock
        self._budget = FailureBudget(self._rules)
        self._line: asyncio.Queue[LoginAttempt | Gone] = asyncio.Queue(_LONGEST_LINE)

    def note(self, attempt: LoginAttempt) -> None:
        """Have a try written down, if it should be. Does not wait; what does not fit into the line is logged."""
        noted: LoginAttempt | None = replace(attempt, at=self._clock())
        if not noted.success:
            noted = self._budget.spend(noted)
        if noted is None:
            return
        self._put(noted)

    def forget(self, user: str) -> None:
        """Have the records of a user who is gone deleted: whoever gets the name next has no history."""
        self._put(Gone(user))

    def _put(self, work: LoginAttempt | Gone) -> None:
        try:
            self._line.put_nowait(work)
        except asyncio.QueueFull:
            _log.warning("a log-in is not written down", extra={"fields": {"user": work.user}})

    async def run(self) -> None:
        """Write until cancelled, and sweep now and then."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write_forever())
            group.create_task(self._sweep_forever())

    async def list_of(self, user: str) -> list[dict[str, Any]]:
        """The records of a user, the latest first."""
        if len(user) > _LABEL_LENGTH:
            return []
        found = await self._client.list(LOGINRECORDS, label_selector=f"{USER_REF}={user}")
        return sorted(found.items, key=_age, reverse=True)

    async def familiar(self, user: str, place: str) -> bool:
        """Whether the user has logged in from a place (`lockout.place_of`) before."""
        try:
            records = await self.list_of(user)
        except KubeError:
            return False
        return any(
            one["spec"].get("success") and place_of(str(one["spec"].get("sourceIP", ""))) == place for one in records
        )

    async def drained(self) -> None:
        """Wait until what was noted is written."""
        await self._line.join()

    async def _write_forever(self) -> None:
        while True:
            work = await self._line.get()
            try:
                await (self._write(work) if isinstance(work, LoginAttempt) else self._forget_all(work.user))
            except KubeError as error:
                fields = {"user": work.user, "reason": error}
                _log.warning("a log-in is not written down", extra={"fields": fields})
            finally:
                self._line.task_done()

    async def _write(self, attempt: LoginAttempt) -> None:
        await self._client.create(LOGINRECORDS, record(attempt))
        if attempt.success:
            stamp = rfc3339(datetime.fromtimestamp(attempt.at, UTC))
            await self._client.patch(USERS, attempt.user, {"status": {"lastLoginTime": stamp}}, subresource="status")
        for surplus in (await self.list_of(attempt.user))[self._rules.per_user :]:
            await self._forget(surplus)

    async def _forget_all(self, user: str) -> None:
        for obj in await self.list_of(user):
            await self._forget(obj)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except KubeError as error:
                _log.warning("old login records stay a little longer", extra={"fields": {"reason": error}})

    async def sweep(self) -> int:
        """Delete what is old, and what belongs to nobody any more; how many went."""
        oldest = rfc3339(datetime.fromtimestamp(self._clock() - self._rules.seconds, UTC))
        gone = 0
        users: dict[str, bool] = {}
        for obj in (await self._client.list(LOGINRECORDS, metadata_only=True)).items:
            user = labels_of(obj).get(USER_REF, "")
            if _age(obj)[0] < oldest or not await self._exists(user, users):
                await self._forget(obj)
                gone += 1
        return gone

    async def _exists(self, user: str, known: dict[str, bool]) -> bool:
        if user not in known:
            try:
                await self._client.get(USERS, user)
                known[user] = True
            except NotFound:
                known[user] = False
        return known[user]

    async def _forget(self, obj: Mapping[str, Any]) -> None:
        try:
            await self._client.delete(LOGINRECORDS, str(obj["metadata"]["name"]))
        except NotFound:
            return


def record(attempt: LoginAttempt) -> dict[str, Any]:
    """The LoginRecord of a try."""
    name = f"{attempt.user[:200].rstrip('-.')}-{token_hex(5)}"
    labels = {USER_REF: attempt.user} if len(attempt.user) <= _LABEL_LENGTH else {}
    spec: dict[str, Any] = {
        "type": attempt.type, "provider": attempt.provider, "sourceIP": attempt.address, "userAgent": attempt.agent,
        "success": attempt.success, "reason": attempt.reason,
    }  # fmt: skip
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "LoginRecord", "metadata": metadata, "spec": spec}


def _age(obj: Mapping[str, Any]) -> tuple[str, str]:
    return str(obj["metadata"].get("creationTimestamp", "")), str(obj["metadata"].get("resourceVersion", "")).zfill(20)
