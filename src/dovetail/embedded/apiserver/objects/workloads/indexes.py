"""Sets of completion indexes as text: ``0,2-4,7``."""

from __future__ import annotations

from ...gotext import quoted


class IndexesMalformed(ValueError):
    """Not such a set; the text is that of Kubernetes."""


def intervals(text: str, completions: int) -> list[tuple[int, int]]:
    """The intervals, in rising order. Raises IndexesMalformed."""
    found: list[tuple[int, int]] = []
    for item in text.split(",") if text else []:
        low, high = _interval(item, completions)
        if found and found[-1][1] >= low:
            raise IndexesMalformed(f"non-increasing order, previous: {found[-1][1]}, current: {low}")
        found.append((low, high))
    return found


def count(text: str, completions: int) -> int:
    """How many indexes there are. Raises IndexesMalformed."""
    return sum(high - low + 1 for low, high in intervals(text, completions))


def overlap(completed: str, failed: str, completions: int) -> int | None:
    """The first index that is in both, or None. Malformed sets overlap with nothing: others report them."""
    try:
        left, right = intervals(completed, completions), intervals(failed, completions)
    except IndexesMalformed:
        return None
    return min((max(a, c) for a, b in left for c, d in right if a <= d and c <= b), default=None)


def _interval(item: str, completions: int) -> tuple[int, int]:
    limits = item.split("-")
    if len(limits) > 2:
        why = "violates the requirement that an index interval can have at most two parts separated by '-'"
        raise IndexesMalformed(f"the fragment {quoted(item)} {why}")
    low = _index(limits[0], completions)
    high = _index(limits[1], completions) if len(limits) > 1 else low
    if len(limits) > 1 and low >= high:
        raise IndexesMalformed(f"non-increasing order, previous: {low}, current: {high}")
    return low, high


def _index(text: str, completions: int) -> int:
    if not (text.isascii() and text.isdigit()):
        raise IndexesMalformed(f"cannot convert string to integer for index: {quoted(text)}")
    if int(text) >= completions:
        raise IndexesMalformed(f"too large index: {quoted(text)}")
    return int(text)
