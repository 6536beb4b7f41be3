"""Reading YAML as the published tools do: YAML 1.1 scalars, only the first document, the last of two equal keys wins.

`load` gives JSON values (reference/ksbuilder.md 2.3) and, unlike those tools, remembers the line of every value and
every repeated key, so that findings can point at a place. Aliases are followed and counted: ten of them can stand for a
billion values.

Not here: what the values mean (`decoding`), writing (`canonical`), and files whose comments must survive.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from dovetail.packaging.errors import InvalidYaml
from dovetail.packaging.limits import MAX_YAML_DEPTH, MAX_YAML_VALUES
from dovetail.packaging.scalars import resolve, text_of

Path = tuple[str | int, ...]

_EXPLICIT: Final[Mapping[str, tuple[type, ...]]] = {
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (float, int),
    "tag:yaml.org,2002:null": (type(None),),
}


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
    events = _events(_text(data, name), name)
    for event in events:
        if isinstance(event, DocumentStartEvent):
            yield _Builder(name, events).document()


def _events(text: str, name: str) -> Iterator[Event]:
    # Events, not nodes: the library's own composer recurses in C and dies of deep nesting.
    try:
        yield from yaml.parse(text, Loader=yaml.CBaseLoader)
    except yaml.YAMLError as error:
        raise InvalidYaml(_error_place(name, error), _error_reason(error)) from error


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


class _Builder:
    """Makes the JSON value of one document, counting what aliases stand for and how deep it goes."""

    def __init__(self, name: str, events: Iterator[Event]) -> None:
        self._name, self._events = name, events
        self._lines: dict[Path, int] = {}
        self._repeated: list[tuple[Path, int]] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0

    def document(self) -> Document:
        value = self._value(next(self._events), ())
        return Document(value, self._lines, tuple(self._repeated))

    def _value(self, event: Event, path: Path, line: int | None = None) -> Any:
        before = self._count
        self._count += 1
        self._lines[path] = line or _line(event)
        if self._count > MAX_YAML_VALUES or len(path) > MAX_YAML_DEPTH:
            raise self._invalid(event, "it is too large or nested too deeply")
        if isinstance(event, AliasEvent):
            return self._alias(event)
        value = self._collection(event, path) if isinstance(event, CollectionStartEvent) else self._scalar(event)
        if anchor := cast("NodeEvent", event).anchor:
            self._anchors[str(anchor)] = (value, self._count - before)
        return value

    def _alias(self, event: AliasEvent) -> Any:
        value, size = self._anchors.get(str(event.anchor), (None, 0))
        if not size:
            raise self._invalid(event, f"*{event.anchor} stands for nothing, or for something around itself")
        self._count += size
        return value

    def _collection(self, event: Event, path: Path) -> Any:
        if isinstance(event, MappingStartEvent):
            return self._mapping(path)
        items: list[Any] = []
        for item in self._events:
            if isinstance(item, SequenceEndEvent):
                break
            items.append(self._value(item, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            if isinstance(event, ScalarEvent) and _is_plain(event) and event.value == "<<":
                self._merge(path, merged)
                continue
            key = self._key(event)
            if key in result:
                self._repeated.append(((*path, key), _line(event)))
            result[key] = self._value(next(self._events), (*path, key), _line(event))
        return {**merged, **result}

    def _merge(self, path: Path, into: dict[str, Any]) -> None:
        event = next(self._events)
        value = self._value(event, (*path, "<<"))
        for source in reversed(cast("list[Any]", value) if isinstance(value, list) else [value]):
            if not isinstance(source, dict):
                raise self._invalid(event, "a merge key (<<) needs a mapping")
            into.update(cast("dict[str, Any]", source))

    def _key(self, event: Event) -> str:
        if isinstance(event, AliasEvent):
            value = self._alias(event)
        else:
            value = self._scalar(event) if isinstance(event, ScalarEvent) else None
        if not isinstance(value, (str, bool, int, float)):
            raise self._invalid(event, "a key must be text, a number or a boolean")
        return text_of(value)

    def _scalar(self, event: Event) -> str | bool | int | float | None:
        scalar = cast("ScalarEvent", event)
        text = str(scalar.value)
        if _is_plain(scalar):
            return resolve(text)
        wanted = _EXPLICIT.get(str(scalar.tag))
        if wanted is None:
            return text
        value = resolve(text)
        if type(value) not in wanted:
            raise self._invalid(event, f"{text!r} does not fit its tag {str(scalar.tag).rpartition(':')[2]}")
        return float(cast("float", value)) if float in wanted else value

    def _invalid(self, event: Event, reason: str) -> InvalidYaml:
        return InvalidYaml(f"{self._name}:{_line(event)}", reason)


def _line(event: Event) -> int:
    mark = event.start_mark
    return int(mark.line) + 1 if mark is not None else 1


def _is_plain(event: ScalarEvent) -> bool:
    """Whether what a scalar means depends on how it looks: no quotes and no tag."""
    return bool(event.implicit[0]) and event.tag is None
