"""One session as a value, and the rules of refresh token rotation.

A session begins with a log-in and counts its refresh tokens: the token of generation n is good once and brings the one
of n + 1. Using an older one means that somebody else has it: the session ends at once, for both (RFC 9700 4.14.2). The
one exception is the token just before the latest, for a few seconds: two tabs of a browser that refresh at the same
time, or an answer that got lost, are given the latest generation again.

The count is the whole secret-free state: a token's signature proves its generation, so nothing stored can be used to
log in. Pure; times are whole seconds of the epoch.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Literal

import msgspec

from dovetail.apis.labels import MANAGED_BY, SYSTEM_NAMESPACE
from dovetail.iam.authorization_codes import Code, Redemption, judge
from dovetail.iam.tokens import CLOCK_SKEW, Lifetimes

SECRET_TYPE = "dovetail.dev/session"
KIND_LABEL = "dovetail.dev/session"
USER_LABEL = "dovetail.dev/session-user"
DATA_KEY = "session.json"
NAME_PREFIX = "dovetail-session-"
SELECTOR = f"{KIND_LABEL}=true"

GRACE = 10
"""Seconds for which the token just before the latest still answers with the latest generation."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A log-in and what became of it. `ended_at` 0: it goes on."""

    id: str
    user: str
    uid: str
    client: str
    created_at: int
    refreshed_at: int
    expires_at: int
    """When the latest refresh token expires."""
    generation: int = 1
    ended_at: int = 0
    used_at: float = 0.0
    """Its last use that is written down (`dovetail.iam.idleness`); the real one may be a little later."""
    scope: str = ""
    identity_only: bool = False
    """Its access tokens tell who the user is and are good for nothing else: the client is not trusted."""
    access_life: int = 0
    idle_life: int = 0
    """The client's own lifetimes of access and refresh tokens; 0 for those of the platform."""
    auth_time: int = 0
    """When the user showed a credential, where that was before the session began."""
    parent: str = ""
    """The session of the browser in which the user agreed."""
    code: Code | None = None
    """The authorization code that begins it."""

    @property
    def authenticated_at(self) -> int:
        return self.auth_time or self.created_at


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a client holds a session; the fields are those of `Session`."""

    scope: str = ""
    identity_only: bool = False
    access_life: int = 0
    idle_life: int = 0
    auth_time: int = 0
    parent: str = ""


_PLAIN = Terms()


@dataclass(frozen=True, slots=True)
class Turn:
    """What using a refresh token leads to: `session` is the new state, unchanged for `repeat`."""

    outcome: Literal["rotated", "repeat", "replayed", "over"]
    session: Session


def begin(
    session: str, user: str, uid: str, client: str, lifetimes: Lifetimes, now: int, terms: Terms = _PLAIN,
    code: Code | None = None,
) -> Session:  # fmt: skip
    """A new session; one with a code lasts as long as the code does, until that is redeemed."""
    made = Session(
        id=session, user=user, uid=uid, client=client, created_at=now, refreshed_at=now,
        expires_at=code.expires_at if code else 0, code=code, scope=terms.scope, identity_only=terms.identity_only,
        access_life=terms.access_life, idle_life=terms.idle_life, auth_time=terms.auth_time,
        parent=terms.parent,
    )  # fmt: skip
    return made if code else msgspec.structs.replace(made, expires_at=_until(made, lifetimes, now))


def redeem(session: Session, shown: Redemption, lifetimes: Lifetimes, now: int) -> Session | str:
    """The session after its code was shown, which is ended when that was not for the first time; or what is wrong."""
    if session.code is None:
        return "the code is not known"
    verdict = judge(session.code, shown, now)
    if verdict == "replayed":
        return end(session, now)
    if verdict != "good" or session.ended_at:
        return "the session has ended" if verdict == "good" else verdict
    code = msgspec.structs.replace(session.code, redeemed_at=now)
    return msgspec.structs.replace(session, code=code, refreshed_at=now, expires_at=_until(session, lifetimes, now))


def lifetimes_of(session: Session, platform: Lifetimes) -> Lifetimes:
    """The session's own, where its client has any."""
    return replace(platform, access=session.access_life or platform.access, idle=session.idle_life or platform.idle)


def _until(session: Session, lifetimes: Lifetimes, now: int) -> int:
    own = lifetimes_of(session, lifetimes)
    return min(now + own.idle, session.created_at + own.session)


def turn(session: Session, generation: int, lifetimes: Lifetimes, now: int) -> Turn:
    """Use the refresh token of `generation`."""
    if session.ended_at or now >= session.expires_at:
        return Turn("over", session)
    if generation == session.generation:
        changes = {
            "generation": generation + 1, "refreshed_at": now, "expires_at": _until(session, lifetimes, now),
        }  # fmt: skip
        return Turn("rotated", msgspec.structs.replace(session, **changes))
    if generation == session.generation - 1 and now - session.refreshed_at <= GRACE:
        return Turn("repeat", session)
    return Turn("replayed", end(session, now))


def end(session: Session, now: int) -> Session:
    """The session, ended."""
    return session if session.ended_at else msgspec.structs.replace(session, ended_at=now)


def forgettable(session: Session, lifetimes: Lifetimes, now: int) -> bool:
    """Whether neither a refresh token nor an access token of the session can still be good."""
    if session.code is not None and not session.code.redeemed_at:  # it never had a token
        return now > session.code.expires_at + CLOCK_SKEW
    last = session.ended_at or session.expires_at
    return now > last + lifetimes_of(session, lifetimes).access + CLOCK_SKEW


def revoked_sessions(sessions: Iterable[Session], lifetimes: Lifetimes, now: float) -> tuple[str, ...]:
    """The ended sessions whose access tokens might still look good: what a snapshot has to carry. Sorted."""
    ended = (session for session in sessions if session.ended_at and not forgettable(session, lifetimes, int(now)))
    return tuple(sorted(session.id for session in ended))


def user_label(user: str) -> str:
    """A label value for any user name: labels end at 63 characters, names do not."""
    return sha256(user.encode()).hexdigest()[:40]


def secret(session: Session) -> dict[str, Any]:
    """The Secret that keeps a session."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": NAME_PREFIX + session.id,
            "namespace": SYSTEM_NAMESPACE,
            "labels": {
                MANAGED_BY: "dovetail",
                KIND_LABEL: "true",
                USER_LABEL: user_label(session.user),
            },
        },
        "type": SECRET_TYPE,
        "data": {DATA_KEY: b64encode(msgspec.json.encode(session)).decode()},
    }


def from_secret(obj: Mapping[str, Any]) -> Session | None:
    """The session that a Secret keeps; None for any other Secret."""
    try:
        session = msgspec.json.decode(b64decode(obj["data"][DATA_KEY]), type=Session)
        return session if obj["metadata"]["name"] == NAME_PREFIX + session.id else None
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError):
        return None


class StoredSessions:
    """Reads the session Secrets of a lister again and again; what has not changed since is not read again."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[str, Session | None]] = {}

    def of(self, secrets: Iterable[Mapping[str, Any]]) -> list[Session]:
        """The sessions that these Secrets keep."""
        read: dict[str, tuple[str, Session | None]] = {}
        for obj in secrets:
            metadata: Mapping[str, Any] = obj.get("metadata") or {}
            name, version = metadata.get("name", ""), metadata.get("resourceVersion", "")
            before = self._read.get(name)
            read[name] = before if before is not None and before[0] == version else (version, from_secret(obj))
        self._read = read
        return [session for _, session in read.values() if session is not None]
