"""What is told of a user, by scope (OpenID Connect Core 5.4), and the ID token that tells it to a client."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from dovetail.iam.sessions import TokenPair
from dovetail.iam.tokens import TokenIssuer

CLAIMS: Final[Mapping[str, str]] = {
    "preferred_username": "profile", "name": "profile", "locale": "profile", "email": "email",
}  # fmt: skip
"""The scope that each claim takes."""


def claims_of(user: Mapping[str, Any], scope: str | None) -> dict[str, str]:
    """`sub`, and what the scope allows; everything without one (a session of the platform itself)."""
    name, spec = str(user["metadata"]["name"]), user.get("spec", {})
    said = {
        "preferred_username": name, "name": spec.get("displayName"), "email": spec.get("email"),
        "locale": spec.get("lang"),
    }  # fmt: skip
    granted = None if scope is None else set(scope.split())
    told = {key: str(text) for key, text in said.items() if text and (granted is None or CLAIMS[key] in granted)}
    return {"sub": name, **told}


def identity_token(issuer: TokenIssuer, pair: TokenPair, user: Mapping[str, Any], now: float) -> str:
    """The ID token that goes with a pair of tokens."""
    session = pair.session
    more: dict[str, Any] = claims_of(user, session.scope)
    more |= {"auth_time": session.authenticated_at, "at_hash": _half_hash(pair.access)}
    if session.code is not None and session.code.nonce:
        more["nonce"] = session.code.nonce
    return issuer.identity(pair.subject, session.client, more, int(now) + pair.access_seconds, now)


def _half_hash(token: str) -> str:
    """Core 3.1.3.6: the left half of the digest, which is SHA-256 for ES256."""
    return urlsafe_b64encode(sha256(token.encode()).digest()[:16]).rstrip(b"=").decode()
