"""Where sessions are kept: one small Secret each, in `kubesphere-system` (`dovetail.iam.session` has their form).

Writing is compare-and-swap on the version that was read, so two changes at the same moment are settled by the API.
"""

from typing import Any

from dovetail.apis.labels import SYSTEM_NAMESPACE
from dovetail.iam import session as rules
from dovetail.iam.errors import SessionEnded, SessionStoreBusy
from dovetail.iam.session import Session
from dovetail.kube.client import Client
from dovetail.kube.errors import Conflict, NotFound
from dovetail.kube.resources import SECRETS

TRIES = 8


class SessionStore:
    """The session Secrets of one cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, session: Session) -> None:
        """Keep a new session."""
        await self._client.create(SECRETS, rules.secret(session), SYSTEM_NAMESPACE)

    async def read(self, session: str) -> tuple[dict[str, Any], Session]:
        """The Secret, and the session in it. Raises SessionEnded when there is none."""
        try:
            obj = await self._client.get(SECRETS, rules.NAME_PREFIX + session, SYSTEM_NAMESPACE)
        except NotFound as error:
            raise SessionEnded("it is not known") from error
        stored = rules.from_secret(obj)
        if stored is None:
            raise SessionEnded("it cannot be read")
        return obj, stored

    async def write(self, obj: dict[str, Any], session: Session) -> bool:
        """Write over the version that was read; False when somebody was faster. Raises SessionEnded when it is gone."""
        try:
            await self._client.update(SECRETS, {**obj, "data": rules.secret(session)["data"]})
        except Conflict:
            return False
        except NotFound as error:
            raise SessionEnded("it is not known") from error
        return True

    async def end(self, session: str, now: float) -> None:
        """Write down that a session has ended. Unknown and ended ones are fine. Raises SessionStoreBusy."""
        for _ in range(TRIES):
            try:
                obj, stored = await self.read(session)
                if await self.write(obj, rules.end(stored, int(now))):
                    return
            except SessionEnded:
                return
        raise SessionStoreBusy(session)

    async def going_on(self, user: str) -> list[Session]:
        """A user's sessions that have not ended."""
        label = f"{rules.SELECTOR},{rules.USER_LABEL}={rules.user_label(user)}"
        return [one for one in await self._listed(label) if one.user == user and not one.ended_at]

    async def end_all(self, user: str, now: float) -> None:
        """End every session of a user."""
        for session in await self.going_on(user):
            await self.end(session.id, now)

    async def all(self) -> list[Session]:
        """Every session that is kept."""
        return await self._listed(rules.SELECTOR)

    async def forget(self, session: str) -> None:
        """Delete it; fine if it is gone."""
        try:
            await self._client.delete(SECRETS, rules.NAME_PREFIX + session, SYSTEM_NAMESPACE)
        except NotFound:
            return

    async def _listed(self, label: str) -> list[Session]:
        found = await self._client.list(SECRETS, SYSTEM_NAMESPACE, label_selector=label)
        return [session for obj in found.items if (session := rules.from_secret(obj)) is not None]
