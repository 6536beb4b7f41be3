"""Who brings a credential, by the keys, accounts and revocations of one snapshot.

A token is verified once and kept by its digest until it expires; the next snapshot's `Credentials` take what is known
over and look only at what may have changed, the account and the session, so a change of one user costs the others no
signature. A password (Basic) cannot be checked here: the caller is told so (`Unchecked`), has control check it, and
has the answer `learn`t, which is kept the same way, for a while.

The header values of the last minute are kept as they came, so that a client that repeats its header costs one look-up;
`forget_headers` lets go of them. Everything is bounded. What was used is noted by session (`take_uses`) for the idle
timeout: at most once a second for a token, so the notes cost a request a comparison.
"""

import os
from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

from dovetail.gateway.passwords import Verdict
from dovetail.gateway.proxy.identity_headers import assertion_line, identity_headers
from dovetail.gateway.proxy.recent import Recent
from dovetail.gateway.snapshot import Snapshot
from dovetail.iam.assertions import RENEW_AFTER, AssertionSigner
from dovetail.iam.errors import InvalidToken
from dovetail.iam.policy import Identity
from dovetail.iam.rules import AUTHENTICATED
from dovetail.iam.tokens import TokenVerifier, VerifiedToken

_MOST_TOKENS = 50_000
_MOST_REJECTED = 2_000
_MOST_AUDIENCES = 256
_MOST_USES = 50_000
_REJECTED_SECONDS = 5.0
_PASSWORD_SECONDS = 300.0
"""How long a password that control has found right is believed; a change of the user's account ends it at once."""
_NOTE_SECONDS = 1.0
_HALF = 4096
_SALT = os.urandom(16)
"""Of the digests, which are of use in this process only."""


@dataclass(slots=True, eq=False)
class User:
    """A verified caller with the header lines that name it to backends, rendered once. Equal only to itself."""

    verified: VerifiedToken
    """The token, or what stands for it with a password, as it was when this was made."""
    remote: bytes
    impersonate: bytes
    _vouched: dict[str, tuple[float, bytes]] = field(default_factory=dict[str, tuple[float, bytes]])

    @classmethod
    def of(cls, verified: VerifiedToken) -> "User":
        identity = verified.identity
        remote = identity_headers(identity, "remote-headers")
        return cls(verified, remote, identity_headers(identity, "impersonate"))

    @property
    def identity(self) -> Identity:
        return self.verified.identity

    def vouched(self, signer: AssertionSigner, audience: str, now: float) -> bytes:
        """The lines for one backend, with the assertion that it can verify."""
        known = self._vouched.get(audience)
        if known is not None and now < known[0]:
            return known[1]
        if len(self._vouched) >= _MOST_AUDIENCES:
            self._vouched.clear()
        lines = self.remote + assertion_line(signer.sign(self.identity, audience, now))
        self._vouched[audience] = (now + RENEW_AFTER, lines)
        return lines


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A name and a password that control has to look at. The password is not in its repr."""

    digest: bytes
    name: str
    password: str = field(repr=False)


@dataclass(slots=True, eq=False)
class _Known:
    """What is known of one credential; `by` is who looked at the account last. `lapsed`: it was good once."""

    user: User | None
    until: float
    problem: str = ""
    lapsed: bool = False
    by: TokenVerifier | None = None
    noted: float = 0.0


class Credentials:
    """See the module. `before` are those of the snapshot before, which are not used any more after this."""

    def __init__(self, snapshot: Snapshot, before: "Credentials | None" = None) -> None:
        self._snapshot = snapshot
        self._accounts = snapshot.policy.accounts
        self._verifier = TokenVerifier(snapshot.issuer, snapshot.keys, self._accounts, snapshot.revoked_sessions)
        key = snapshot.assertion_key
        self.signer = AssertionSigner(snapshot.issuer, key) if key is not None else None
        same = before is not None and before.signed_like(snapshot)
        self._known: dict[bytes, _Known] = before._known if before is not None and same else {}
        self._uses: dict[str, float] = before._uses if before is not None else {}
        self._rejected: dict[bytes, _Known] = {}
        self._lately: Recent[bytes, _Known] = Recent(_HALF)

    def signed_like(self, snapshot: Snapshot) -> bool:
        """Whether a signature that was good is good under this snapshot, too."""
        mine = self._snapshot
        return (mine.issuer, mine.keys) == (snapshot.issuer, snapshot.keys)

    def suit(self, snapshot: Snapshot) -> bool:
        """Whether these say the same under this snapshot."""
        mine = self._snapshot
        return (
            self.signed_like(snapshot)
            and (mine.revoked_sessions, mine.assertion_key, mine.password_socket)
            == (snapshot.revoked_sessions, snapshot.assertion_key, snapshot.password_socket)
            and (self._accounts is snapshot.policy.accounts or self._accounts == snapshot.policy.accounts)
        )

    def lately(self, header: bytes, now: float) -> User | None:
        """The user of a header value that was read a moment ago. Values that repeat are the same object."""
        known = self._lately.get(header)
        if known is None or known.until <= now:
            return None
        if now - known.noted >= _NOTE_SECONDS:
            self._note(known, now)
        return known.user

    def read(self, header: bytes, now: float) -> User | Unchecked | str:
        """The user of an Authorization header's value, or why it is not good. `now` in seconds of the epoch."""
        scheme, _, rest = header.partition(b" ")
        scheme, rest = scheme.lower(), rest.strip()
        if scheme == b"bearer" and rest:
            known = self._of_token(rest, now)
        elif scheme == b"basic" and rest and self._snapshot.password_socket:
            found = self._of_password(rest, now)
            if not isinstance(found, _Known):
                return found
            known = found
        elif scheme == b"basic":
            return "logging in with a password on each request is not allowed here; send a bearer token"
        else:
            return "the Authorization header is not a bearer token"
        if known.user is not None:
            self._lately.put(header, known)
        return self._used(known, now)

    def verify(self, token: bytes, now: float) -> User | str:
        """The user of an access token, or why it is not good. `now` in seconds of the epoch."""
        return self._used(self._of_token(token, now), now)

    def learn(self, asked: Unchecked, verdict: Verdict, now: float) -> None:
        """Keep what control says of a password: a right one for a while, a wrong one for a moment."""
        account = self._accounts.get(verdict.username) if verdict.username else None
        if account is None or account.disabled:
            problem = verdict.problem or "the user is not known here yet, or not any more; try again"
            self._keep(asked.digest, _Known(None, now + _REJECTED_SECONDS, problem))
            return
        identity = Identity(name=verdict.username, uid=account.uid, groups=(*account.groups, AUTHENTICATED))
        verified = VerifiedToken(identity, now + _PASSWORD_SECONDS, "", int(now) - 1)  # stamps are whole seconds
        known = _Known(User.of(verified), verified.expires_at, by=self._verifier)
        self._keep(asked.digest, known)

    def forget_headers(self) -> None:
        """Let go of the header values as they came; their digests stay."""
        self._lately = Recent(_HALF)

    def take_uses(self) -> dict[str, float]:
        """The sessions that were used since the last call, with the time of the last use that was noted."""
        uses, self._uses = self._uses, {}
        return uses

    def use(self, user: User, now: float) -> None:
        """A session is in use now: a request that lasts."""
        session = user.verified.session
        if session and len(self._uses) < _MOST_USES:
            self._uses[session] = now

    def again(self, user: User) -> Identity | str:
        """Who a user of another snapshot is in this one, or why he is nobody any more."""
        try:
            return self._verifier.again(user.verified).identity
        except InvalidToken as error:
            return str(error)

    def _used(self, known: _Known, now: float) -> User | str:
        if known.user is None:
            return known.problem
        if now - known.noted >= _NOTE_SECONDS:
            self._note(known, now)
        return known.user

    def _note(self, known: _Known, now: float) -> None:
        known.noted = now
        if known.user is not None:
            self.use(known.user, now)

    def _of_token(self, token: bytes, now: float) -> _Known:
        digest = _digest(token, b"token")
        known = self._kept(digest, now)
        if known is None:
            known = self._verify(token, now)
            self._keep(digest, known)
        return known

    def _of_password(self, encoded: bytes, now: float) -> _Known | Unchecked | str:
        digest = _digest(encoded, b"password")
        known = self._kept(digest, now)
        if known is not None and not known.lapsed:
            return known
        try:
            name, colon, password = b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return "the Authorization header is not a name and a password"
        if not colon or not name or not password:
            return "the Authorization header is not a name and a password"
        return Unchecked(digest, name, password)

    def _kept(self, digest: bytes, now: float) -> _Known | None:
        """What is known of a credential, with its account and session as they are in this snapshot."""
        known = self._known.get(digest)
        if known is None or known.until <= now:
            known = self._rejected.get(digest)
            return known if known is not None and known.until > now else None
        if known.by is not self._verifier:
            known = self._again(digest, known, now)
        return known

    def _again(self, digest: bytes, known: _Known, now: float) -> _Known:
        assert known.user is not None
        before = known.user.verified
        try:
            verified = self._verifier.again(before)
        except InvalidToken as error:
            del self._known[digest]
            known = _Known(None, now + _REJECTED_SECONDS, str(error), lapsed=True)
            self._keep(digest, known)
            return known
        if verified is not before:
            known.user = User.of(verified)
        known.by = self._verifier
        return known

    def _keep(self, digest: bytes, known: _Known) -> None:
        """Bad credentials have a small store of their own, so that a flood of them cannot push out good ones."""
        store, most = (self._known, _MOST_TOKENS) if known.user else (self._rejected, _MOST_REJECTED)
        if len(store) >= most:
            for oldest in tuple(islice(store, most // 2)):  # not all at once: those in use would be verified together
                del store[oldest]
        store[digest] = known

    def _verify(self, token: bytes, now: float) -> _Known:
        try:
            verified = self._verifier.verify(token.decode("latin-1"), now)
        except InvalidToken as error:
            return _Known(None, now + _REJECTED_SECONDS, str(error))
        return _Known(User.of(verified), verified.expires_at, by=self._verifier)


def _digest(credential: bytes, kind: bytes) -> bytes:
    return blake2b(credential, digest_size=16, salt=_SALT, person=kind).digest()
