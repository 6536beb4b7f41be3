"""`.helmignore`: which files of a directory stay out of a chart.

The syntax is Helm's, not git's: `#` comments, a trailing `/` for directories only, a leading `/` or any inner `/` for
the whole path, otherwise the last part of the path; `!` turns a rule into "ignore whatever does not match"; `**` is not
allowed; the first rule that decides wins. `templates/.?*` is always ignored. Wildcards never cross a `/`.
"""

import re
from dataclasses import dataclass
from typing import Final

from dovetail.packaging.errors import UnreadableTree

IGNORE_FILE: Final = ".helmignore"
_BUILT_IN: Final = "templates/.?*"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: `pattern` is matched against the whole path or only its last part."""

    pattern: re.Pattern[str]
    whole_path: bool
    negated: bool
    directories_only: bool

    def decides(self, path: str, is_directory: bool) -> bool:
        """Whether this rule alone says "ignore"."""
        matched = self.pattern.fullmatch(path if self.whole_path else path.rpartition("/")[2]) is not None
        if self.negated:
            return (self.directories_only and not is_directory) or not matched
        return matched and (is_directory or not self.directories_only)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one file, in order, the built-in one last."""

    rules: tuple[Rule, ...]

    @classmethod
    def parse(cls, text: str) -> "Rules":
        """Read a `.helmignore`. Raises UnreadableTree with the line of a rule that Helm would refuse."""
        lines = [*enumerate(text.splitlines(), start=1), (0, _BUILT_IN)]
        stripped = ((number, line.strip()) for number, line in lines)
        return cls(tuple(_rule(line, number) for number, line in stripped if line and not line.startswith("#")))

    def ignores(self, path: str, *, is_directory: bool = False) -> bool:
        """Whether a path (relative to the chart, `/` between parts) stays out. Folders above it are not looked at."""
        return any(rule.decides(path, is_directory) for rule in self.rules)

    def ignores_file(self, path: str) -> bool:
        """Whether a file stays out, by itself or because a folder above it does."""
        parts = path.split("/")
        folders = ("/".join(parts[:end]) for end in range(1, len(parts)))
        return any(self.ignores(folder, is_directory=True) for folder in folders) or self.ignores(path)


def _rule(line: str, number: int) -> Rule:
    place = f"{IGNORE_FILE}:{number}"
    if "**" in line:
        raise UnreadableTree(place, "** is not supported by Helm", "Name each folder, or use a pattern without a slash")
    text = line[1:] if line.startswith("!") else line
    directories_only = text.endswith("/")
    text = text.removesuffix("/")
    return Rule(_compile(text.removeprefix("/"), place), "/" in text, line.startswith("!"), directories_only)


def _compile(glob: str, place: str) -> re.Pattern[str]:
    out, at = "", 0
    while at < len(glob):
        piece, at = _piece(glob, at, place)
        out += piece
    return re.compile(out, re.DOTALL)


def _piece(glob: str, at: int, place: str) -> tuple[str, int]:
    """The regular expression of the piece of pattern at `at`, and where the next begins."""
    char = glob[at]
    if char == "*":
        return "[^/]*", at + 1
    if char == "?":
        return "[^/]", at + 1
    if char == "[":
        return _class(glob, at, place)
    if char == "\\":
        if at + 1 == len(glob):
            raise UnreadableTree(place, "the pattern ends with a backslash", "Remove the backslash")
        return re.escape(glob[at + 1]), at + 2
    return re.escape(char), at + 1


def _class(glob: str, at: int, place: str) -> tuple[str, int]:
    match = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]").match(glob, at)
    if match is None:
        raise UnreadableTree(place, "a [ is never closed", "Close the [, or write \\[ for the character itself")
    body = re.sub(r"\\(.)|([\[&~|^])", lambda part: "\\" + (part[1] or part[2]), match[2])
    return f"(?!/)[{match[1]}{body}]", match.end()
