"""JSON values in the words of Go's ``fmt``, as kube-apiserver's errors quote them. Pure."""

from __future__ import annotations

from typing import Any, cast


def plain(value: Any) -> str:
    """``%v``: ``map[a:1 b:[x y]]``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return "map[" + " ".join(f"{key}:{plain(fields[key])}" for key in sorted(fields)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(plain(item) for item in cast("list[Any]", value)) + "]"
    return "<nil>" if value is None else str(value)
