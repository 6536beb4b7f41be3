"""Fields: reads a foreign mapping field by field and gathers what is wrong, instead of stopping at the first mistake.

Each reader method takes the names under which the dialects know a field; the first one present counts. A value of the
wrong type is noted as a FieldError and read as absent, so that one pass over an object finds all its mistakes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeGuard, TypeVar, cast

from dovetail.apis.dialects.durations import BadDuration, parse_duration
from dovetail.apis.errors import FieldError, InvalidObject

Foreign = Mapping[str, Any]
T = TypeVar("T")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

MAX_TEXT: Final = 4 << 20
"""No field of an object of ours is longer; an API server refuses the whole object long before."""


class Fields:
    """A mapping at a path of an object; `errors` is shared by all Fields of the object."""

    def __init__(self, value: Any, path: str, errors: list[FieldError]) -> None:
        self.path = path
        self.errors = errors
        self.present = value is not None
        self._value: Foreign = {}
        if isinstance(value, Mapping):
            self._value = cast("Foreign", value)
        elif value is not None:
            errors.append(FieldError(path, f"must be a map of fields, not {_kind_of(value)}"))

    def fail(self, name: str, message: str) -> None:
        """Note a mistake in a field."""
        self.errors.append(FieldError(self.at(name), message))

    def at(self, name: str) -> str:
        """The path of a field."""
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def spelled(self, *names: str) -> str:
        """The name under which the field is given; the first one when it is absent."""
        for name in names:
            if self._value.get(name) is not None:
                return name
        return names[0]

    def raw(self, *names: str) -> Any:
        """The value as it is; None when absent."""
        for name in names:
            if (value := self._value.get(name)) is not None:
                return value
        return None

    def text(self, *names: str, default: str = "") -> str:
        """A string."""
        value = self.raw(*names)
        if value is None:
            return default
        if not _is_text(value) or len(value) > MAX_TEXT:
            self.fail(self.spelled(*names), f"must be a text, not {_kind_of(value)}; put it in quotes")
            return default
        return value

    def flag(self, *names: str, default: bool = False) -> bool:
        """A boolean. With several spellings present, any that is true counts."""
        given = [(name, self._value[name]) for name in names if self._value.get(name) is not None]
        for name, value in given:
            if not isinstance(value, bool):
                self.fail(name, f"must be true or false, not {_kind_of(value)}")
        return any(value is True for _, value in given) if given else default

    def number(self, *names: str, low: int, high: int, default: int | None = None) -> int | None:
        """A whole number in a range."""
        value = self.raw(*names)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(self.spelled(*names), f"must be a whole number from {low} to {high}")
            return default
        return value

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        """One of a few words."""
        value = self.text(name, default=default)
        if value not in options:
            self.fail(name, f"must be one of {', '.join(options)}")
            return default
        return value

    def seconds(self, name: str, default: float, *, low: float = 0.0) -> float:
        """A duration such as `15s`, in seconds, not below `low`."""
        text = self.text(name)
        if not text:
            return default
        try:
            value = parse_duration(text)
        except BadDuration as error:
            self.fail(name, str(error))
            return default
        if value < low:
            self.fail(name, f"must be at least {low:g}s")
            return default
        return value

    def texts(self, *names: str, single: bool = False) -> tuple[str, ...]:
        """A list of strings; with `single`, one string counts as a list of one."""
        value = self.raw(*names)
        if single and isinstance(value, str):
            return (value,) if value else ()
        name = self.spelled(*names)
        return tuple(item for _, item in self._items(name, value, _is_text, "a text"))

    def text_map(self, name: str) -> dict[str, str]:
        """A map of strings to strings."""
        value = self.raw(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fail(name, f"must be a map of texts, not {_kind_of(value)}")
            return {}
        found: dict[str, str] = {}
        for key, item in cast("Mapping[Any, Any]", value).items():
            if _is_text(key) and _is_text(item):
                found[key] = item
            else:
                self.fail(f"{name}.{key}", "must be a text; put it in quotes")
        return found

    def locales(self, name: str) -> dict[str, str]:
        """A text in several languages: a map, or one string, which counts as English."""
        value = self.raw(name)
        if isinstance(value, str):
            return {"en": value} if value else {}
        return self.text_map(name)

    def plain(self, name: str, default: Any = None) -> Any:
        """The value as plain data of our own: dicts and lists that nobody else holds."""
        value = self.raw(name)
        try:
            return default if value is None else _copied(value)
        except RecursionError:
            self.fail(name, "is nested too deeply")
            return default

    def child(self, *names: str) -> "Fields":
        """The fields of a nested map; empty (and not `present`) when absent."""
        return Fields(self.raw(*names), self.at(self.spelled(*names)), self.errors)

    def children(self, name: str) -> list["Fields"]:
        """The fields of each map in a list."""
        items = self._items(name, self.raw(name), lambda item: isinstance(item, Mapping), "a map of fields")
        return [Fields(item, f"{self.at(name)}[{index}]", self.errors) for index, item in items]

    def _items(self, name: str, value: Any, accepts: Callable[[Any], bool], wanted: str) -> list[tuple[int, Any]]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.fail(name, f"must be a list, not {_kind_of(value)}")
            return []
        items = list(enumerate(cast("list[Any]", value)))
        for index, item in items:
            if not accepts(item):
                self.fail(f"{name}[{index}]", f"must be {wanted}, not {_kind_of(item)}")
        return [(index, item) for index, item in items if accepts(item)]


def _is_text(value: Any) -> TypeGuard[str]:
    """A string that can be written as UTF-8: half of a surrogate pair, which JSON can spell, is no character."""
    return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


def finish(model: T, kind: str, name: str, errors: list[FieldError]) -> T:
    """The model, unless mistakes were found. Raises InvalidObject."""
    if errors:
        raise InvalidObject(kind, name, errors)
    return model


def _kind_of(value: Any) -> str:
    names: dict[type, str] = {
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a map",
    }
    return next((name for cls, name in names.items() if isinstance(value, cls)), "something else")


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_copied(item) for item in cast("list[Any]", value)]
    return value
