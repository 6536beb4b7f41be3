"""Tickets: our own word to ourselves that goes through somebody else's browser, signed, typed and with an end.

What a log-in page or an identity provider has to give back to us (which request this belongs to, who agreed to what)
travels in one, so nothing is stored until somebody has agreed. A ticket can be read by whoever carries it and is no
credential anywhere. To be good once only is for what it leads to.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dovetail.iam.tokens import TokenIssuer, TokenVerifier


class Tickets:
    """Seals and opens. `verifier` gives one by the keys of now."""

    def __init__(self, issuer: TokenIssuer, verifier: Callable[[], TokenVerifier]) -> None:
        self._issuer = issuer
        self._verifier = verifier

    def seal(self, kind: str, content: Mapping[str, Any], lifetime: int, now: float) -> str:
        """A ticket of a kind: it opens as that kind only. No claim of JWTs can be in the content."""
        return self._issuer.ticket(f"ticket:{kind}", content, int(now) + lifetime, now)

    def open(self, kind: str, text: str, now: float) -> dict[str, Any]:
        """The content, among the claims of the ticket. Raises InvalidToken."""
        return self._verifier().ticket(f"ticket:{kind}", text, now)
