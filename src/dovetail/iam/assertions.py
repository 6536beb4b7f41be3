"""Assertions: the gateway's word to one backend about who is calling, as a short-lived JWT.

The headers X-Remote-* are only as good as the network between the gateway and a backend. An assertion says the same
under a signature, so it is good over any network, and it names the one backend that it is meant for (`aud`: the
authority by which the gateway calls it), so that a backend cannot use it on another one. It is signed once for a user
and a backend and used again until half of its life is over, so a request costs a look-up.

The key is not the one that signs access tokens, which workers never hold: control makes it, puts its public half under
`/oauth/keys`, and gives it to the workers in the snapshot (`dovetail.iam.assertion_keys` says when the next one takes
over). The header's `typ` and the audience keep an assertion from being taken for an access token, and the verifier of
access tokens does not know its key. `verify` is what a backend does; docs/writing-a-backend.md has it in ten lines.

Pure; workers import this, so it knows nothing of Kubernetes.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from dovetail.iam.errors import InvalidToken
from dovetail.iam.policy import Identity

HEADER: Final = "X-Dovetail-Assertion"
TYPE: Final = "dovetail-assertion+jwt"
ALGORITHM: Final = "ES256"

LIFETIME: Final = 120
"""Seconds for which an assertion is good."""
RENEW_AFTER: Final = 60
"""After so many seconds a new one is signed, so what a backend gets is good for at least the rest."""
CLOCK_SKEW: Final = 5
"""Seconds that a backend's clock may be behind ours without seeing assertions that come from the future."""
LONGEST: Final = 16 << 10


class AssertionKey(msgspec.Struct, frozen=True):
    """What signs: the key's id and its private JWK as JSON text, which its repr does not show."""

    kid: str
    jwk: str

    def __repr__(self) -> str:
        return f"AssertionKey({self.kid!r})"


class PublicKeyLike(Protocol):
    """What verifies: `dovetail.iam.keys.PublicKey`."""

    @property
    def kid(self) -> str: ...
    @property
    def jwk(self) -> str: ...


class AssertionSigner:
    """Signs for one issuer with one key."""

    def __init__(self, issuer: str, key: AssertionKey) -> None:
        self._issuer = issuer
        self._key = ECKey.import_key(json.loads(key.jwk))
        self._header = {"alg": ALGORITHM, "kid": key.kid, "typ": TYPE}

    def sign(self, identity: Identity, audience: str, now: float) -> str:
        """The assertion that `identity` calls the backend `audience`. `now` in seconds of the epoch."""
        claims: dict[str, Any] = {
            "iss": self._issuer,
            "aud": audience,
            "sub": identity.name,
            "uid": identity.uid,
            "groups": list(identity.groups),
            "extra": {key: list(values) for key, values in identity.extra.items()},
            "iat": int(now) - CLOCK_SKEW,
            "exp": int(now) + LIFETIME,
        }
        return jwt.encode(self._header, claims, self._key, algorithms=[ALGORITHM])


def verify(assertion: str, keys: Iterable[PublicKeyLike], issuer: str, audience: str, now: float) -> Identity:
    """Who calls, in the gateway's word to `audience`. Raises InvalidToken."""
    if len(assertion) > LONGEST:
        raise InvalidToken("it is too long")
    try:
        token = jwt.decode(assertion, _chosen({key.kid: key.jwk for key in keys}), algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidToken("the gateway did not sign it") from error
    claims = token.claims
    if token.header.get("typ") != TYPE:
        raise InvalidToken("it is not an assertion")
    if claims.get("iss") != issuer:
        raise InvalidToken("another issuer made it")
    if claims.get("aud") != audience:
        raise InvalidToken("it is meant for another backend")
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= now:
        raise InvalidToken("it has expired")
    return _identity(claims)


def _chosen(keys: Mapping[str, str]) -> Callable[[Any], ECKey]:
    def choose(guest: Any) -> ECKey:
        kid = guest.headers().get("kid")
        if kid not in keys:
            raise InvalidToken("its key is unknown")
        return ECKey.import_key(json.loads(keys[kid]))

    return choose


def _identity(claims: Mapping[str, Any]) -> Identity:
    try:
        return msgspec.convert(
            {"name": claims["sub"], **{field: claims[field] for field in ("uid", "groups", "extra")}}, Identity
        )
    except (KeyError, msgspec.ValidationError) as error:
        raise InvalidToken("a claim is missing or of another type") from error
