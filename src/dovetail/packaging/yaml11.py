"""YAML as the published tools read and write it: YAML 1.1 to JSON values, and JSON values to canonical YAML.

Extension metadata was always read by sigs.k8s.io/yaml: YAML 1.1 scalars, only the first document, the last of two equal
keys wins (reference/ksbuilder.md 2.3). `load` does the same and, unlike them, remembers the line of every value and
every repeated key, so that findings can point at a place. `dump` writes the one form that Helm writes (sorted keys,
width 80, plain scalars where they stay strings), byte for byte, because published Chart.yaml files are compared so.

Not here: what the values mean (`decoding`), and files whose comments must survive (nobody in this room edits those).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, Final, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dovetail.packaging.errors import InvalidYaml
from dovetail.packaging.limits import MAX_YAML_DEPTH, MAX_YAML_VALUES

Path = tuple[str | int, ...]

_PLAIN: Final = "dovetail:plain"
_STR: Final = "tag:yaml.org,2002:str"
_BOOL: Final = "tag:yaml.org,2002:bool"
_COLLECTIONS: Final[Mapping[type[Node], str]] = {
    MappingNode: "tag:yaml.org,2002:map",
    SequenceNode: "tag:yaml.org,2002:seq",
}
_TRUE: Final = frozenset(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])
_FALSE: Final = frozenset(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])
_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_SPECIAL_FLOAT: Final = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER: Final = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CLOCK: Final = r"[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?"
_TIMESTAMP: Final = re.compile(
    rf"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[Tt]{_CLOCK}(?:Z|[-+][0-9]{{2}}:[0-9]{{2}})| {_CLOCK})?\Z"
)
_EXPLICIT: Final[Mapping[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:null": (type(None),),
}
_BASE60: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")


@dataclass(frozen=True, slots=True)
class Document:
    """The first document of a stream: its JSON value, where each value stands, and which keys were given twice.

    `lines` maps a path of keys and indexes to a 1-based line; `repeated` lists (path, line of the later one).
    """

    value: Any
    lines: Mapping[Path, int] = field(default_factory=dict[Path, int])
    repeated: tuple[tuple[Path, int], ...] = ()

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest value around it; 1 if nothing is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def load(data: bytes, name: str) -> Document:
    """Read the first document. `name` is the file's name, for messages. Raises InvalidYaml."""
    for document in load_all(data, name):
        return document
    return Document(None)


def load_all(data: bytes, name: str) -> Iterator[Document]:
    """Every document of a stream, one by one; a fault raises InvalidYaml when it is reached."""
    loader = _Loader(_text(data, name))
    try:
        while True:
            try:
                if not loader.check_node():
                    return
                node = cast("Node", loader.get_node())
            except yaml.YAMLError as error:
                raise InvalidYaml(_error_place(name, error), _error_reason(error)) from error
            except RecursionError as error:
                raise InvalidYaml(name, "it is nested too deeply") from error
            yield _Builder(name).document(node)
    finally:
        loader.dispose()


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidYaml(f"{name}:{line}", "it is not UTF-8 text") from error


def _error_place(name: str, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"{name}:{mark.line + 1}" if mark is not None else name


def _error_reason(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed")


class _Loader(yaml.CBaseLoader):
    """Composes nodes only, marking the scalars whose meaning depends on how they look."""

    def resolve(self, kind: type[Node], value: str, implicit: Any) -> str:
        if kind is ScalarNode and implicit[0]:
            return _PLAIN
        return _COLLECTIONS.get(kind, _STR)


class _Builder:
    """Makes JSON values of nodes, counting them, because ten aliases can stand for a billion values."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: dict[Path, int] = {}
        self._repeated: list[tuple[Path, int]] = []
        self._count = 0

    def document(self, root: Node) -> Document:
        value = self._value(root, ())
        return Document(value, self._lines, tuple(self._repeated))

    def _value(self, node: Node, path: Path) -> Any:
        self._count += 1
        self._lines.setdefault(path, _line(node))
        if self._count > MAX_YAML_VALUES or len(path) > MAX_YAML_DEPTH:
            raise InvalidYaml(f"{self._name}:{_line(node)}", "it is too large or nested too deeply")
        if isinstance(node, ScalarNode):
            return _scalar(node, self._name)
        if isinstance(node, SequenceNode):
            items = cast("list[Node]", node.value)
            return [self._value(item, (*path, index)) for index, item in enumerate(items)]
        return self._mapping(node, path)

    def _mapping(self, node: Node, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in cast("list[tuple[Node, Node]]", node.value):
            if isinstance(key_node, ScalarNode) and key_node.tag == _PLAIN and key_node.value == "<<":
                self._merge(value_node, path, merged)
                continue
            key = self._key(key_node)
            if key in result:
                self._repeated.append(((*path, key), _line(key_node)))
                self._lines = {at: line for at, line in self._lines.items() if at[: len(path) + 1] != (*path, key)}
            self._lines[(*path, key)] = _line(key_node)
            result[key] = self._value(value_node, (*path, key))
        return {**merged, **result}

    def _merge(self, node: Node, path: Path, into: dict[str, Any]) -> None:
        sources = cast("list[Node]", node.value) if isinstance(node, SequenceNode) else [node]
        for source in reversed(sources):
            if not isinstance(source, MappingNode):
                raise InvalidYaml(f"{self._name}:{_line(node)}", "a merge key (<<) needs a mapping")
            into.update(self._mapping(source, path))

    def _key(self, node: Node) -> str:
        value = _scalar(node, self._name) if isinstance(node, ScalarNode) else None
        if value is None:
            raise InvalidYaml(f"{self._name}:{_line(node)}", "a key must be text, a number or a boolean")
        return text_of(value)


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _scalar(node: ScalarNode, name: str) -> str | bool | int | float | None:
    text = cast("str", node.value)
    if node.tag == _PLAIN:
        return resolve(text)
    wanted = _EXPLICIT.get(node.tag)
    if wanted is None:
        return text
    value = resolve(text)
    if type(value) not in wanted:
        raise InvalidYaml(f"{name}:{_line(node)}", f"{text!r} does not fit its tag {node.tag.rpartition(':')[2]}")
    return float(cast("float", value)) if float in wanted else value


def resolve(text: str) -> str | bool | int | float | None:
    """What an unquoted scalar means. Dates stay text, as they do in the published tools."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text in _NULL:
        return None
    if text in _SPECIAL_FLOAT:
        return _SPECIAL_FLOAT[text]
    if text[0] not in "+-.0123456789" or _TIMESTAMP.match(text):
        return text
    return _number(text)


def _number(text: str) -> str | int | float:
    plain = text.replace("_", "") if text[0] != "." else text
    if _INTEGER.match(plain):
        return _integer(plain)
    return float(plain) if _FLOAT.match(plain) else text


def _integer(plain: str) -> int:
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-").lower()
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") else 10)


def text_of(value: str | bool | int | float) -> str:
    """A scalar where text is wanted: `1.10` was read as a number and becomes "1.1", `true` becomes "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float_text(value) if isinstance(value, float) else str(value)


def _float_text(value: float) -> str:
    """The shortest form that reads back; with an exponent below 1e-4 and from 1e6 up, as Go writes floats."""
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[repr(value)]
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text, power = "".join(map(str, digits)), len(digits) + int(exponent) - 1
    minus = "-" if sign else ""
    if value == 0:
        return f"{minus}0"
    if -4 <= power < 6:
        return f"{Decimal(repr(value)).normalize():f}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"


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
    elif not isinstance(resolve(text), str) or _TIMESTAMP.match(text) or _BASE60.match(text) or text == "<<":
        style = '"'
    else:
        style = None
    return ScalarNode(_STR, text, style=style)


_Dumper.add_representer(str, _represent_text)


def dump(value: Mapping[str, Any]) -> str:
    """The canonical form: keys in Helm's order, `""` for empty text, `|` for several lines, folded at 80 columns.

    Only mappings, lists, text and booleans are taken: nothing else occurs in what this room writes.
    """
    return yaml.dump(_sorted(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=80)


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
    while end < len(text) and text[end].isdigit():
        end += 1
    return text[at:end]
