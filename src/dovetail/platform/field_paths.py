"""Paths into objects, as field selectors and sorting name them: `spec.displayName`, `metadata.labels['a.b/c']`.

Segments are parted by dots; a dot that belongs to a name is written `\\.` or the name stands in brackets and quotes;
`[0]` is an element of a list and `[*]` all of them. A path that leads to a list means each of its elements. What an
object does not have has no values, so that no object can break a query. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

Step = str | int | None
"""A field's name, a position in a list, or None for every element."""
Path = tuple[Step, ...]

_STEP = re.compile(
    r"(?P<dot>^|\.)(?P<name>(?:\\.|[^\\.\[\]'\"\s,=!~])+)"
    r"|\[(?:(?P<position>[0-9]{1,6})|(?P<all>\*)|'(?P<single>[^']+)'|\"(?P<double>[^\"]+)\")\]"
)
_MOST_STEPS = 32


def parse_path(text: str) -> Path:
    """Read a path. Raises ValueError."""
    whole = text.strip().removeprefix(".")
    steps: list[Step] = []
    at = 0
    while at < len(whole):
        found = _STEP.match(whole, at)
        if found is None or len(steps) >= _MOST_STEPS:
            raise ValueError(f"{text!r} is not a path such as metadata.name or metadata.labels['a.b/c']")
        steps.append(_step(found))
        at = found.end()
    if not steps:
        raise ValueError("a path is missing")
    return tuple(steps)


def _step(found: re.Match[str]) -> Step:
    if found["position"]:
        return int(found["position"])
    if found["all"]:
        return None
    quoted = found["single"] or found["double"]
    return quoted or re.sub(r"\\(.)", r"\1", found["name"])


def values_at(obj: Mapping[str, Any], path: Path) -> list[Any]:
    """What is found there: no value, one, or several where the path leads through or to a list."""
    found: list[Any] = [obj]
    for step in path:
        found = [inner for one in found for inner in _inside(one, step)]
    return [inner for one in found for inner in (cast("list[Any]", one) if isinstance(one, list) else [one])]


def _inside(value: object, step: Step) -> Iterator[Any]:
    if isinstance(step, str):
        if isinstance(value, dict) and step in value:
            yield cast("dict[str, Any]", value)[step]
    elif isinstance(value, list):
        elements = cast("list[Any]", value)
        yield from elements if step is None else elements[step : step + 1]


def text_of(value: object) -> str:
    """A value as a selector is compared with it: JSON's words for true and false, text as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
