"""The simple JSON paths of printer columns, selectable fields and scale subresources.

Supported: ``.a.b``, ``['a.b']``, ``[0]``, ``[-1]``, ``[*]``, ``..a`` is not, filters ``[?(@.type=="Ready")]``.
``compile_path`` gives a function from an object to the list of values found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, cast

_STEP = re.compile(
    r"""\.?\[\?\(\s*@\.?(?P<path>[^=!\s)]+)\s*(?P<op>==|!=)\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)\s*\)\]"""
    r"""|\[(?P<index>-?\d+)\]|\[(?P<all>\*)\]|\.(?P<star>\*)|\[(?P<q>["'])(?P<quoted>.*?)(?P=q)\]|\.?(?P<name>(?:\\.|[^.\[\]\\])+)"""
)

Step = Callable[[Any], Iterator[Any]]


@lru_cache(maxsize=1024)
def compile_path(text: str) -> Callable[[Any], list[Any]]:
    """Raises ValueError for what is not understood."""
    body = text.strip()
    body = body[1:-1].strip() if body.startswith("{") and body.endswith("}") else body
    steps = list(_steps(body.removeprefix("$").removeprefix("@")))

    def find(obj: Any) -> list[Any]:
        found = [obj]
        for step in steps:
            found = [value for item in found for value in step(item)]
        return found

    return find


def _steps(text: str) -> Iterator[Step]:
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or match.end() == at:
            raise ValueError(f"unrecognized path: {text[at:]}")
        at = match.end()
        yield _step(match)


def _step(match: re.Match[str]) -> Step:
    if match["path"] is not None:
        return _filter(match["path"], match["op"] == "==", match["value"])
    if match["index"] is not None:
        return _at(int(match["index"]))
    if match["all"] or match["star"]:
        return _every
    name = match["quoted"] if match["quoted"] is not None else re.sub(r"\\(.)", r"\1", match["name"])
    return _field(name)


def _field(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield cast("dict[str, Any]", value)[name]

    return step


def _at(index: int) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, list) and -len(cast("list[Any]", value)) <= index < len(cast("list[Any]", value)):
            yield cast("list[Any]", value)[index]

    return step


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from cast("list[Any]", value)
    elif isinstance(value, dict):
        yield from cast("dict[str, Any]", value).values()


def _filter(path: str, equal: bool, wanted: str) -> Step:
    find = compile_path("." + path)

    def step(value: Any) -> Iterator[Any]:
        for item in _every(value):
            if ([str(found) for found in find(item)] == [wanted]) is equal:
                yield item

    return step
