"""What statements mean, read one by one against every state there could be: the oracle of explanations."""

import itertools
from collections.abc import Iterable, Mapping

from dovetail.lifecycle.dependencies.catalogue import Situation
from dovetail.lifecycle.dependencies.ranges import fits
from dovetail.lifecycle.dependencies.statements import (
    Asked,
    AskedVersion,
    Kept,
    Needs,
    Pinned,
    Removed,
    Statement,
    Stays,
    Wants,
)


class Reading:
    """All states of the extensions that the statements are about."""

    def __init__(self, situation: Situation, about: Iterable[Statement]) -> None:
        names = sorted({name for one in about for name in _names(one)})
        self._states: list[dict[str, str]] = []
        for chosen in itertools.product(*(["", *_offered(situation, name)] for name in names)):
            self._states.append({name: version for name, version in zip(names, chosen, strict=True) if version})

    def possible(self, statements: Iterable[Statement]) -> bool:
        wanted = [*statements]
        return any(self.holds(wanted, state) for state in self._states)

    def holds(self, statements: Iterable[Statement], state: Mapping[str, str]) -> bool:
        return all(_true(one, state) for one in statements)


def _names(one: Statement) -> tuple[str, ...]:
    return (one.extension, one.target) if isinstance(one, Needs) else (one.extension,)


def _offered(situation: Situation, name: str) -> list[str]:
    versions = [one.version for one in situation.catalogue.versions(name)]
    held = situation.installed.get(name)
    return [*versions, held.version] if held is not None and held.version not in versions else versions


def _true(one: Statement, state: Mapping[str, str]) -> bool:
    version = state.get(one.extension, "")
    match one:
        case Asked() | Stays():
            return bool(version)
        case Removed():
            return not version
        case AskedVersion(_, range, exactly):
            return not version or (version == exactly if exactly else fits(range, version))
        case Pinned(_, kept) | Kept(_, kept):
            return version in ("", kept)
        case Needs(_, versions, target, range):
            return version not in versions or (target in state and fits(range, state[target]))
        case Wants(_, versions):
            return version not in versions
