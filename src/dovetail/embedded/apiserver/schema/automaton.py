"""Regular expressions in linear time: a state set instead of backtracking, as RE2 works.

The pattern (in Python's syntax, parsed by Python's own parser) becomes a nondeterministic automaton; sets of its states
are the states of a deterministic one, which is built while it runs and kept up to a limit. It only says whether there
is a match. What is not regular (look-around, back references) raises NotRegular.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any

with warnings.catch_warnings():  # the parser's old module name warns in Python 3.11
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_constants as c
    import sre_parse

_STATES = 60_000
_KEPT = 2_000
_REPEAT_MAX = int(c.MAXREPEAT)
Parsed = Any
# The kinds of states: a character test, an assertion, a fork, the end.
_CHAR, _ASSERT, _FORK, _END = range(4)


class NotRegular(ValueError):
    """The pattern needs backtracking, or far too many states."""


def is_risky(pattern: str) -> bool:
    """Whether Python's matcher could take more than about the length of the text, twice."""
    return _risk(sre_parse.parse(pattern)) > 1


def _risk(parsed: Parsed) -> float:
    """How many repetitions can compete for the same text: a long one counts 1, an optional part a little, and anything
    with a choice inside of a long one too much.
    """
    total = 0.0
    for op, value in parsed:
        if op in (c.MAX_REPEAT, c.MIN_REPEAT):
            low, high, body = value
            inner = _risk(body)
            many = high is c.MAXREPEAT or high > 16
            total += (1 + inner * 10) if many else inner + (0.2 if low != high else 0)
        elif op is c.SUBPATTERN:
            total += _risk(value[-1])
        elif op is c.BRANCH:
            total += max(map(_risk, value[1]), default=0.0) + 0.2
    return total


class Automaton:
    """A pattern, ready to search."""

    def __init__(self, pattern: str) -> None:
        self._states: list[tuple[int, Any, int]] = []
        parsed = sre_parse.parse(pattern)
        self._flags: int = parsed.state.flags
        end = self._add(_END, None, -1)
        self._start = self._sequence(parsed, end)
        self._known: dict[tuple[frozenset[int], str], frozenset[int] | None] = {}

    def search(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the text."""
        before = ""
        current: frozenset[int] = frozenset()
        asserting = self._asserts
        for char in [*text, ""]:
            key = (current, char if not asserting else f"{before}\0{char}")
            found = self._known.get(key, False)
            if found is False:
                found = self._step(current, before, char)
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[key] = found
            if found is None:
                return True
            current, before = found, char  # pyright: ignore[reportAssignmentType]
        return False

    @property
    def _asserts(self) -> bool:
        return any(kind == _ASSERT for kind, _, _ in self._states)

    def _step(self, current: Iterable[int], before: str, char: str) -> frozenset[int] | None:
        """The states after one more character ("" is the end of the text); None when the end was reached."""
        reached: set[int] = set()
        pending = [*current, self._start]
        after: set[int] = set()
        while pending:
            state = pending.pop()
            if state in reached:
                continue
            reached.add(state)
            kind, what, then = self._states[state]
            if kind == _END:
                return None
            if kind == _FORK:
                pending.extend(what)
            elif kind == _ASSERT:
                if what(before, char):
                    pending.append(then)
            elif char and what(char):
                after.add(then)
        return frozenset(after)

    # -- building, from the end to the start

    def _add(self, kind: int, what: Any, then: int) -> int:
        if len(self._states) >= _STATES:
            raise NotRegular
        self._states.append((kind, what, then))
        return len(self._states) - 1

    def _sequence(self, parsed: Parsed, then: int) -> int:
        for op, value in reversed(list(parsed)):
            then = self._one(op, value, then)
        return then

    def _one(self, op: Any, value: Any, then: int) -> int:
        if op in (c.LITERAL, c.NOT_LITERAL, c.ANY, c.IN):
            return self._add(_CHAR, self._test(op, value), then)
        if op in (c.MAX_REPEAT, c.MIN_REPEAT):
            low, high, body = value
            return self._repeat(low, high, body, then)
        if op is c.BRANCH:
            return self._add(_FORK, [self._sequence(branch, then) for branch in value[1]], -1)
        if op is c.SUBPATTERN:
            return self._group(value, then)
        if op is c.AT:
            return self._add(_ASSERT, _position(value, self._flags), then)
        raise NotRegular

    def _group(self, value: Any, then: int) -> int:
        _, added, removed, body = value
        flags = self._flags
        self._flags = (flags | added) & ~removed
        start = self._sequence(body, then)
        self._flags = flags
        return start

    def _repeat(self, low: int, high: Any, body: Parsed, then: int) -> int:
        if high is c.MAXREPEAT or high >= _REPEAT_MAX:
            loop = self._add(_FORK, [], -1)
            self._states[loop][1].extend((self._sequence(body, loop), then))
            then = loop
        else:
            out = then
            for _ in range(high - low):
                then = self._add(_FORK, [self._sequence(body, then), out], -1)
        for _ in range(low):
            then = self._sequence(body, then)
        return then

    def _test(self, op: Any, value: Any) -> Callable[[str], bool]:
        """A test for one character: Python's own matcher on a pattern of one set."""
        ignored = bool(self._flags & re.IGNORECASE)
        if op is c.LITERAL and not ignored:
            return chr(value).__eq__
        if op is c.ANY:
            return (lambda char: True) if self._flags & re.DOTALL else (lambda char: char != "\n")
        matches = re.compile(_set(op, value), re.IGNORECASE if ignored else 0).match
        return lambda char: matches(char) is not None


def _set(op: Any, value: Any) -> str:
    if op in (c.LITERAL, c.NOT_LITERAL):
        return f"[{'^' if op is c.NOT_LITERAL else ''}{_char(value)}]"
    negated = value[0][0] is c.NEGATE
    return f"[{'^' if negated else ''}{''.join(_member(*item) for item in value[negated:])}]"


def _member(op: Any, value: Any) -> str:
    if op is c.LITERAL:
        return _char(value)
    if op is c.RANGE:
        return f"{_char(value[0])}-{_char(value[1])}"
    if op is c.CATEGORY:
        return _CATEGORIES[str(value)]
    raise NotRegular


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d", "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_SPACE": r"\s", "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w", "CATEGORY_NOT_WORD": r"\W",
}  # fmt: skip


def _char(code: int) -> str:
    return f"\\U{code:08x}"


def _word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _position(at: Any, flags: int) -> Callable[[str, str], bool]:
    """An assertion on the characters before and after ("" at the ends)."""
    name = str(at)
    lines = bool(flags & re.MULTILINE)
    if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return lambda before, after: not before or (lines and name == "AT_BEGINNING" and before == "\n")
    if name in ("AT_END", "AT_END_STRING"):
        return lambda before, after: not after or (lines and name == "AT_END" and after == "\n")
    if name in ("AT_BOUNDARY", "AT_NON_BOUNDARY"):
        wanted = name == "AT_BOUNDARY"
        return lambda before, after: (_word(before) != _word(after)) is wanted
    raise NotRegular
