"""Whether an ID token is good (OpenID Connect Core 3.1.3.7). Pure, given the provider's keys and the time.

Only asymmetric signatures count: `none` is none, and with a shared secret anybody who has seen the client's secret
could make tokens.
"""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from dovetail.iam.identity_providers.provider import NotProven

Json = dict[str, Any]

ALGORITHMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
_IMPORTS: Final[Mapping[str, Any]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_SKEW: Final = 60
_LONGEST: Final = 64 * 1024
_LONGEST_SUBJECT: Final = 255


class UnknownKey(NotProven):
    """None of the keys at hand is the token's: the provider may have new ones."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say."""

    issuer: str
    client: str
    nonce: str = field(repr=False)


def verified(token: str, keys: Iterable[Mapping[str, Any]], expected: Expected, now: float) -> Json:
    """The claims. Raises NotProven, UnknownKey."""
    claims = _signed(token, list(keys))
    if claims.get("iss") != expected.issuer:
        raise NotProven("the ID token is of another issuer")
    _check_audience(claims, expected.client)
    if _time(claims, "exp") <= now - _SKEW:
        raise NotProven("the ID token has expired")
    if _time(claims, "iat") > now + _SKEW or ("nbf" in claims and _time(claims, "nbf") > now + _SKEW):
        raise NotProven("the ID token comes from the future")
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise NotProven("the ID token was not made for this log-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise NotProven("the ID token does not say who it is about")
    return claims


def _check_audience(claims: Mapping[str, Any], client: str) -> None:
    audience: object = claims.get("aud")
    audiences = cast("list[object]", audience) if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if client not in audiences or (len(audiences) > 1 and party is None) or (party is not None and party != client):
        raise NotProven("the ID token is meant for another client")


def _signed(token: str, keys: list[Mapping[str, Any]]) -> Json:
    if len(token) > _LONGEST:
        raise NotProven("the ID token is too long")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise NotProven("the ID token cannot be read") from error
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise NotProven("the ID token is not signed with a key of the provider's own")
    fitting = [key for key in keys if _fits(key, header.get("kid"), algorithm)]
    if not fitting:
        raise UnknownKey("the ID token's key is not known")
    for key in fitting:
        try:
            public = _IMPORTS[ALGORITHMS[algorithm]].import_key(dict(key))
            return jwt.decode(token, public, algorithms=[algorithm]).claims
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    raise NotProven("the ID token's signature is wrong")


def _fits(key: Mapping[str, Any], kid: object, algorithm: str) -> bool:
    return (
        key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    )


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise NotProven(f"the ID token's {name} is missing")
    return float(value)
