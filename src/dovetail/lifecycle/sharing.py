"""One extension, several repositories that offer it: which of them gives it. Pure.

The one of the highest `priority`; among equals the one that gives it already, so that nothing changes hands because of
the order of two synchronisations; then the first by name. A repository that stopped offering an extension has no claim
to it, one that is gone neither.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Offer:
    """What a repository is known to offer; `extensions` None means that it was not read yet."""

    priority: int = 0
    extensions: frozenset[str] | None = None

    def includes(self, extension: str) -> bool:
        return self.extensions is not None and extension in self.extensions


def owners(offers: Mapping[str, Offer], giving: Mapping[str, str]) -> dict[str, str]:
    """Which repository gives each extension. `giving` says which one does now."""
    claims: dict[str, list[str]] = {}
    for repository, offer in offers.items():
        for extension in offer.extensions or ():
            claims.setdefault(extension, []).append(repository)
    for extension, repository in giving.items():
        if repository in offers and offers[repository].extensions is None:  # not read yet: it still has its claim
            claims.setdefault(extension, []).append(repository)
    return {extension: _first(claimants, offers, giving.get(extension)) for extension, claimants in claims.items()}


def _first(claimants: Iterable[str], offers: Mapping[str, Offer], giver: str | None) -> str:
    return min(claimants, key=lambda name: (-offers[name].priority, name != giver, name))


def conflicts(repository: str, offers: Mapping[str, Offer], given: Mapping[str, str]) -> list[str]:
    """A sentence for each extension that another repository offers, too."""
    own = offers[repository].extensions or frozenset[str]()
    found: list[str] = []
    for extension in sorted(own):
        others = sorted(name for name, offer in offers.items() if name != repository and offer.includes(extension))
        if others:
            names = ", ".join(f"{name} (priority {offers[name].priority})" for name in sorted({*others, repository}))
            found.append(f"{extension} is offered by {names}; {given.get(extension, repository)} gives it")
    return found
