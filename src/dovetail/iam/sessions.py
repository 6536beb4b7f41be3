"""Sessions, kept in the cluster: begun at log-in, turned at refresh, ended at logout or by a replayed token.

A session may begin with an authorization code, which a client redeems (`dovetail.iam.authorization_codes`).
Each is kept in the cluster (`dovetail.iam.session_store`), so that it outlives restarts, every replica sees it, and two
refreshes at the same moment are settled by the API's own compare-and-swap. The ended ones stay until
no access token of theirs can be good; control puts their ids into every snapshot (`session.revoked_sessions`).

`ended` is told at once which sessions ended, before the caller's answer goes out, so that control can have the workers
refuse them without waiting for a watch. Accounts are not looked at here beyond what the caller hands in.
"""

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from dovetail.iam import session as rules
from dovetail.iam.authorization_codes import Redemption, new_code, session_of
from dovetail.iam.errors import SessionEnded, SessionStoreBusy
from dovetail.iam.idleness import Idleness
from dovetail.iam.policy import Account
from dovetail.iam.session import Session, Terms
from dovetail.iam.session_store import TRIES, SessionStore
from dovetail.iam.tokens import AUDIENCE, NO_SESSION, USERINFO, Lifetimes, RefreshToken, Subject, TokenIssuer
from dovetail.kube.client import Client

MOST_PER_USER = 50
"""Sessions a user may have; the sweep ends the ones refreshed longest ago."""
_PLATFORM = Terms()

Ended = Callable[[Collection[str]], Awaitable[None]]


async def _nobody(_: Collection[str]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What an authorization request binds its code to."""

    redirect_uri: str
    challenge: str
    nonce: str


AccountOf = Callable[[str], Awaitable[Account | None]]
"""The account of a name, as it is now."""


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a log-in or a refresh gives; the tokens are not in its repr."""

    access: str
    refresh: str
    access_seconds: int
    refresh_seconds: int
    subject: Subject
    session: Session

    def __repr__(self) -> str:
        return f"TokenPair({self.subject!r})"


class Sessions:
    """The sessions of one cluster."""

    def __init__(
        self, client: Client, issuer: TokenIssuer, ended: Ended = _nobody, idleness: Idleness | None = None,
        *, multiple_login: bool = True,
    ) -> None:  # fmt: skip
        self._multiple_login = multiple_login
        self._idleness = idleness or Idleness(0.0)
        self._store = SessionStore(client)
        self._issuer = issuer
        self._ended = ended

    @property
    def lifetimes(self) -> Lifetimes:
        return self._issuer.lifetimes

    async def begin(
        self, user: str, uid: str, client: str, now: float, terms: Terms = _PLATFORM, *, once: str = ""
    ) -> TokenPair:
        """Log in: the credential has been checked by the caller. `once` names what the session begins with, where
        that may begin one session only: AlreadyExists for the next."""
        name = sha256(once.encode()).hexdigest()[:24] if once else secrets.token_hex(12)
        session = rules.begin(name, user, uid, client, self.lifetimes, int(now), terms)
        await self._store.create(session)
        if not self._multiple_login:
            await self.end_all(user, now, but=session.id, client=client)
        return self._pair(session, now)

    async def authorize(self, user: Subject, client: str, asked: Asked, now: float, terms: Terms) -> str:
        """A code that begins a session for a client, when it is redeemed: `redeem`. The user has agreed."""
        name = secrets.token_hex(12)
        code, stored = new_code(name, asked.redirect_uri, asked.challenge, asked.nonce, int(now))
        session = rules.begin(name, user.user, user.uid, client, self.lifetimes, int(now), terms, stored)
        await self._store.create(session)
        return code

    async def redeem(self, shown: Redemption, account: AccountOf, client: str, now: float) -> TokenPair:
        """Trade a code for tokens. Raises SessionEnded, SessionStoreBusy."""
        name = session_of(shown.code)
        if name is None:
            raise SessionEnded("the code is not known")
        for _ in range(TRIES):
            obj, session = await self._store.read(name)
            after = rules.redeem(session, shown, self.lifetimes, int(now))
            if isinstance(after, str):
                raise SessionEnded(after)
            if not after.ended_at:
                self._check_owner(after, await account(after.user), client)
            if not await self._store.write(obj, after):
                continue
            if after.ended_at:
                await self._ended([session.id])
                raise SessionEnded("the code was used twice", replayed=True)
            return self._pair(after, now)
        raise SessionStoreBusy(name)

    async def find(self, session: str) -> Session | None:
        """The session as it is stored now, if it goes on."""
        try:
            _, stored = await self._store.read(session)
        except SessionEnded:
            return None
        return None if stored.ended_at else stored

    async def refresh(self, token: RefreshToken, account: Account | None, client: str, now: float) -> TokenPair:
        """Trade a refresh token for a new pair. Raises SessionEnded, SessionStoreBusy."""
        for _ in range(TRIES):
            obj, session = await self._store.read(token.subject.session)
            self._check_account(token, session, account, client)
            if self._idleness.lapsed(session, 0.0, now):
                raise SessionEnded("it was not used for too long")
            turn = rules.turn(session, token.generation, self.lifetimes, int(now))
            if turn.outcome == "over":
                raise SessionEnded("it has ended")
            if turn.outcome == "repeat":
                return self._pair(turn.session, now)
            if not await self._store.write(obj, turn.session):
                continue
            if turn.outcome == "replayed":
                await self._ended([session.id])
                raise SessionEnded("the refresh token was used twice", replayed=True)
            return self._pair(turn.session, now)
        raise SessionStoreBusy(token.subject.session)

    async def end(self, session: str, now: float) -> None:
        """Log out. Unknown and ended sessions are fine. Raises SessionStoreBusy.

        Tokens that belong to no session share its name, so nothing is ended by one of them: it would be all of them.
        """
        if session == NO_SESSION:
            return
        await self._store.end(session, now)
        await self._ended([session])

    async def touch(self, session: str, used_at: float) -> None:
        """Write down that a session was used. Unknown and ended ones are fine; losing a race is, too."""
        with contextlib.suppress(SessionEnded):
            obj, stored = await self._store.read(session)
            if not stored.ended_at and stored.used_at < used_at:
                await self._store.write(obj, msgspec.structs.replace(stored, used_at=used_at))

    async def end_all(self, user: str, now: float, *, but: str = "", client: str = "") -> None:
        """End every session of a user (at one client, if that is said), but one: password changed, disabled, deleted.

        The workers are told before the first of them is written down: nothing is slower than a password change.
        """
        held = await self._store.going_on(user)
        going = [one.id for one in held if one.id != but and client in ("", one.client)]
        if going:
            await self._ended(going)
        for session in going:
            await self._store.end(session, now)

    async def sweep(self, now: float) -> int:
        """Delete the sessions that do not matter any more and end those beyond a user's limit; how many went."""
        sessions = await self._store.all()
        old = [session for session in sessions if rules.forgettable(session, self.lifetimes, int(now))]
        for session in old:
            await self._store.forget(session.id)
        for session in _surplus(sessions, int(now)):
            await self.end(session.id, now)
        return len(old)

    def _check_account(self, token: RefreshToken, session: Session, account: Account | None, client: str) -> None:
        if (session.user, session.uid) != (token.subject.user, token.subject.uid):
            raise SessionEnded("the token belongs to another one")
        self._check_owner(session, account, client)

    def _check_owner(self, session: Session, account: Account | None, client: str) -> None:
        if session.client != client:
            raise SessionEnded("it belongs to another client")
        if account is None or account.uid != session.uid or account.disabled:
            raise SessionEnded("its user is gone or disabled")
        if session.created_at < account.tokens_not_before:
            raise SessionEnded("the password was changed")

    def _pair(self, session: Session, now: float) -> TokenPair:
        subject = Subject(user=session.user, uid=session.uid, session=session.id)
        life, until = rules.lifetimes_of(session, self.lifetimes).access, session.created_at + self.lifetimes.session
        audience = USERINFO if session.identity_only else AUDIENCE
        return TokenPair(
            access=self._issuer.access(subject, until, now, life=life, scope=session.scope, audience=audience),
            refresh=self._issuer.refresh(subject, session.generation, session.expires_at, now),
            access_seconds=min(life, until - int(now)),
            refresh_seconds=session.expires_at - int(now),
            subject=subject,
            session=session,
        )


def _surplus(sessions: list[Session], now: int) -> list[Session]:
    """The sessions that go on beyond the limit of their user."""
    by_user: dict[str, list[Session]] = {}
    for session in sessions:
        if not session.ended_at and now < session.expires_at:
            by_user.setdefault(session.user, []).append(session)
    latest_first = (sorted(held, key=lambda one: one.refreshed_at, reverse=True) for held in by_user.values())
    return [session for held in latest_first for session in held[MOST_PER_USER:]]
