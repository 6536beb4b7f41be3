"""Reading `spec` and `status` of foreign objects: total, like `dovetail.kube.objects`."""

from collections.abc import Mapping
from typing import Any, cast


def spec_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """`spec`, or an empty mapping."""
    return mapping(obj.get("spec"))


def status_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """`status`, or an empty mapping."""
    return mapping(obj.get("status"))


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def conditions_of(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`status.conditions`, or empty."""
    return cast("list[Mapping[str, Any]]", status_of(obj).get("conditions") or [])


def generation_of(obj: Mapping[str, Any]) -> int:
    """`metadata.generation`, or 0."""
    return int(mapping(obj.get("metadata")).get("generation") or 0)
