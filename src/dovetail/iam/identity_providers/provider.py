"""What an identity provider is to the platform: it takes a password, or it takes the browser; both end in a `Person`.

A redirect provider gets a `Flow` for each log-in: the secrets that bind it to one browser and to one request.
`finish` is given what the provider sent back through that browser, which nobody vouches for: everything that counts is
fetched or verified there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from dovetail.iam.errors import IamError

Kind = Literal["password", "redirect"]
_LONGEST_SAID: Final = 200


class NotProven(IamError):
    """The provider says no, or what came back proves nothing. The sentence may be shown to whoever is there."""


class ProviderFailed(IamError):
    """The provider does not answer as it should. `problem` is for the log; what is shown names no details."""

    def __init__(self, provider: str, problem: str) -> None:
        self.provider, self.problem = provider, problem
        super().__init__(f"the identity provider {provider} does not answer as it should; ask an administrator")


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is at a provider. `subject` is what the provider calls him for ever; `groups` None where the
    provider is not asked for groups."""

    subject: str
    username: str = ""
    email: str = ""
    display_name: str = ""
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """One log-in by way of the browser. `redirect_uri` is where the provider sends the browser back to."""

    redirect_uri: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class PasswordProvider(Protocol):
    """Takes a name and a password."""

    async def authenticate(self, login: str, password: str) -> Person:
        """Who that is. Raises NotProven, ProviderFailed."""
        ...


class RedirectProvider(Protocol):
    """Takes the browser and sends it back."""

    async def begin(self, flow: Flow) -> str:
        """Where the browser goes. Raises ProviderFailed."""
        ...

    async def finish(self, flow: Flow, answer: Mapping[str, str]) -> Person:
        """Who came back. Raises NotProven, ProviderFailed."""
        ...


def said(words: object) -> str:
    """Words of somebody else, fit to be shown: one line, not long."""
    return "".join(one for one in str(words) if one.isprintable())[:_LONGEST_SAID]
