"""``meta.k8s.io/v1 Table``: columns, and a row of cells per object.

Built-in kinds have their columns in ``columns``; custom resources declare them (``additionalPrinterColumns``);
everything else has NAME and AGE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from ..registry.resource import ResourceType
from .age import human_duration
from .jsonpath import compile_path

Object = Mapping[str, Any]
Cell = Callable[[Object, float], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """``cell`` gets the object and the present time. Priority 0 is always shown, higher ones with ``-o wide``."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        return {
            "name": self.name, "type": self.type, "format": self.format, "description": self.description,
            "priority": self.priority,
        }  # fmt: skip


def age(obj: Object, now: float) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(timestamp: Any, now: float) -> str:
    """``5m12s``, or ``<unknown>``."""
    try:
        return human_duration(now - datetime.fromisoformat(str(timestamp)).timestamp())
    except ValueError:
        return "<unknown>"


def name(obj: Object, now: float) -> str:
    del now
    return str(obj["metadata"].get("name", ""))


NAME = Column("Name", name, format="name", description="Name must be unique within a namespace.")
AGE = Column("Age", age, description="Time since the object was created.")
CREATED = Column("Created At", lambda obj, _: obj["metadata"].get("creationTimestamp"), type="date")
DEFAULT = (NAME, AGE)


@dataclass(frozen=True, slots=True)
class Table:
    """``include``: what rows carry beside their cells (None, Metadata, Object). ``conditions`` say more of a row."""

    columns: Sequence[Column]
    version: str = "v1"
    include: str = "Metadata"
    conditions: Callable[[Object], list[dict[str, str]]] | None = None

    def encode(
        self,
        objects: Sequence[Object],
        now: float,
        rev: str,
        meta: Mapping[str, Any] | None = None,
        headers: bool = True,
    ) -> bytes:
        if not rev and objects:
            rev = str(objects[0]["metadata"].get("resourceVersion", ""))
        body: dict[str, Any] = {"kind": "Table", "apiVersion": f"meta.k8s.io/{self.version}"}
        body["metadata"] = dict(meta) if meta is not None else {"resourceVersion": rev}
        body["columnDefinitions"] = [column.definition() for column in self.columns] if headers else None
        body["rows"] = [self.row(obj, now) for obj in objects]
        return orjson.dumps(body)

    def row(self, obj: Object, now: float) -> dict[str, Any]:
        row: dict[str, Any] = {"cells": [column.cell(obj, now) for column in self.columns]}
        if self.conditions is not None and (found := self.conditions(obj)):
            row["conditions"] = found
        if self.include == "Object":
            row["object"] = obj
        elif self.include != "None":
            kind = {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{self.version}"}
            row["object"] = {**kind, "metadata": obj["metadata"]}
        return row


def table_of(resource: ResourceType, version: str, include: str) -> Table:
    """The table of a kind."""
    if resource.store != "/pods":
        return Table(columns_for(resource), version, include)
    from .columns_pods import row_conditions

    return Table(columns_for(resource), version, include, row_conditions)


def columns_for(resource: ResourceType) -> Sequence[Column]:
    if resource.custom is not None:
        return _custom_columns(resource)
    from .columns import BUILTIN

    return BUILTIN.get(resource.store, DEFAULT)


def _custom_columns(resource: ResourceType) -> Sequence[Column]:
    declared = [_declared(column) for column in resource.columns]
    return [NAME, *declared] if declared else [NAME, Column("Age", age, type="date")]


def _declared(column: Mapping[str, Any]) -> Column:
    kind = str(column.get("type", "string"))
    try:
        find = compile_path(str(column.get("jsonPath", "")))
    except ValueError:
        find = _nothing

    def cell(obj: Object, now: float) -> Any:
        found = find(obj)
        if not found:
            return None
        return _typed(found, kind, now)

    return Column(
        str(column.get("name", "")), cell, kind, str(column.get("format", "")),
        str(column.get("description", "")), int(column.get("priority", 0)),
    )  # fmt: skip


def _nothing(obj: Any) -> list[Any]:
    del obj
    return []


def _typed(found: list[Any], kind: str, now: float) -> Any:
    """Kubernetes shows the first value that a path finds, and nothing where it is of another type."""
    first = found[0]
    if first is None:
        return None
    if kind == "date":
        return _elapsed(first, now) if isinstance(first, str) else None
    if kind == "string":
        return _text(first)
    if kind == "integer" and isinstance(first, (int, float)) and not isinstance(first, bool):
        return int(first)
    if kind == "number" and isinstance(first, (int, float)) and not isinstance(first, bool):
        return first
    if kind == "boolean" and isinstance(first, bool):
        return first
    return None


def _elapsed(text: str, now: float) -> str:
    found = since(text, now)
    return "<invalid>" if found == "<unknown>" else found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
