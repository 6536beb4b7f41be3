"""What breaks when an extension goes, as things are installed now. Pure.

Not only who requires it: also who requires those. Whether another version would help is the solver's to say.
"""

from dataclasses import dataclass

from dovetail.lifecycle.dependencies.catalogue import Situation


@dataclass(frozen=True)
class Broken:
    """An installed extension that would lack `target`, which it requires in `range`."""

    extension: str
    version: str
    target: str
    range: str


def broken_without(extension: str, situation: Situation) -> tuple[Broken, ...]:
    """Who would lack something, nearest first, then by name."""
    found: dict[str, Broken] = {}
    nearest = [extension]
    while nearest:
        lost, nearest = nearest, list[str]()
        for name in sorted(situation.installed.keys() - found.keys() - {extension}):
            version = situation.installed[name].version
            for need in situation.candidate(name, version).needs(required=True):
                if need.name in lost:
                    found[name] = Broken(name, version, need.name, need.version)
                    nearest.append(name)
                    break
    return tuple(found.values())
