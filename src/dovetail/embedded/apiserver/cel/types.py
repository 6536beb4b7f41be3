"""The types of expressions, and when one fits another.

``dyn`` fits everything. Objects are typed by the schema they come from (``fields``: escaped name -> raw name, type). A
type whose name starts with ``?`` is a variable of a function's signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    name: str
    params: tuple[Type, ...] = ()
    fields: Mapping[str, tuple[str, Type]] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if not self.params or self.name == "type":
            return "google.protobuf." + self.name.capitalize() if self.name in ("timestamp", "duration") else self.name
        name = "optional_type" if self.name == "optional" else self.name
        return f"{name}({', '.join(map(str, self.params))})"


DYN, INT, UINT, DOUBLE, BOOL, STRING, BYTES, NULL = map(
    Type, ("dyn", "int", "uint", "double", "bool", "string", "bytes", "null_type")
)
TIMESTAMP, DURATION, TYPE = Type("timestamp"), Type("duration"), Type("type")
Bindings = dict[str, Type]


def list_of(item: Type) -> Type:
    return Type("list", (item,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("optional", (value,))


def fits(wanted: Type, found: Type, bound: Bindings) -> bool:
    """Whether a value of type ``found`` may stand where ``wanted`` is asked for; binds variables."""
    if wanted.name[0] == "?":
        known = bound.get(wanted.name)
        if known is None or known.name == "dyn":
            bound.setdefault(wanted.name, found)
            return True
        if fits(known, found, bound):
            if found.name == "dyn" or known.name == "null_type":
                bound[wanted.name] = found
            return True
        return False
    if "dyn" in (wanted.name, found.name) or found.name == "null_type" or wanted.name == "null_type":
        return True
    if wanted.name != found.name:
        return False
    if wanted.fields is not None and found.fields is not None:
        return wanted is found
    return all(fits(a, b, bound) for a, b in zip(wanted.params, found.params, strict=True))


def resolved(wanted: Type, bound: Bindings) -> Type:
    """A signature's type with its variables replaced; what nothing is known of is ``dyn``."""
    if wanted.name[0] == "?":
        return bound.get(wanted.name, DYN)
    if not wanted.params:
        return wanted
    return Type(wanted.name, tuple(resolved(part, bound) for part in wanted.params))


def same(left: Type, right: Type) -> bool:
    """Whether two types are one (``dyn`` is only itself)."""
    if left.name != right.name or left.fields is not right.fields:
        return False
    return all(same(a, b) for a, b in zip(left.params, right.params, strict=True))
