"""How Go writes the built-in types: which fields are pointers, which are written when empty, what a type is called.

Read from ``gotypes.json`` (see ``scripts/distil_go_types.py`` for its format), one struct at a time, when first needed.
A struct that is newer than the file has no facts: then whatever was given is kept and nothing is added.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class GoStruct:
    """``package`` is the last word of the import path (``v1``). A field's zero is kept when it is in ``pointers``;
    a field in ``always`` (``nulls``) is written as its zero (as null) when it was not given; ``types`` names the types
    that do not follow from the node.
    """

    package: str
    pointers: frozenset[str] = frozenset()
    always: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict[str, str])


@cache
def _table() -> dict[str, list[Any]]:
    return orjson.loads(files("dovetail.embedded.apiserver.schema").joinpath("gotypes.json").read_bytes())


@cache
def go_struct(name: str) -> GoStruct | None:
    """The facts of a type by its name in the definitions (``io.k8s.api.core.v1.Service``)."""
    row = _table().get(name.removeprefix("io.k8s."))
    if row is None:
        return None
    always, _, nulls = row[1].partition("|")
    types: dict[str, str] = row[2] if len(row) > 2 else {}
    pointers = frozenset(row[0].split())
    return GoStruct(name.split(".")[-2], pointers, tuple(always.split()), tuple(nulls.split()), types)
