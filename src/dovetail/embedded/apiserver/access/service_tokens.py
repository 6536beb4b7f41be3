"""Service account tokens: signed here, verified here, remembered until they may have become bad.

A token is a JWT (ES256) with the claims of Kubernetes' bound tokens; legacy tokens, which the token controller signs
with the same key, are verified, too. A good token is kept by its digest (never itself) with its user until it expires
or until an object that it depends on changes; ``changed`` is registered with the store for that. joserfc and
cryptography are imported on first use: most starts need neither.
"""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from ..storage.records import Change, ObjectKey
from ..storage.store import Store
from .claims import ISSUER, LEGACY_ISSUER, TokenRejected, Verified, check

__all__ = ["ISSUER", "BoundTo", "ServiceTokens", "TokenRejected", "Verified"]

DEFAULT_SECONDS, MINIMUM_SECONDS, MAXIMUM_SECONDS = 3600, 600, 1 << 32
WARN_ONLY_SECONDS, EXTENDED_SECONDS = 3607, 365 * 24 * 3600
_KEPT = 4096
_INVALID = "invalid bearer token"


@dataclass(frozen=True, slots=True)
class BoundTo:
    """What a token dies with: claims by kind (``pod``, ``secret``, ``node``), each a name and a uid."""

    claims: Mapping[str, Mapping[str, str]]


class ServiceTokens:
    """``read_key`` gives the PEM of the signing key; called on first use."""

    def __init__(self, store: Store, read_key: Callable[[], bytes], clock: Callable[[], float] = time.time) -> None:
        self._store, self._read_key, self._clock = store, read_key, clock
        self._good: dict[bytes, Verified] = {}
        self._dependents: dict[ObjectKey, set[bytes]] = {}

    @cached_property
    def _key(self) -> Any:
        from joserfc.jwk import ECKey

        key = ECKey.import_key(self._read_key())
        return ECKey.import_key(self._read_key(), {"kid": key.thumbprint(), "alg": "ES256", "use": "sig"})

    def jwks(self) -> dict[str, Any]:
        """Public keys; members in the order in which kube-apiserver writes them."""
        found = self._key.as_dict(private=False)
        return {"keys": [{name: found[name] for name in ("use", "kty", "kid", "crv", "alg", "x", "y")}]}

    def issue(
        self, namespace: str, name: str, uid: str, audiences: Sequence[str], seconds: int, bound: BoundTo
    ) -> tuple[str, float]:
        """The token, and the time at which its holder has to have a new one (seconds since the epoch).

        As kube-apiserver does by default, a token for a pod with the period that kubelets ask for lives for a year:
        clients that never read their file again keep working, and ``warnafter`` tells who they are.
        """
        from joserfc import jwt

        now = int(self._clock())
        kubernetes: dict[str, Any] = {"namespace": namespace, **bound.claims}
        kubernetes["serviceaccount"] = {"name": name, "uid": uid}
        lifetime = seconds
        if "pod" in bound.claims and seconds == WARN_ONLY_SECONDS and list(audiences) == [ISSUER]:
            lifetime, kubernetes["warnafter"] = EXTENDED_SECONDS, now + seconds
        claims = {
            "aud": list(audiences), "exp": now + lifetime, "iat": now, "iss": ISSUER, "jti": str(uuid.uuid4()),
            "kubernetes.io": dict(sorted(kubernetes.items())), "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }  # fmt: skip
        header = {"alg": "ES256", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"]), now + seconds

    def verify(self, token: str, audiences: Sequence[str] = (ISSUER,)) -> Verified:
        """The user of a valid token for one of ``audiences`` (default: this API), with the audiences in common.
        Raises TokenRejected.
        """
        digest = hashlib.sha256(token.encode()).digest()
        known = self._good.get(digest)
        if known is None or self._clock() > known.until:
            known = self._remember(digest, self._check(token))
        if audiences == (ISSUER,) == known.audiences:
            return known
        own = known.audiences or (ISSUER,)
        shared = tuple(audience for audience in own if audience in audiences)
        if not shared:
            raise _rejected(f"token audiences {_list(own)} is invalid for the target audiences {_list(audiences)}")
        return Verified(known.user, shared, known.until, known.depends_on)

    def changed(self, changes: Iterable[Change]) -> None:
        """Forget the tokens that depend on a changed object; each is checked anew when it comes again."""
        if not self._dependents:
            return
        for change in changes:
            for digest in self._dependents.pop(change.key, ()):
                self._good.pop(digest, None)

    def _remember(self, digest: bytes, verified: Verified) -> Verified:
        if len(self._good) >= _KEPT:
            self._good.clear()
            self._dependents.clear()
        self._good[digest] = verified
        for key in verified.depends_on:
            self._dependents.setdefault(key, set()).add(digest)
        return verified

    def _check(self, token: str) -> Verified:
        if _issuer(token) not in (ISSUER, LEGACY_ISSUER):
            raise TokenRejected(_INVALID)
        try:
            return check(self._decode(token), token, self._store.get, self._clock())
        except TokenRejected as error:
            raise _rejected(str(error)) from error

    def _decode(self, token: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(token, self._key, algorithms=["ES256"]).claims
        except (JoseError, ValueError) as error:
            raise TokenRejected("go-jose/go-jose: error in cryptographic primitive") from error
        if claims.get("iss") == ISSUER and not isinstance(claims.get("kubernetes.io"), dict):
            raise TokenRejected("service account token claims could not be validated due to unexpected private claim")
        return claims


def _rejected(why: str) -> TokenRejected:
    return TokenRejected(f"[{_INVALID}, {why}]")


def _issuer(token: str) -> object:
    """What an unverified token says of its issuer: others' tokens are not looked at further."""
    pieces = token.split(".")
    if len(pieces) != 3:
        return None
    try:
        claims: Any = orjson.loads(base64.urlsafe_b64decode(pieces[1] + "=" * (-len(pieces[1]) % 4)))
    except ValueError:
        return None
    return claims.get("iss") if isinstance(claims, dict) else None  # pyright: ignore[reportUnknownVariableType,reportUnknownMemberType]


def _list(values: Iterable[str]) -> str:
    return f"[{' '.join(orjson.dumps(value).decode() for value in values)}]"
