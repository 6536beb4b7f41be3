"""Authorization codes (RFC 6749 4.1, RFC 7636): for one client, one redirect URI and one PKCE challenge; good once.

A code is the beginning of a session: the session is stored when the user agrees, with the digest of the code, and lies
there until the code is redeemed. So redeeming it is one compare-and-swap, whichever replica gets it; a code that comes
a second time is known for one, and ends the session that it began (RFC 9700 4.5). Pure.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

import msgspec

LIFETIME: Final = 60
CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
"""What S256 makes of any verifier (RFC 7636 4.2)."""
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")
_CODE: Final = re.compile(r"([0-9a-f]{24})\.([A-Za-z0-9_-]{43})\Z")


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a code: nothing that it could be redeemed with. `redeemed_at` 0: not yet."""

    digest: str
    redirect_uri: str
    challenge: str
    nonce: str
    expires_at: int
    redeemed_at: int = 0


@dataclass(frozen=True, slots=True)
class Redemption:
    """What a client shows for a code. Its repr has nothing secret."""

    code: str
    redirect_uri: str
    verifier: str

    def __repr__(self) -> str:
        return f"Redemption({self.redirect_uri!r})"


def new_code(session: str, redirect_uri: str, challenge: str, nonce: str, now: int) -> tuple[str, Code]:
    """A code for a session, and what to store of it."""
    secret = secrets.token_urlsafe(32)
    stored = Code(
        digest=_digest(secret), redirect_uri=redirect_uri, challenge=challenge, nonce=nonce, expires_at=now + LIFETIME
    )
    return f"{session}.{secret}", stored


def session_of(code: str) -> str | None:
    """The id of the session that a code begins; None when nothing of ours looks so."""
    found = _CODE.match(code)
    return found[1] if found else None


def judge(stored: Code, shown: Redemption, now: int) -> Literal["good", "replayed"] | str:
    """Whether the code may be redeemed: `good`, `replayed`, or what is wrong with it, in words."""
    found = _CODE.match(shown.code)
    if found is None or not hmac.compare_digest(_digest(found[2]), stored.digest):
        return "the code is not known"
    if stored.redeemed_at:
        return "replayed"
    if now >= stored.expires_at:
        return "the code has expired"
    if shown.redirect_uri != stored.redirect_uri:
        return "the code was sent to another redirect_uri"
    if not _proves(shown.verifier, stored.challenge):
        return "code_verifier does not fit the code_challenge"
    return "good"


def _proves(verifier: str, challenge: str) -> bool:
    """A verifier without a challenge is refused, too: somebody has taken the challenge out of the request."""
    if not challenge:
        return not verifier
    if not _VERIFIER.match(verifier):
        return False
    made = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
