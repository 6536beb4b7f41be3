"""What a registry asks for when it says 401: a password, or a token from somebody else. Pure."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Challenge:
    """`realm` is where tokens come from; empty when the registry wants the password itself."""

    realm: str = ""
    service: str = ""
    scope: str = ""

    def url(self, scope: str) -> str:
        """Where to ask for a token that is good for a scope."""
        wanted = {"service": self.service, "scope": self.scope or scope}
        query = urlencode({name: value for name, value in wanted.items() if value})
        joint = "&" if "?" in self.realm else "?"
        return f"{self.realm}{joint}{query}" if query else self.realm


def read(header: str) -> Challenge | None:
    """A WWW-Authenticate header; None if it asks for something else."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "basic":
        return Challenge()
    if scheme.lower() != "bearer":
        return None
    given = dict(_PARAMETER.findall(rest))
    if not given.get("realm", "").startswith(("https://", "http://")):
        return None
    return Challenge(given["realm"], given.get("service", ""), given.get("scope", ""))
