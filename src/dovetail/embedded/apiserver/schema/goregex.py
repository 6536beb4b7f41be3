"""Go regular expressions (RE2) in Python.

The syntaxes agree on what schemas use but for a few words (``$``, ``\\z``, POSIX classes, ``\\pL``, Go's flags), which
``translate`` rewrites. RE2 runs in linear time and Python's ``re`` does not, so a pattern that could take long there (a
repetition inside a repetition, or several in a row) is run by ``automaton`` instead. Raises ValueError, with Go's
words, for what Go's regexp refuses (look-around, back references, repetitions over 1000).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .automaton import Automaton, NotRegular, is_risky

_LENGTH = 100_000


@dataclass(frozen=True, eq=False)
class GoRegex:
    """A compiled pattern; ``python`` is its translation."""

    pattern: str
    python: re.Pattern[str]

    def search(self, text: str) -> bool:
        """Whether the pattern matches anywhere."""
        if self._automaton is None:
            return self.python.search(text) is not None
        return self._automaton.search(text)

    @cached_property
    def _automaton(self) -> Automaton | None:
        if not is_risky(self.python.pattern):
            return None
        try:
            return Automaton(self.python.pattern)
        except NotRegular:
            return None

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Every match, leftmost-first as in Go. Raises ValueError when that could take long."""
        if self._automaton is not None and len(text) > 2000:
            raise ValueError("the text is too long for this regular expression")
        return self.python.finditer(text)


@lru_cache(maxsize=1024)
def translate(pattern: str) -> GoRegex:
    if len(pattern) > _LENGTH:
        raise ValueError("error parsing regexp: expression too large")
    _refuse(pattern)
    try:
        return GoRegex(pattern, re.compile("".join(_pieces(pattern))))
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(_words(pattern, str(error))) from error


_GROUP = re.compile(r"\(\?(?:P?<[A-Za-z_]\w*>|[imsU]*(?:-[imsU]+)?[:)])")
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_ESCAPES = frozenset("abBdDsSwWfnrtvAzpPQExC01234567")


def _refuse(pattern: str) -> None:
    """What Python would take and Go does not."""
    depth, index, in_class = 0, 0, False
    while index < len(pattern):
        char = pattern[index]
        if char == "\\":
            after = pattern[index + 1 : index + 2]
            if not after:
                raise ValueError("error parsing regexp: trailing backslash at end of expression: ``")
            if after.isalnum() and (after not in _ESCAPES or (in_class and after in "bBAzQEC")):
                raise ValueError(f"error parsing regexp: invalid escape sequence: `\\{after}`")
            if after in "123456789" and not re.match(r"[0-7]{2,3}", pattern[index + 1 :]):
                raise ValueError(f"error parsing regexp: invalid escape sequence: `\\{after}`")
            index += 2
            continue
        if in_class:
            in_class = char != "]" or pattern[index - 1] == "[" or pattern[index - 2 : index] == "[^"
        elif char == "[":
            in_class = True
        elif char == "(":
            depth += 1
            if pattern.startswith("(?", index) and not _GROUP.match(pattern, index):
                raise ValueError(
                    f"error parsing regexp: invalid or unsupported Perl syntax: `{pattern[index : index + 3]}`"
                )
            if depth > 250:
                raise ValueError("error parsing regexp: expression nests too deeply")
        elif char == ")":
            depth -= 1
        elif char == "{" and (found := _REPEAT.match(pattern, index)):
            if max(int(found[1]), int(found[2] or 0)) > 1000:
                raise ValueError(f"error parsing regexp: invalid repeat count: `{found[0]}`")
        elif char in "*+?}" and pattern[index + 1 : index + 2] == "+":
            raise ValueError(
                f"error parsing regexp: invalid nested repetition operator: `{pattern[index : index + 2]}`"
            )
        index += 1


def _words(pattern: str, problem: str) -> str:
    """Python's complaint in Go's words, where they are known."""
    for mine, theirs in _COMPLAINTS:
        if mine in problem:
            return f"error parsing regexp: {theirs.format(pattern=pattern, rest=_rest(pattern, problem))}"
    return f"error parsing regexp: {problem}"


_COMPLAINTS = (
    ("missing ), unterminated subpattern", "missing closing ): `{pattern}`"),
    ("unbalanced parenthesis", "unexpected ): `{pattern}`"),
    ("unterminated character set", "missing closing ]: `{rest}`"),
    ("nothing to repeat", "missing argument to repetition operator: `{rest}`"),
    ("multiple repeat", "invalid nested repetition operator: `{rest}`"),
    ("bad character range", "invalid character class range: `{rest}`"),
)


def _rest(pattern: str, problem: str) -> str:
    at = re.search(r"at position (\d+)", problem)
    rest = pattern[int(at[1]) :] if at else pattern
    if "repeat" in problem:
        return rest[:1] if "nothing" in problem else pattern[max(int(at[1]) - 1, 0) : int(at[1]) + 1] if at else rest
    return rest.partition("]")[0] if "range" in problem else rest


def _pieces(pattern: str) -> list[str]:
    pieces: list[str] = []
    in_class, index = False, 0
    while index < len(pattern):
        char = pattern[index]
        if char == "\\" and index + 1 < len(pattern):
            piece, index = _escape(pattern, index, in_class)
            pieces.append(piece)
            continue
        if char == "[" and in_class:
            end = pattern.find(":]", index) if pattern.startswith("[:", index) else -1
            pieces.append(_posix(pattern[index : end + 2]) if end > 0 else r"\[")
            index = end + 2 if end > 0 else index + 1
            continue
        if char == "[":
            in_class = True
            if pattern[index + 1 : index + 2] == "]" or pattern[index + 1 : index + 3] == "^]":
                skip = pattern.index("]", index) + 1
                pieces.append(pattern[index : skip - 1] + r"\]")
                index = skip
                continue
        elif char == "]":
            in_class = False
        elif in_class and char in "&|~" and pattern[index + 1 : index + 2] == char:
            pieces.append("\\")  # Python reserves doubled signs in sets
        elif char == "(" and pattern.startswith("(?<", index):
            pieces.append("(?P<")
            index += 3
            continue
        pieces.append(r"\Z" if char == "$" and not in_class else char)
        index += 1
    return pieces


def _escape(pattern: str, index: int, in_class: bool) -> tuple[str, int]:
    """The translation of an escape and where it ends."""
    after = pattern[index + 1]
    if after == "z" and not in_class:
        return r"\Z", index + 2
    if after == "Q":
        end = pattern.find("\\E", index)
        end = len(pattern) if end < 0 else end
        return re.escape(pattern[index + 2 : end]), end + 2
    if after == "x" and pattern[index + 2 : index + 3] == "{":
        end = pattern.find("}", index)
        code = int(pattern[index + 3 : end], 16) if end > 0 else 0x110000
        if code > 0x10FFFF:
            raise ValueError(f"error parsing regexp: invalid escape sequence: `{pattern[index : index + 4]}`")
        return re.escape(chr(code)), end + 1
    if after in "pP":
        return _property(pattern, index, in_class)
    # Perl classes are ASCII in Go
    ascii_class = _PERL.get(after)
    if ascii_class is not None:
        if in_class:
            return (ascii_class, index + 2) if after.islower() else (_OUTSIDE[after], index + 2)
        return f"[{'^' if after.isupper() else ''}{ascii_class}]", index + 2
    return pattern[index : index + 2], index + 2


_PERL = {name: text for pair, text in (("dD", "0-9"), ("sS", r"\t\n\f\r "), ("wW", "0-9A-Za-z_")) for name in pair}
_OUTSIDE = {
    "D": "\x00-/:-\U0010ffff",
    "S": "\x00-\x08\x0b\x0e-\x1f!-\U0010ffff",
    "W": "\x00-/:-@\\[-^`{-\U0010ffff",
}
# Python has no property classes; these are near enough, and every other one is refused.
_PROPERTIES = {"L": r"^\W\d_", "Lu": "A-ZÀ-ÖØ-Þ", "Ll": "a-zß-öø-ÿ", "N": r"\d", "Nd": r"\d"}


def _property(pattern: str, index: int, in_class: bool) -> tuple[str, int]:
    braced = pattern[index + 2 : index + 3] == "{"
    end = pattern.find("}", index) if braced else index + 2
    name = pattern[index + 3 : end] if braced else pattern[index + 2 : index + 3]
    known = _PROPERTIES.get(name)
    if known is None or (in_class and known[0] == "^"):
        raise ValueError(f"error parsing regexp: invalid character class range: `{pattern[index : end + 1]}`")
    if in_class:
        return known, end + 1
    negated = pattern[index + 1] == "P"
    if known[0] == "^":
        return (f"[{known}]" if not negated else f"(?:[{known[1:]}])"), end + 1
    return f"[{'^' if negated else ''}{known}]", end + 1


_POSIX = {
    "[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:digit:]": "0-9", "[:lower:]": "a-z", "[:upper:]": "A-Z",
    "[:space:]": r"\s", "[:word:]": "0-9A-Za-z_", "[:xdigit:]": "0-9A-Fa-f", "[:punct:]": r"!-/:-@\[-`{-~",
    "[:blank:]": r"\t ", "[:cntrl:]": "\x00-\x1f\x7f", "[:graph:]": "!-~", "[:print:]": " -~", "[:ascii:]": "\x00-\x7f",
}  # fmt: skip


def _posix(name: str) -> str:
    if name not in _POSIX:
        raise ValueError(f"error parsing regexp: invalid character class range: `{name}`")
    return _POSIX[name]
