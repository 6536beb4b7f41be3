"""Globs: patterns in which `*` stands for any run of characters, slashes too.

Matching is linear. Two patterns that overlap have a witness, a text that both match.
"""

from typing import Final

_ANY: Final = "\x00"
"""In `_tokens`: exactly one character that is not a slash."""


class Glob:
    """A pattern made ready: literal parts between the stars."""

    __slots__ = ("_head", "_least", "_middle", "_tail", "literal")

    def __init__(self, pattern: str) -> None:
        head, *rest = pattern.split("*")
        if not rest:
            raise ValueError(f"{pattern!r} has no star")
        self._head = head
        self._tail = rest[-1]
        self._middle = tuple(part for part in rest[:-1] if part)
        self.literal = len(pattern) - pattern.count("*")
        self._least = self.literal

    def matches(self, path: str) -> bool:
        """Whether the whole path fits. Each middle part is taken at its leftmost place, which loses no match."""
        if len(path) < self._least or not path.startswith(self._head) or not path.endswith(self._tail):
            return False
        end = len(path) - len(self._tail)
        at = len(self._head)
        for part in self._middle:
            found = path.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return at <= end


def literal_length(pattern: str) -> int:
    """How many characters of a pattern are not stars: the more, the more specific."""
    return len(pattern) - pattern.count("*")


def compatible(first: str, second: str) -> bool:
    """Whether what stands before the first star, and after the last, allows both to match the same text. Cheap."""
    (a_head, _, _), (b_head, _, _) = first.partition("*"), second.partition("*")
    (_, _, a_tail), (_, _, b_tail) = first.rpartition("*"), second.rpartition("*")
    heads = a_head.startswith(b_head) or b_head.startswith(a_head)
    return heads and (a_tail.endswith(b_tail) or b_tail.endswith(a_tail))


def witness(first: str, second: str) -> str | None:
    """A text that both patterns match (stars or none in either); None when there is none.

    One in which each star stands for something is preferred, as such a path is free of empty segments.
    """
    if not compatible(first, second):
        return None
    strict = _search(_tokens(first, strict=True), _tokens(second, strict=True))
    return strict if strict is not None else _search(_tokens(first, strict=False), _tokens(second, strict=False))


def _tokens(pattern: str, *, strict: bool) -> list[str]:
    tokens: list[str] = []
    for char in pattern:
        tokens += [_ANY, "*"] if char == "*" and strict else [char]
    return tokens


def _search(first: list[str], second: list[str]) -> str | None:
    """Walk both token lists at once, depth first; a state is a place in each. At most len * len states."""
    goal = (len(first), len(second))
    came_from: dict[tuple[int, int], tuple[tuple[int, int], str]] = {}
    seen = {(0, 0)}
    stack = [(0, 0)]
    while stack:
        state = stack.pop()
        if state == goal:
            return _spell(state, came_from)
        for following, char in _steps(first, second, *state):
            if following not in seen:
                seen.add(following)
                came_from[following] = (state, char)
                stack.append(following)
    return None


def _steps(first: list[str], second: list[str], i: int, j: int) -> list[tuple[tuple[int, int], str]]:
    a = first[i] if i < len(first) else ""
    b = second[j] if j < len(second) else ""
    steps: list[tuple[tuple[int, int], str]] = []
    if a and b and a != "*" and b != "*":
        char = _common(a, b)
        return [((i + 1, j + 1), char)] if char else []
    if a == "*":
        steps.append(((i + 1, j), ""))
        if b and b != "*":
            steps.append(((i, j + 1), "x" if b == _ANY else b))
    if b == "*":
        steps.append(((i, j + 1), ""))
        if a and a != "*":
            steps.append(((i + 1, j), "x" if a == _ANY else a))
    return steps


def _common(a: str, b: str) -> str:
    """One character that two tokens, neither a star, both accept; empty when there is none."""
    if a == _ANY and b == _ANY:
        return "x"
    if a == _ANY:
        return "" if b == "/" else b
    if b == _ANY:
        return "" if a == "/" else a
    return a if a == b else ""


def _spell(state: tuple[int, int], came_from: dict[tuple[int, int], tuple[tuple[int, int], str]]) -> str:
    chars: list[str] = []
    while state in came_from:
        state, char = came_from[state]
        chars.append(char)
    return "".join(reversed(chars))
