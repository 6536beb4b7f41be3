"""What one version of an extension depends on, as things are installed, and who depends on it. Pure."""

from dataclasses import dataclass
from typing import Literal

from dovetail.lifecycle.dependencies.catalogue import Candidate, Situation
from dovetail.lifecycle.dependencies.impact import Broken, broken_without
from dovetail.lifecycle.dependencies.ranges import fits
from dovetail.lifecycle.dependencies.standing import EXTENSION

Met = Literal["met", "missing", "other version", "not enforced"]


@dataclass(frozen=True)
class Depends:
    """One dependency. `best` is the best version in the range that there is."""

    target: str
    type: str
    range: str
    required: bool
    met: Met
    installed: str
    best: str


@dataclass(frozen=True)
class Overview:
    """`installed` is empty when another version, or none, is in force."""

    extension: str
    version: str
    installed: str
    depends: tuple[Depends, ...]
    needed_by: tuple[Broken, ...]

    @property
    def lacking(self) -> bool:
        """Whether something that is required is not there."""
        return any(one.required and one.met in ("missing", "other version") for one in self.depends)


def overview(situation: Situation, one: Candidate) -> Overview:
    """Of one version."""
    held = situation.installed.get(one.extension)
    depends = tuple(
        Depends(
            need.name,
            need.type,
            need.version,
            need.required,
            "not enforced" if need.type != EXTENSION else _met(situation, need.name, need.version),
            situation.installed[need.name].version if need.name in situation.installed else "",
            next((c.version for c in situation.catalogue.versions(need.name) if fits(need.version, c.version)), ""),
        )
        for need in one.dependencies
    )
    return Overview(
        one.extension, one.version, held.version if held else "", depends, broken_without(one.extension, situation)
    )


def chosen(situation: Situation, extension: str, version: str = "") -> Candidate | None:
    """The version that is meant: the one that is named, else the one in force, else the best that there is."""
    offered = situation.catalogue.versions(extension)
    held = situation.installed.get(extension)
    wanted = version or (held.version if held is not None else offered[0].version if offered else "")
    known = {one.version for one in offered} | ({held.version} if held is not None else set[str]())
    return situation.candidate(extension, wanted) if wanted in known else None


def _met(situation: Situation, target: str, range: str) -> Met:
    held = situation.installed.get(target)
    if held is None:
        return "missing"
    return "met" if fits(range, held.version) else "other version"
