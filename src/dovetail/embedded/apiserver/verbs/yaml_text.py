"""YAML of a client as JSON values: what kube-apiserver reads, bounded. Pure.

Model. The text is first read as a stream of events, which needs neither a stack nor memory: it tells how deep the
document is and how many values its aliases stand for. (PyYAML's composer in C recurses and ends the process on deep
nesting; ten lines with aliases can stand for a billion values.) Only then the document is built. Scalars are those of
go-yaml: no timestamps, no sexagesimal numbers, ``1e3`` is a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import orjson
import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, Event, NodeEvent

from .strictness import MAX_DEPTH

MAX_ALIASED = 100_000
"""So many values may come from aliases."""

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_IN_GO = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)


class _Loader(_BASE):
    yaml_implicit_resolvers = {  # noqa: RUF012 - as the library has it
        first: [(tag, pattern) for tag, pattern in found if tag not in _NOT_IN_GO]
        for first, found in _BASE.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


class NotYaml(ValueError):
    """The sentence is for the client."""


def load(raw: bytes) -> Any:
    """The first document as JSON values. Raises NotYaml."""
    try:
        _bound(yaml.parse(raw, Loader=_BASE))
        parsed = yaml.load(raw, Loader=_Loader)
        return orjson.loads(orjson.dumps(parsed, default=str, option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise NotYaml(str(error)) from error


def repeated(raw: bytes) -> Iterator[str]:
    """``line 3: key "a" already set in map`` for every key given again, of a text that `load` has read."""
    return _repeated(yaml.compose(raw, Loader=_BASE))


def _repeated(node: Any) -> Iterator[str]:
    children: list[Any] = []
    value: Any = getattr(node, "value", None)
    if isinstance(value, list):
        seen: set[str] = set()
        for child in cast("list[Any]", value):
            if isinstance(child, tuple):
                key, item = cast("tuple[Any, Any]", child)
                name = str(key.value)
                if name in seen:
                    yield f'line {key.start_mark.line + 1}: key "{name}" already set in map'
                seen.add(name)
                children.append(item)
            else:
                children.append(child)
    for child in children:
        yield from _repeated(child)


def _bound(events: Iterator[Event]) -> None:
    """Raises NotYaml when the document is too deep, or its aliases stand for too much."""
    sizes: dict[str, int] = {}
    depths: dict[str, int] = {}
    open_: list[tuple[str, int, int]] = []  # anchor, values before it, and how deep it is so far
    values = aliased = 0
    for event in events:
        anchor = str(getattr(event, "anchor", None) or "")
        if isinstance(event, AliasEvent):
            more, below = sizes.get(anchor, 1), depths.get(anchor, 0)
            aliased, values = aliased + more, values + more
        elif isinstance(event, CollectionStartEvent):
            values += 1
            open_.append((anchor, values, 0))
            below = 0
        elif isinstance(event, CollectionEndEvent):
            anchor, before, below = open_.pop()
            below += 1
            if anchor:
                sizes[anchor], depths[anchor] = values - before + 1, below
        elif isinstance(event, NodeEvent):
            values, below = values + 1, 0
        else:
            continue
        if open_ and below > open_[-1][2]:
            open_[-1] = (*open_[-1][:2], below)
        if len(open_) + below > MAX_DEPTH:
            raise NotYaml(f"exceeded max depth of {MAX_DEPTH}")
        if aliased > MAX_ALIASED:
            raise NotYaml("document contains excessive aliasing")
