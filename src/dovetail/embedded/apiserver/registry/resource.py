"""One served kind in one version: names, verbs, shape, and how its stored bytes become an object on the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from ..schema.conform import conform
from ..schema.node import ANY_NODE, Node

if TYPE_CHECKING:
    from ..schema.structural import Structural

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversion:
    """Between the shape of a version and the shape in which the kind is stored, where they differ."""

    inward: Callable[[Object], Object]
    outward: Callable[[bytes], bytes]


@dataclass(frozen=True, eq=False)
class ResourceType:
    """``store`` is the key under which all versions of the kind are stored; ``subresources`` maps a name to verbs.

    ``generation``: "" the kind has none, "spec" it grows when anything but metadata and status changes.
    ``custom`` is the compiled schema of a custom resource, None for built-in kinds. ``columns`` are the printer columns
    of a custom resource. ``selectable`` are the field selector paths beyond metadata.name and metadata.namespace.
    ``remote`` is the APIService whose backend serves the kind, "" for our own. ``deprecation`` is the warning of every
    request for a deprecated version.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    generation: bool = False
    list_kind: str = ""
    custom: Structural | None = None
    columns: tuple[Mapping[str, Any], ...] = ()
    selectable: tuple[str, ...] = ()
    scale_paths: Mapping[str, str] = field(default_factory=dict[str, str])
    shape: Callable[[], Node] = field(default=lambda: ANY_NODE)
    stored_as: str = ""
    conversion: Conversion | None = None
    remote: str = ""
    deprecation: str = ""

    @property
    def store(self) -> str:
        return self.stored_as or f"{self.group}/{self.plural}"

    @cached_property
    def node(self) -> Node:
        return self.shape()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources

    def clear_status(self, obj: Object) -> None:
        """Forget the status that a client sent; built-in kinds have an empty one from the start (Go's zero value)."""
        obj.pop("status", None)
        go = self.node.go
        if go is not None and "status" in go.always:
            obj["status"] = conform(self.node.fields["status"], {}, [])

    @cached_property
    def header(self) -> bytes:
        """What stands in front of a stored value to make it an object of this version."""
        return orjson.dumps({"kind": self.kind, "apiVersion": self.api_version})[:-1] + b","

    def encode(self, value: bytes) -> bytes:
        return self.header + value[1:]

    def decode(self, value: bytes) -> Object:
        """A fresh object that the caller may change."""
        return orjson.loads(self.header + value[1:])

    def encode_item(self, value: bytes) -> bytes:
        """An item of a list: Kubernetes names the kind in items of custom resources only."""
        return self.encode(value) if self.custom is not None else value


def pack(obj: Object) -> bytes:
    """The stored form of an object: without apiVersion and kind."""
    return orjson.dumps({key: obj[key] for key in obj if key not in {"apiVersion", "kind"}})
