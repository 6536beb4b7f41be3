"""Regular expressions of authors: RE2 syntax, run by Python's engine, with their work bounded.

RE2 is linear in the text; Python's engine backtracks. What could take exponential time is refused (a repeat of
something that itself repeats or has alternatives), and what could take polynomial time may only look at texts short
enough: `Regexp.max_length` follows from the number of repeats that can trade characters with each other. `$` means the
very end, as in RE2; `$1`, `${1}` and `${name}` in a replacement mean groups.

Not accepted: flags but `(?i)` and `(?s)` at the start, `\\p{..}`, `\\C`, back-references and look-around (RE2 has none
of the latter either).
"""

import functools
import re
import warnings
from typing import Final

from dovetail.routing.errors import BadRegexp, PathTooLong

MAX_EXPRESSION: Final = 512
MAX_TEXT: Final = 8192
EFFORT: Final = 20_000_000
LEAST_USEFUL: Final = 64
MAX_OPTIONS: Final = 10
_POSIX: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "space": r"\t\n\v\f\r ",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_ESCAPES: Final = frozenset("dDwWsSbBAaftnrv")
_FLAGS: Final = re.compile(r"\(\?([is]+)\)")
_GROUP: Final = re.compile(r"\((?:\?(?:P?<([A-Za-z_]\w{0,31})>|:))?(?!\?)")
_POSIX_CLASS: Final = re.compile(r"\[:([a-z]+):\]")
_HEX: Final = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")
_REPEAT: Final = re.compile(r"[*+?]|\{(\d{1,4})(,(\d{0,4}))?\}")
_REFERENCE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})?")


class Regexp:
    """A translated expression. `sub` replaces every match, as Go's ReplaceAllString does."""

    __slots__ = ("_compiled", "_replacement", "max_length")

    def __init__(self, compiled: re.Pattern[str], replacement: str, max_length: int) -> None:
        self._compiled = compiled
        self._replacement = replacement
        self.max_length = max_length

    def sub(self, text: str) -> str:
        """The text with every match replaced. Raises PathTooLong."""
        if len(text) > self.max_length:
            raise PathTooLong(len(text), self.max_length)
        return self._compiled.sub(self._expand, text)

    def fits(self, text: str) -> bool:
        """Whether there is a match from the text's start to its end. Raises PathTooLong."""
        if len(text) > self.max_length:
            raise PathTooLong(len(text), self.max_length)
        return self._compiled.fullmatch(text) is not None

    def _expand(self, found: re.Match[str]) -> str:
        return _REFERENCE.sub(lambda reference: _group(found, reference), self._replacement)


def _group(found: re.Match[str], reference: re.Match[str]) -> str:
    """What a reference in the replacement stands for; an unknown group is empty, as in Go."""
    name = reference[1] or reference[2]
    if name is None:
        return "$"
    try:
        return found[int(name) if name.isdecimal() else name] or ""
    except IndexError:
        return ""


@functools.lru_cache(maxsize=4096)
def compile_regexp(expression: str, replacement: str = "") -> Regexp:
    """An expression made ready. Raises BadRegexp with what to change."""
    if len(expression) > MAX_EXPRESSION:
        raise BadRegexp(expression, f"is longer than {MAX_EXPRESSION} characters")
    flags = _FLAGS.match(expression)
    source, effort = _Translation(expression[flags.end() :] if flags else expression).run()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compiled = re.compile(source, _flags(flags[1] if flags else ""))
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise BadRegexp(expression, f"is no regular expression in RE2 syntax: {error}") from error
    return Regexp(compiled, replacement, effort.max_length(expression))


def _flags(letters: str) -> int:
    chosen = (re.IGNORECASE if "i" in letters else 0) | (re.DOTALL if "s" in letters else 0)
    return re.ASCII | chosen


class _Effort:
    """Counts what makes a backtracking engine try again: repeats without an end, and choices."""

    def __init__(self) -> None:
        self.repeats = 0
        self.options = 0
        self.anchored = False

    def max_length(self, expression: str) -> int:
        degree = self.repeats + (0 if self.anchored else 1)
        if self.options > MAX_OPTIONS:
            raise BadRegexp(expression, f"has more than {MAX_OPTIONS} alternatives and optional parts; split it")
        if degree == 0:
            return MAX_TEXT
        longest = int((EFFORT / 2**self.options) ** (1 / degree))
        if longest < LEAST_USEFUL:
            raise BadRegexp(
                expression, "has too many repeats that overlap; start it with ^ and use [^/]* between slashes"
            )
        return min(longest, MAX_TEXT)


class _Translation:
    """One pass over an expression, from RE2's syntax to Python's."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out: list[str] = []
        self.effort = _Effort()
        self.complexity = 0
        self.groups: list[int] = []
        """For each open group, the complexity (repeats and alternatives) counted before it."""

    def run(self) -> tuple[str, _Effort]:
        self.effort.anchored = self.text.startswith(("^", r"\A"))
        while self.at < len(self.text):
            self._step()
        if self.groups:
            raise self._bad("has a group that is not closed")
        if "|" in self.text:
            self.effort.anchored = False
        return "".join(self.out), self.effort

    def _bad(self, why: str) -> BadRegexp:
        return BadRegexp(self.text, why)

    def _step(self) -> None:
        char = self.text[self.at]
        match char:
            case "(":
                self._open()
            case ")":
                self._close()
            case "|":
                self.effort.options += 1
                self.complexity += 1
                self._emit("|")
            case "$":
                self._emit(r"\Z")
            case "^":
                self._emit("^")
            case "*" | "+" | "?":
                raise self._bad("has a repeat of nothing, or of a repeat")
            case _:
                self._atom(char)

    def _emit(self, piece: str, length: int = 1) -> None:
        self.out.append(piece)
        self.at += length

    def _atom(self, char: str) -> None:
        start = self.at
        if char == "[":
            self._class()
        elif char == "\\":
            self._escape()
        else:
            self._emit(re.escape(char) if char in "{}&~#- " else char)
        self._repeat(self.text[start : self.at], compound=False)

    def _open(self) -> None:
        found = _GROUP.match(self.text, self.at)
        if not found:
            raise self._bad("uses a kind of group that RE2 does not have, or that is not accepted")
        opening = "(?:" if found[0] == "(?:" else "("
        self._emit(f"(?P<{found[1]}>" if found[1] else opening, len(found[0]))
        self.groups.append(self.complexity)

    def _close(self) -> None:
        if not self.groups:
            raise self._bad("closes a group that is not open")
        before = self.groups.pop()
        self._emit(")")
        self._repeat("", compound=self.complexity > before)

    def _repeat(self, atom: str, *, compound: bool) -> None:
        found = _REPEAT.match(self.text, self.at)
        if not found:
            return
        bounded = found[0] == "?" or (found[0].startswith("{") and not found[2] and int(found[1]) <= 64)
        if compound and found[0] != "?":
            raise self._bad("repeats a group that itself repeats or has alternatives")
        self.out.append(found[0])
        self.at = found.end()
        if self.text.startswith("?", self.at):
            self._emit("?")
        self.complexity += 1
        if found[0] == "?":
            self.effort.options += 1
        elif not bounded and not self._settled(atom):
            self.effort.repeats += 1
        if _REPEAT.match(self.text, self.at):
            raise self._bad("has a repeat of a repeat")

    def _settled(self, atom: str) -> bool:
        """A repeat that can end in one place only: `[^/]*` before a slash, or `.*` at the very end."""
        rest = self.text[self.at :].lstrip(")")
        if atom == "[^/]":
            return rest.startswith("/")
        return atom == "." and rest in ("", "$")

    def _escape(self) -> None:
        rest = self.text[self.at + 1 : self.at + 2]
        if rest == "z":
            self._emit(r"\Z", 2)
        elif rest == "Q":
            end = self.text.find(r"\E", self.at)
            literal = self.text[self.at + 2 : end if end >= 0 else None]
            self._emit(re.escape(literal), len(literal) + (4 if end >= 0 else 2))
        elif rest == "x":
            self._hex()
        elif rest in _ESCAPES or (rest and not rest.isalnum() and rest.isascii()):
            self._emit("\\" + rest, 2)
        else:
            raise self._bad(f"has the escape \\{rest}, which is not accepted")

    def _hex(self) -> None:
        found = _HEX.match(self.text, self.at)
        code = int(found[1] or found[2], 16) if found else 1 << 30
        if found is None or code > 0x10FFFF:
            raise self._bad("has an escape \\x without a code")
        self._emit(re.escape(chr(code)), len(found[0]))

    def _class(self) -> None:
        end = self.at + 1
        pieces = ["["]
        if self.text.startswith("^", end):
            pieces.append("^")
            end += 1
        first = True
        while end < len(self.text) and (first or self.text[end] != "]"):
            piece, length = self._class_item(end)
            pieces.append(piece)
            end += length
            first = False
        if end >= len(self.text):
            raise self._bad("has a class of characters that is not closed")
        self._emit("".join([*pieces, "]"]), end + 1 - self.at)

    def _class_item(self, at: int) -> tuple[str, int]:
        text = self.text
        if found := _POSIX_CLASS.match(text, at):
            if found[1] not in _POSIX:
                raise self._bad(f"has the class [:{found[1]}:], which is not accepted")
            return _POSIX[found[1]], len(found[0])
        if text[at] == "\\":
            following = text[at + 1 : at + 2]
            if following in frozenset("dDwWsSaftnrv") or (following and not following.isalnum()):
                return text[at : at + 2], 2
            raise self._bad(f"has the escape \\{following} in a class, which is not accepted")
        if text[at] in "[]&|~":
            return "\\" + text[at], 1
        return text[at], 1
