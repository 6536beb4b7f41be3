"""YAML values into typed Structs, as forgiving as the published tools and more talkative.

Field names match in any case; numbers and booleans become text where text is wanted; null counts as absent; unknown
keys are dropped (all of it: reference/ksbuilder.md 2.3). What was forgiven comes back as findings with a place. What
cannot be forgiven, a list where a mapping must be, is an `error` finding, and the field keeps its default.

Knows the types that the room's Structs use: str, bool, tuple[T, ...], dict[str, T], other Structs, object. Not a
general decoder.
"""

import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from dovetail.packaging.findings import Finding
from dovetail.packaging.scalars import text_of
from dovetail.packaging.yaml11 import Document, Path

S = TypeVar("S", bound=msgspec.Struct)

_SHAPES: Mapping[type, str] = {str: "text", bool: "true or false", tuple: "a list", dict: "a mapping"}


def decode(document: Document, struct: type[S], file: str, base: Path = ()) -> tuple[S, tuple[Finding, ...]]:
    """Make a Struct of a document's value (`base` is where that value stands). `file` is named in the findings."""
    reader = _Reader(document, file)
    value = reader.struct(document.value, struct, base)
    return cast("S", value if value is not None else struct()), (*reader.repeated(), *reader.findings)


@dataclass(slots=True)
class _Reader:
    document: Document
    file: str
    findings: list[Finding] = field(default_factory=list[Finding])

    def struct(self, value: object, struct: type[msgspec.Struct], path: Path) -> msgspec.Struct | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            return self._mismatch(value, dict, path)
        shapes = _fields(struct)
        known: dict[str, Any] = {}
        # The published tools go through the keys in order of code points, the last spelling of a field winning.
        for key, item in sorted(cast("dict[str, Any]", value).items()):
            entry = shapes.get(key.lower())
            if entry is None:
                self._unknown(key, path, (name for name, _, _ in shapes.values()))
                continue
            name, attribute, wanted = entry
            self._spelling(key, name, path)
            if (decoded := self.value(item, wanted, (*path, key))) is not None:
                known[attribute] = decoded
        return struct(**known)

    def value(self, value: object, wanted: Any, path: Path) -> object:
        """The decoded value, or None if it is absent or does not fit."""
        if value is None or wanted is object:
            return value
        origin = typing.get_origin(wanted) or wanted
        if origin is str:
            return self._text(value, path)
        if origin is bool:
            return value if isinstance(value, bool) else self._mismatch(value, bool, path)
        if origin is tuple:
            return self._items(value, typing.get_args(wanted)[0], path)
        if origin is dict:
            return self._entries(value, typing.get_args(wanted)[1], path)
        return self.struct(value, wanted, path)

    def _text(self, value: object, path: Path) -> str | None:
        if isinstance(value, str):
            return value
        if not isinstance(value, (bool, int, float)):
            return self._mismatch(value, str, path)
        text = text_of(value)
        self._warn(
            "text-not-quoted", path, f"{_dotted(path)} was not quoted and is read as {text!r}", "Put it in quotes"
        )
        return text

    def _items(self, value: object, wanted: Any, path: Path) -> tuple[Any, ...] | None:
        if not isinstance(value, list):
            return self._mismatch(value, tuple, path)
        decoded = (self._inner(item, wanted, (*path, at)) for at, item in enumerate(cast("list[Any]", value)))
        return tuple(item for item in decoded if item is not None)

    def _entries(self, value: object, wanted: Any, path: Path) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            return self._mismatch(value, dict, path)
        entries = cast("dict[str, Any]", value).items()
        decoded = {key: self._inner(item, wanted, (*path, key)) for key, item in entries}
        return {key: item for key, item in decoded.items() if item is not None}

    def _inner(self, value: object, wanted: Any, path: Path) -> object:
        """A value inside a list or mapping, where null is an empty text and does not go away."""
        return "" if value is None and wanted is str else self.value(value, wanted, path)

    def _mismatch(self, value: object, wanted: type, path: Path) -> None:
        place = f"{self.file}:{self.document.line(path)}"
        message = f"{_dotted(path) or 'the document'} must be {_SHAPES[wanted]}, not {_kind(value)}"
        fix = f"Write {_SHAPES[wanted]} there"
        self.findings.append(Finding(code="wrong-type", severity="error", place=place, message=message, fix=fix))

    def _unknown(self, key: str, path: Path, names: Iterable[str]) -> None:
        import difflib  # only needed for a typo

        near = difflib.get_close_matches(key, list(names), n=1, cutoff=0.75)
        fix = f"Did you mean {near[0]}" if near else "Remove it, or correct its name"
        self._warn("unknown-key", (*path, key), f"{_dotted((*path, key))} is not a known key and is ignored", fix)

    def _spelling(self, key: str, name: str, path: Path) -> None:
        if key != name:
            self._warn("key-case", (*path, key), f"{key} is read as {name}", f"Write {name}")

    def _warn(self, code: str, path: Path, message: str, fix: str) -> None:
        place = f"{self.file}:{self.document.line(path)}"
        self.findings.append(Finding(code=code, severity="warning", place=place, message=message, fix=fix))

    def repeated(self) -> Iterable[Finding]:
        """A finding for every key that the document gives twice."""
        for path, line in self.document.repeated:
            yield Finding(
                code="repeated-key",
                severity="warning",
                place=f"{self.file}:{line}",
                message=f"{_dotted(path)} is given twice and the later one counts",
                fix="Keep one of them",
            )


def _kind(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"{text_of(cast('Any', value))!r}"


def _dotted(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


@lru_cache(maxsize=32)
def _fields(struct: type[msgspec.Struct]) -> dict[str, tuple[str, str, Any]]:
    """Lower-case wire name -> (wire name, attribute, type)."""
    hints = typing.get_type_hints(struct)
    pairs = zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True)
    return {wire.lower(): (wire, attribute, _wanted(hints[attribute])) for wire, attribute in pairs}


def _wanted(hint: Any) -> Any:
    """The type inside `T | None`."""
    if isinstance(hint, types.UnionType):
        return next(option for option in typing.get_args(hint) if option is not type(None))
    return hint
