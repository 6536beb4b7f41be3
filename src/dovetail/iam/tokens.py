"""Tokens: JWTs signed with ES256, and what makes one good.

An access token says who (`sub`, and `uid` of the User object, so that a name used again is not the same person) and
in which session (`sid`); it never says what the user may do or which groups he is in: those are looked up when it is
used. A refresh token is good for one use in one session: `gen` counts the uses (`dovetail.iam.sessions`).

`TokenVerifier` is made from a snapshot and lives as long as it. It checks, in this order: size, algorithm (ES256 and
nothing else), key id, signature, issuer, audience, token type, times, that the account exists, is the same one and is
not disabled, that the token is younger than the account's last password change, that the session is not revoked.
Workers import this module, so it knows nothing of Kubernetes.
"""

import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from dovetail.iam.errors import InvalidToken
from dovetail.iam.policy import Account, Identity
from dovetail.iam.rules import AUTHENTICATED, PRE_REGISTRATION

AUDIENCE = "dovetail"
USERINFO = "dovetail/userinfo"
"""The audience of access tokens that tell who somebody is, and are good for nothing else."""
ALGORITHMS = ["ES256"]
ACCESS: Literal["access_token"] = "access_token"
REFRESH: Literal["refresh_token"] = "refresh_token"
IDENTITY: Literal["id_token"] = "id_token"
TICKETS = "dovetail/tickets"
NO_SESSION = "-"
"""The session of a token that belongs to none: of a client or a service account, good while its account is."""

TokenType = Literal["access_token", "refresh_token"]

CLOCK_SKEW = 10
"""Seconds that another replica's clock may be ahead when it stamps `iat`."""
MAX_TOKEN_LENGTH = 4096
MAX_TICKET_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """In seconds. A session ends `idle` after its last refresh and in any case `session` after its log-in."""

    access: int = 2 * 3600
    idle: int = 24 * 3600
    session: int = 30 * 24 * 3600


class SigningKeyLike(Protocol):
    """What signs: `dovetail.iam.keys.SigningKey`."""

    @property
    def kid(self) -> str: ...
    @property
    def key(self) -> ECKey: ...


class PublicKeyLike(Protocol):
    """What verifies: `keys.PublicKey`, or the snapshot's `VerificationKey`."""

    @property
    def kid(self) -> str: ...
    @property
    def jwk(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is for: the account and the session."""

    user: str
    uid: str
    session: str


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A good access token: who, until when (seconds of the epoch), in which session, and since when."""

    identity: Identity
    expires_at: float
    session: str
    issued_at: int = 0
    scope: str = ""


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A well-formed refresh token; whether it is still the session's latest one is for the session to say."""

    subject: Subject
    generation: int
    issued_at: int


class TokenIssuer:
    """Signs tokens for one issuer with one key."""

    def __init__(self, issuer: str, key: SigningKeyLike, lifetimes: Lifetimes | None = None) -> None:
        self.issuer = issuer
        self.lifetimes = lifetimes or Lifetimes()
        self._key = key

    def access(
        self, subject: Subject, expires_at: int, now: float, *, life: int = 0, scope: str = "",
        audience: str = AUDIENCE, extra: Mapping[str, list[str]] | None = None,
    ) -> str:  # fmt: skip
        """An access token; `expires_at` in seconds of the epoch, at most `life` or `lifetimes.access` from now."""
        until = min(expires_at, int(now) + (life or self.lifetimes.access))
        more = {key: said for key, said in (("scope", scope), ("extra", extra)) if said}
        return self._sign(subject, ACCESS, int(now), until, more, audience)

    def identity(self, subject: Subject, client: str, claims: Mapping[str, Any], expires_at: int, now: float) -> str:
        """An ID token (OpenID Connect Core 2): it tells a client who the user is, and opens nothing."""
        made = {
            "iss": self.issuer, "sub": subject.user, "aud": client, "iat": int(now), "exp": expires_at,
            "sid": subject.session, "token_type": IDENTITY, **claims,
        }  # fmt: skip
        return self._encoded(made)

    def ticket(self, kind: str, content: Mapping[str, Any], expires_at: int, now: float) -> str:
        """Our own word to ourselves, by way of a browser (`dovetail.iam.tickets`)."""
        made = {"iss": self.issuer, "aud": TICKETS, "iat": int(now), "exp": expires_at, "token_type": kind, **content}
        return self._encoded(made)

    def refresh(self, subject: Subject, generation: int, expires_at: int, now: float) -> str:
        """The refresh token of a session's `generation`."""
        return self._sign(subject, REFRESH, int(now), expires_at, {"gen": generation})

    def _sign(
        self, subject: Subject, kind: TokenType, now: int, expires_at: int, more: Mapping[str, Any],
        audience: str = AUDIENCE,
    ) -> str:  # fmt: skip
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": subject.user,
            "uid": subject.uid,
            "aud": audience,
            "iat": now,
            "exp": expires_at,
            "jti": secrets.token_urlsafe(12),
            "sid": subject.session,
            "token_type": kind,
            **more,
        }
        return self._encoded(claims)

    def _encoded(self, claims: dict[str, Any]) -> str:
        return jwt.encode({"alg": ALGORITHMS[0], "kid": self._key.kid}, claims, self._key.key, algorithms=ALGORITHMS)


class TokenVerifier:
    """Says who a token is, by the keys, accounts and revocations of one moment."""

    def __init__(
        self,
        issuer: str,
        keys: Iterable[PublicKeyLike],
        accounts: Mapping[str, Account],
        revoked: Collection[str] = (),
    ) -> None:
        self._issuer = issuer
        self._keys = {key.kid: _imported(key.jwk) for key in keys}
        self._accounts = accounts
        self._revoked = frozenset(revoked)

    def verify(self, token: str, now: float, audience: str = AUDIENCE) -> VerifiedToken:
        """Who brings this access token. Raises InvalidToken."""
        claims = self._claims(token, ACCESS, now, audience)
        subject = _subject(claims)
        account = self._account(subject, claims["iat"])
        identity = Identity(
            name=subject.user, uid=account.uid, groups=_groups(subject.user, account),
            extra={key: tuple(said) for key, said in claims.get("extra", {}).items()},
        )  # fmt: skip
        scope = claims.get("scope", "")
        return VerifiedToken(identity, float(claims["exp"]), subject.session, claims["iat"], scope)

    def again(self, verified: VerifiedToken) -> VerifiedToken:
        """The same token under the accounts and revocations of this verifier; its signature was checked before.

        The same value when nothing about the user has changed. Raises InvalidToken.
        """
        before = verified.identity
        account = self._account(Subject(before.name, before.uid, verified.session), verified.issued_at)
        groups = _groups(before.name, account)
        if groups == before.groups:
            return verified
        again = Identity(name=before.name, uid=before.uid, groups=groups, extra=before.extra)
        return replace(verified, identity=again)

    def verify_refresh(self, token: str, now: float) -> RefreshToken:
        """Read a refresh token; neither its account nor its session is looked at. Raises InvalidToken."""
        claims = self._claims(token, REFRESH, now)
        return RefreshToken(subject=_subject(claims), generation=_whole(claims, "gen"), issued_at=claims["iat"])

    def session_of(self, token: str, now: float) -> Subject | None:
        """The subject of any token we signed and that has not expired, whatever became of its account; for logout."""
        for kind, audience in ((ACCESS, AUDIENCE), (REFRESH, AUDIENCE), (ACCESS, USERINFO)):
            try:
                return _subject(self._claims(token, kind, now, audience))
            except InvalidToken:
                continue
        return None

    def ticket(self, kind: str, text: str, now: float) -> dict[str, Any]:
        """The content of a ticket. Raises InvalidToken."""
        return self._claims(text, kind, now, TICKETS, MAX_TICKET_LENGTH)

    def identity_hint(self, token: str, now: float) -> dict[str, Any]:
        """The claims of an ID token of ours, however old it is (OpenID Connect RP-Initiated Logout 2)."""
        claims = self._signed(token)
        self._check_made_here(claims, IDENTITY, now)
        return claims

    def _account(self, subject: Subject, issued_at: int) -> Account:
        account = self._accounts.get(subject.user)
        if account is None or account.uid != subject.uid:
            raise InvalidToken("its user does not exist any more")
        if account.disabled:
            raise InvalidToken("its user is disabled")
        if issued_at < account.tokens_not_before:
            raise InvalidToken("it is older than the user's password")
        if subject.session in self._revoked:
            raise InvalidToken("its session was ended")
        return account

    def _claims(
        self, token: str, kind: str, now: float, audience: str = AUDIENCE, longest: int = MAX_TOKEN_LENGTH
    ) -> dict[str, Any]:
        claims = self._signed(token, longest)
        if claims.get("aud") != audience:
            raise InvalidToken("it is meant for another service")
        self._check_made_here(claims, kind, now)
        if _whole(claims, "exp") <= now:
            raise InvalidToken("it has expired")
        return claims

    def _check_made_here(self, claims: Mapping[str, Any], kind: str, now: float) -> None:
        if claims.get("iss") != self._issuer:
            raise InvalidToken("another issuer made it")
        if claims.get("token_type") != kind:
            raise InvalidToken(f"it is not of type {kind}")
        if _whole(claims, "iat") > now + CLOCK_SKEW:
            raise InvalidToken("it comes from the future")

    def _signed(self, token: str, longest: int = MAX_TOKEN_LENGTH) -> dict[str, Any]:
        """The claims under a signature of ours."""
        if len(token) > longest:
            raise InvalidToken("it is too long")
        try:
            return jwt.decode(token, self._key, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise InvalidToken("it was not signed by this platform") from error

    def _key(self, guest: Any) -> ECKey:
        kid = guest.headers().get("kid")
        if not isinstance(kid, str) or kid not in self._keys:
            raise InvalidToken("its key is unknown")
        return self._keys[kid]


@lru_cache(maxsize=64)
def _imported(jwk: str) -> ECKey:
    return ECKey.import_key(json.loads(jwk))


def _groups(user: str, account: Account) -> tuple[str, ...]:
    return account.groups if user == PRE_REGISTRATION else (*account.groups, AUTHENTICATED)


def _subject(claims: Mapping[str, Any]) -> Subject:
    return Subject(user=_text(claims, "sub"), uid=_text(claims, "uid"), session=_text(claims, "sid"))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidToken(f"claim {name} is missing")
    return value


def _whole(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidToken(f"claim {name} is not a whole number")
    return value
