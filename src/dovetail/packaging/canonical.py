"""YAML as Helm writes it, byte for byte: keys in Helm's order, width 80, plain scalars wherever they stay text.

Published Chart.yaml files are compared by their bytes, so there is one right way to write each value. Only mappings,
lists, text and booleans occur in what this room writes, and nothing else is taken.
"""

import re
from collections.abc import Mapping
from functools import cmp_to_key
from typing import Any, Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dovetail.packaging.scalars import is_timestamp, resolve

_STR: Final = "tag:yaml.org,2002:str"
_BOOL: Final = "tag:yaml.org,2002:bool"
_COLLECTIONS: Final[Mapping[type[Node], str]] = {
    MappingNode: "tag:yaml.org,2002:map",
    SequenceNode: "tag:yaml.org,2002:seq",
}
_BASE60: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")


class _Dumper(yaml.CSafeDumper):
    """Writes text in the style chosen below: all it resolves itself is booleans."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        if kind is ScalarNode:
            return _BOOL if implicit[0] and value in ("true", "false") else _STR
        return _COLLECTIONS.get(kind, _STR)


def _represent_text(dumper: _Dumper, text: str) -> ScalarNode:
    if "\n" in text:
        style = "|"
    elif not isinstance(resolve(text), str) or is_timestamp(text) or _BASE60.match(text):
        style = '"'
    else:
        style = None
    return ScalarNode(_STR, text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(value: Mapping[str, Any]) -> str:
    """The canonical form: keys in Helm's order, `""` for empty text, `|` for several lines, folded at 80 columns.

    Only mappings, lists, text and booleans are taken: nothing else occurs in what this room writes.
    """
    text = yaml.dump(_sorted(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=80)
    return text.removesuffix("\n...\n") + "\n" if text.endswith("\n...\n") else text


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value)
        return {key: _sorted(items[key]) for key in sorted(items, key=cmp_to_key(_compare_keys))}
    if isinstance(value, (list, tuple)):
        return [_sorted(item) for item in cast("list[Any]", value)]
    return value


def _compare_keys(one: str, other: str) -> int:
    """Helm's order of keys: text in which runs of digits count as numbers, and a sign comes before a letter."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a == b:
            continue
        if a.isalpha() or b.isalpha():
            return (-1 if a < b else 1) if a.isalpha() and b.isalpha() else (-1 if b.isalpha() else 1)
        return _compare_runs(one, other, at) or (-1 if a < b else 1)
    return len(one) - len(other)


def _compare_runs(one: str, other: str, at: int) -> int:
    inside = re.search(r"[1-9][0-9]*\Z", one[:at]) is not None and "0" in (one[at], other[at])
    first, second = _digits(one, at), _digits(other, at)
    a, b = (int(("1" if inside else "") + run or "0") for run in (first, second))
    return (a > b) - (a < b) or (len(first) > len(second)) - (len(first) < len(second))


def _digits(text: str, at: int) -> str:
    end = at
    while end < len(text) and text[end].isdecimal():
        end += 1
    return text[at:end]
