"""Semantic versions and the version constraints of the Helm world.

`Version` is SemVer 2: three numbers, a pre-release that sorts before the release, build metadata that does not count.
`Version.parse` is as loose as Helm (`v1.2`, `1`), `strict=True` is not. `Constraint` is the language that charts,
`kubeVersion`, `ksVersion` and `externalDependencies` are written in (Masterminds/semver 3.4, which is inside Helm 4):

    =1.2.3  !=1.2  >1  >=1.19.0-0  <2  <=1.4     comparisons; `=` may be left out
    ~1.2.3  ~>1.2                                the same minor (or major) version
    ^1.2.3  ^0.4                                 up to the next version that may break
    1.2.x   1.*   *                              wildcards
    1.2 - 1.4.5                                  a range, both ends included
    >=1.0 <2.0, !=1.5.0 || 3.x                   blank or comma is "and", || is "or"

A pre-release version satisfies a group only if one constraint of that group has a pre-release itself; that is why
published packages say `>=1.19.0-0`, and why `v1.30.0-tke.1` satisfies it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, total_ordering
from typing import Final

from dovetail.packaging.errors import InvalidConstraint, InvalidVersion

_IDENTIFIERS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_LOOSE: Final = re.compile(rf"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?", re.ASCII)
_STRICT: Final = re.compile(rf"(\d+)\.(\d+)\.(\d+)(?:-({_IDENTIFIERS}))?(?:\+({_IDENTIFIERS}))?", re.ASCII)
_PART: Final = r"(?:\d+|[xX*])"
_WRITTEN: Final = rf"v?({_PART})(?:\.({_PART}))?(?:\.({_PART}))?(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
_OPERATORS: Final = r"(!=|>=|=>|<=|=<|~>|[=><~^]|)"
_COMPARISON: Final = re.compile(rf"{_OPERATORS}\s*{_WRITTEN}", re.ASCII)
_SEPARATOR: Final = re.compile(r"\s*,\s*|\s+")
_RANGE: Final = re.compile(rf"({_WRITTEN})\s+-\s+({_WRITTEN})", re.ASCII)
_LARGEST: Final = 2**64 - 1
_MAX_TEXT: Final = 512


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version. Ordered and compared by SemVer 2 precedence, so build metadata makes no difference."""

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""
    build: str = ""

    @classmethod
    def parse(cls, text: str, *, strict: bool = False) -> "Version":
        """Read a version; `strict` wants three numbers without leading zeros and no `v`. Raises InvalidVersion."""
        match = (_STRICT if strict else _LOOSE).fullmatch(text) if len(text) <= _MAX_TEXT else None
        if match is None:
            raise InvalidVersion(text[:_MAX_TEXT])
        numbers = [part or "0" for part in match.groups()[:3]]
        for part in (*(numbers if strict else ()), *_numeric(match[4])):
            if len(part) > 1 and part.startswith("0"):
                raise InvalidVersion(text, f"{part} starts with a zero")
        major, minor, patch = map(int, numbers)
        if max(major, minor, patch) > _LARGEST:
            raise InvalidVersion(text, "a number is too large")
        return cls(major, minor, patch, match[4] or "", match[5] or "")

    @property
    def release(self) -> tuple[int, int, int]:
        """The three numbers."""
        return self.major, self.minor, self.patch

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: "Version") -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[object, ...]:
        if not self.prerelease:
            return (*self.release, 1)
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease.split("."))
        return (*self.release, 0, parts)

    def __str__(self) -> str:
        tail = (f"-{self.prerelease}" if self.prerelease else "") + (f"+{self.build}" if self.build else "")
        return f"{self.major}.{self.minor}.{self.patch}{tail}"


def _numeric(prerelease: str | None) -> Iterable[str]:
    return (part for part in (prerelease or "").split(".") if part.isdigit())


@dataclass(frozen=True, slots=True)
class Comparison:
    """One comparison. `given` is how many of the three numbers were written before the first wildcard (0 to 3)."""

    operator: str
    version: Version
    given: int

    @property
    def loose(self) -> bool:
        """Whether a wildcard or a missing number leaves room."""
        return self.given < 3

    def accepts(self, version: Version) -> bool:
        """Whether a version satisfies this comparison; pre-releases are judged by the group, not here."""
        return _JUDGES[self.operator](version, self)


@dataclass(frozen=True, slots=True)
class Constraint:
    """Groups of comparisons: one group must hold as a whole."""

    groups: tuple[tuple[Comparison, ...], ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> "Constraint":
        """Read a constraint; blank means `*`, any release. Raises InvalidConstraint."""
        if len(text) > _MAX_TEXT:
            raise InvalidConstraint(text[:_MAX_TEXT])
        return cls(tuple(_group(part, text) for part in text.split("||")), text)

    def accepts(self, version: Version) -> bool:
        """Whether a version satisfies the constraint."""
        return any(_group_accepts(group, version) for group in self.groups)


@lru_cache(maxsize=1024)
def satisfies(constraint: str, version: str) -> bool:
    """Whether a version satisfies a constraint, both as text. A blank constraint asks for nothing: always true.

    Raises InvalidConstraint, InvalidVersion.
    """
    return not constraint.strip() or Constraint.parse(constraint).accepts(Version.parse(version))


def _group(text: str, whole: str) -> tuple[Comparison, ...]:
    rest = _RANGE.sub(lambda match: f">={match[1]} <={match[6]}", text.strip()) if whole.strip() else "*"
    comparisons: list[Comparison] = []
    at = 0
    while True:
        match = _COMPARISON.match(rest, at)
        if match is None:
            raise InvalidConstraint(whole)
        comparisons.append(_comparison(match, whole))
        if match.end() == len(rest):
            return tuple(comparisons)
        separator = _SEPARATOR.match(rest, match.end())
        if separator is None:
            raise InvalidConstraint(whole)
        at = separator.end()


def _comparison(match: re.Match[str], whole: str) -> Comparison:
    operator, *parts, prerelease = match.groups()
    given = next((at for at, part in enumerate(parts) if part is None or part in "xX*"), 3)
    numbers = [part if at < given else "0" for at, part in enumerate(parts)]
    tail = f"-{prerelease}" if prerelease else ""
    try:
        return Comparison(operator or "=", Version.parse(".".join(numbers) + tail), given)
    except InvalidVersion as error:
        raise InvalidConstraint(whole) from error


def _group_accepts(group: tuple[Comparison, ...], version: Version) -> bool:
    if version.prerelease and not any(comparison.version.prerelease for comparison in group):
        return False
    return all(comparison.accepts(version) for comparison in group)


def _equal(version: Version, wanted: Comparison) -> bool:
    return _tilde(version, wanted) if wanted.loose else version == wanted.version


def _not_equal(version: Version, wanted: Comparison) -> bool:
    if wanted.given in (0, 3):
        return version != wanted.version
    if version.release[: wanted.given] != wanted.version.release[: wanted.given]:
        return True
    return wanted.given == 2 and version.prerelease != wanted.version.prerelease


def _greater(version: Version, wanted: Comparison) -> bool:
    if wanted.given in (0, 3) or version.major != wanted.version.major:
        return version > wanted.version
    return wanted.given == 2 and version.minor > wanted.version.minor


def _at_most(version: Version, wanted: Comparison) -> bool:
    if not wanted.loose:
        return version <= wanted.version
    if version.major != wanted.version.major:
        return version.major < wanted.version.major
    return wanted.given == 1 or version.minor <= wanted.version.minor


def _tilde(version: Version, wanted: Comparison) -> bool:
    """~1.2.3: at least that, and the same minor version; ~1: the same major; ~*, and ~0.0.0, anything."""
    if version < wanted.version:
        return False
    if wanted.given == 0 or (wanted.given == 3 and wanted.version.release == (0, 0, 0)):
        return True
    same = 1 if wanted.given == 1 else 2
    return version.release[:same] == wanted.version.release[:same]


def _caret(version: Version, wanted: Comparison) -> bool:
    """^1.2.3: at least that, with the leftmost number that is not zero the same; numbers left out may change."""
    if version < wanted.version:
        return False
    if wanted.given == 0:
        return version.release == (0, 0, 0)
    first = next((at for at, number in enumerate(wanted.version.release) if number), 2)
    same = min(first + 1, wanted.given)
    return version.release[:same] == wanted.version.release[:same]


_JUDGES: Final[Mapping[str, Callable[[Version, Comparison], bool]]] = {
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": lambda version, wanted: version < wanted.version,
    ">=": lambda version, wanted: version >= wanted.version,
    "=>": lambda version, wanted: version >= wanted.version,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}
