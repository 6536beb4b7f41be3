"""Everything a snapshot means, made ready for lookups: immutable from the outside, swapped as one value.

Verified tokens are kept by their digest until they expire. They outlive a swap only if nothing that they were checked
against has changed (keys, accounts, revocations), so a revoked session is refused from the swap on.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from dovetail.gateway.proxy.identity_headers import identity_headers
from dovetail.gateway.proxy.recent import Recent
from dovetail.gateway.snapshot import Snapshot
from dovetail.iam.authorizer import Authorizer
from dovetail.iam.errors import InvalidToken
from dovetail.iam.policy import Identity
from dovetail.iam.tokens import TokenVerifier
from dovetail.routing.matching import Matcher

_MOST_TOKENS = 50_000
_MOST_REJECTED = 2_000
_REJECTED_SECONDS = 5.0
_HALF = 4096
"""Half of how many header values, targets and decisions are remembered, each."""


@dataclass(frozen=True, slots=True, eq=False)
class User:
    """A verified caller with the header lines that name it to backends, rendered once. Equal only to itself."""

    identity: Identity
    remote: bytes
    impersonate: bytes


@dataclass(frozen=True, slots=True)
class _Known:
    user: User | None
    until: float
    problem: str = ""


class Credentials:
    """Who a token is, by the keys, accounts and revocations of one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._verifier = TokenVerifier(
            snapshot.issuer, snapshot.keys, snapshot.policy.accounts, snapshot.revoked_sessions
        )
        self._known: dict[bytes, _Known] = {}
        self._rejected: dict[bytes, _Known] = {}
        self._lately: Recent[bytes, _Known] = Recent(_HALF)

    def lately(self, header: bytes, now: float) -> User | None:
        """The user of a header value that was verified a moment ago. Values that repeat are the same object."""
        known = self._lately.get(header)
        return known.user if known is not None and known.until > now else None

    def remember(self, header: bytes, token: bytes, now: float) -> User | str:
        """Verify the token that a header value holds, for the next time."""
        digest = blake2b(token, digest_size=16).digest()
        known = self._of(digest, token, now)
        if known.user is not None:
            self._lately.put(header, known)
        return known.user or known.problem

    def verify(self, token: bytes, now: float) -> User | str:
        """The user of an access token, or why it is not good. `now` in seconds of the epoch."""
        known = self._of(blake2b(token, digest_size=16).digest(), token, now)
        return known.user or known.problem

    def _of(self, digest: bytes, token: bytes, now: float) -> _Known:
        known = self._known.get(digest)
        if known is None or known.until <= now:
            known = self._rejected.get(digest)
            if known is None or known.until <= now:
                known = self._verify(token, now)
                self._keep(digest, known)
        return known

    def _keep(self, digest: bytes, known: _Known) -> None:
        """Bad tokens have a small store of their own, so that a flood of them cannot push out good ones."""
        store, most = (self._known, _MOST_TOKENS) if known.user else (self._rejected, _MOST_REJECTED)
        if len(store) >= most:
            store.clear()
        store[digest] = known

    def _verify(self, token: bytes, now: float) -> _Known:
        try:
            verified = self._verifier.verify(token.decode("latin-1"), now)
        except InvalidToken as error:
            return _Known(None, now + _REJECTED_SECONDS, str(error))
        identity = verified.identity
        remote = identity_headers(identity, "remote-headers")
        return _Known(User(identity, remote, identity_headers(identity, "impersonate")), verified.expires_at)


class Serving:
    """One snapshot in force. What `admission` found out under it is kept here: where a method and a target lead
    (`places`), and which users may go there (`allowed`)."""

    def __init__(self, snapshot: Snapshot, before: "Serving | None" = None) -> None:
        old = before.snapshot if before else None
        self.snapshot = snapshot
        self.matcher = before.matcher if before and snapshot.table == before.snapshot.table else Matcher(snapshot.table)
        same_policy = old is not None and snapshot.policy == old.policy
        self.authorizer = before.authorizer if before and same_policy else Authorizer(snapshot.policy)
        same_tokens = (
            old is not None
            and same_policy
            and (snapshot.issuer, snapshot.keys, snapshot.revoked_sessions)
            == (old.issuer, old.keys, old.revoked_sessions)
        )
        self.credentials = before.credentials if before and same_tokens else Credentials(snapshot)
        self.places: Recent[tuple[str, bytes], Any] = Recent(_HALF)
        self.allowed: Recent[tuple[User, Any], bool] = Recent(_HALF)
