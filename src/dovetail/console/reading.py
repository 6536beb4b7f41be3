"""Reading foreign objects, whose fields may have any shape: what is no mapping or list reads as empty. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from dovetail.kube import metadata


def child(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that should be a mapping."""
    value = obj.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def items(obj: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A field that should be a list of mappings; what is no mapping in it is left out."""
    value = obj.get(name)
    found = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("Mapping[str, Any]", item) for item in found if isinstance(item, Mapping)]


def state_of(obj: Mapping[str, Any]) -> object:
    """status.state"""
    return child(obj, "status").get("state")


def metadata_fields(obj: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A copy of metadata with these fields only; what an informer that needs no more keeps."""
    meta = metadata(obj)
    return {name: meta.get(name) for name in names}
