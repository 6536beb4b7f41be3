"""YAML that is nested so deeply that reading it ends the process: libyaml's composer recurses on the C stack.

A hundred kilobytes of `[` are enough, in an index, a package or a configuration. Looking at the parser's events does
not recurse. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

MOST: Final = 500
_DEEP: Final = re.compile(r"(?:[-?:][ \t]+){100}|^ {500}", re.MULTILINE)


class TooDeep(ValueError):
    """A text that is nested deeper than anything that people write."""

    def __init__(self) -> None:
        super().__init__(f"it is nested more than {MOST} levels deep")


def refuse_depth(text: str | bytes) -> None:
    """Raises TooDeep. What is no YAML is told by whoever reads it."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    if text.count("[") + text.count("{") <= MOST and not _DEEP.search(text):
        return
    import yaml

    depth = 0
    try:
        for event in cast("Iterator[Any]", yaml.parse(text, Loader=yaml.CSafeLoader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MOST:
                raise TooDeep
    except yaml.YAMLError:
        return
