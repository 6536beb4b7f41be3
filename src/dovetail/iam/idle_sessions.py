"""Ends the sessions that nobody uses any more, by what the workers report (`dovetail.iam.idleness` has the rule)."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from time import time
from typing import Any

import msgspec

from dovetail.iam.errors import IamError
from dovetail.iam.idleness import Idleness
from dovetail.iam.session import StoredSessions
from dovetail.iam.sessions import Sessions
from dovetail.kube.errors import KubeError

KIND = "sessions"
"""Of the workers' reports: maps of a session's id to the time of its last use."""
_LONGEST_PAUSE = 15.0

_log = logging.getLogger(__name__)


class IdleSessions:
    """Give `heard` to the report server, and `run` to a task. `stored` gives the session Secrets of a lister."""

    def __init__(
        self, sessions: Sessions, stored: Callable[[], Iterable[Mapping[str, Any]]], rule: Idleness,
        clock: Callable[[], float] = time,
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._stored = stored
        self._rule = rule
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._read = StoredSessions()

    def heard(self, items: list[Any]) -> None:
        """Workers have seen these sessions."""
        for uses in msgspec.convert(items, list[dict[str, float]]):
            for session, at in uses.items():
                self._heard[session] = max(self._heard.get(session, 0.0), at)

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        pause = min(self._rule.slack / 4, _LONGEST_PAUSE)
        while self._rule.timeout:
            await asyncio.sleep(pause)  # first, so that workers can tell what control has not heard while it was away
            try:
                await self.sweep()
            except (KubeError, IamError) as error:
                _log.warning("idle sessions stay a little longer", extra={"fields": {"reason": error}})

    async def sweep(self) -> None:
        """End what has lapsed, and write down what others have to know."""
        now = self._clock()
        known = {session.id: session for session in self._read.of(self._stored()) if not session.ended_at}
        self._heard = {session: at for session, at in self._heard.items() if session in known}
        for session in known.values():
            heard = self._heard.get(session.id, 0.0)
            if self._rule.lapsed(session, heard, now):
                await self._sessions.end(session.id, now)
            elif self._rule.worth_storing(session, heard):
                await self._sessions.touch(session.id, heard)
