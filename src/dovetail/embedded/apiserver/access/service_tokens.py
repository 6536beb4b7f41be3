"""Service account tokens: signed here, bound to an account (and perhaps a pod or secret), expiring.

A token is a JWT (ES256) with the claims of Kubernetes' bound tokens. Verification needs the signature, the time, the
audience, and that what the token is bound to still exists with the same uid. joserfc and cryptography are imported on
first use: most starts need neither.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from ..storage.records import ObjectKey
from ..storage.store import Store
from .identity import User, authenticated

ISSUER = "https://kubernetes.default.svc.cluster.local"
DEFAULT_SECONDS, MINIMUM_SECONDS, MAXIMUM_SECONDS = 3600, 600, 1 << 32
_CACHE = 1024


@dataclass(frozen=True, slots=True)
class BoundObject:
    """What a token dies with: ``kind`` is Pod, Secret or Node."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Verified:
    user: User
    audiences: tuple[str, ...]


class ServiceTokens:
    """``read_key`` gives the PEM of the signing key; called on first use."""

    def __init__(self, store: Store, read_key: Callable[[], bytes], clock: Callable[[], float] = time.time) -> None:
        self._store, self._read_key, self._clock = store, read_key, clock
        self._claims: dict[bytes, Mapping[str, Any]] = {}  # by digest: tokens are not kept

    @cached_property
    def _key(self) -> Any:
        from joserfc.jwk import ECKey

        key = ECKey.import_key(self._read_key())
        return ECKey.import_key(self._read_key(), {"kid": key.thumbprint(), "alg": "ES256", "use": "sig"})

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self._key.as_dict(private=False)]}

    def issue(
        self, namespace: str, name: str, uid: str, audiences: Sequence[str], seconds: int, bound: BoundObject | None
    ) -> tuple[str, float]:
        """The token and the time at which it expires (seconds since the epoch)."""
        from joserfc import jwt

        now = int(self._clock())
        kubernetes: dict[str, Any] = {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}}
        if bound is not None:
            kubernetes[bound.kind.lower()] = {"name": bound.name, "uid": bound.uid}
        claims = {
            "aud": list(audiences) or [ISSUER], "exp": now + seconds, "iat": now, "nbf": now, "iss": ISSUER,
            "jti": str(uuid.uuid4()), "kubernetes.io": kubernetes, "sub": f"system:serviceaccount:{namespace}:{name}",
        }  # fmt: skip
        header = {"alg": "ES256", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"]), now + seconds

    def verify(self, token: str, audiences: Sequence[str] = ()) -> Verified | None:
        """The user of a valid token for one of ``audiences`` (default: this API), else None."""
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._claims.get(digest) or self._decode(token, digest)
        now = self._clock()
        if claims is None or not claims.get("nbf", 0) - 5 <= now < claims.get("exp", 0) or claims.get("iss") != ISSUER:
            return None
        shared = tuple(audience for audience in audiences or (ISSUER,) if audience in claims.get("aud", ()))
        if not shared or not self._alive(claims["kubernetes.io"]):
            return None
        return Verified(_user(claims), shared)

    def _decode(self, token: str, digest: bytes) -> Mapping[str, Any] | None:
        from joserfc import jwt
        from joserfc.errors import JoseError

        if token.count(".") != 2:
            return None
        try:
            claims = jwt.decode(token, self._key, algorithms=["ES256"]).claims
        except (JoseError, ValueError):
            return None
        if not isinstance(claims.get("kubernetes.io"), dict):
            return None
        if len(self._claims) >= _CACHE:
            self._claims.clear()
        self._claims[digest] = claims
        return claims

    def _alive(self, bound: Mapping[str, Any]) -> bool:
        namespace = str(bound.get("namespace", ""))
        checks = [("/serviceaccounts", "serviceaccount"), ("/pods", "pod"), ("/secrets", "secret")]
        return all(
            self._has(ObjectKey(resource, namespace, bound[claim]["name"]), bound[claim]["uid"])
            for resource, claim in checks
            if claim in bound
        )

    def _has(self, key: ObjectKey, uid: str) -> bool:
        record = self._store.get(key)
        return record is not None and orjson.loads(record.value)["metadata"]["uid"] == uid


def _user(claims: Mapping[str, Any]) -> User:
    bound = claims["kubernetes.io"]
    namespace, account = bound["namespace"], bound["serviceaccount"]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    extra = {"authentication.kubernetes.io/credential-id": (f"JTI={claims.get('jti', '')}",)}
    if "pod" in bound:
        extra["authentication.kubernetes.io/pod-name"] = (bound["pod"]["name"],)
        extra["authentication.kubernetes.io/pod-uid"] = (bound["pod"]["uid"],)
    return authenticated(f"system:serviceaccount:{namespace}:{account['name']}", groups, account["uid"], **extra)
