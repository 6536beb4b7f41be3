"""A patch that cannot be applied."""

from __future__ import annotations

from typing import Any, cast

from ..errors import StatusError


class PatchRejected(ValueError):
    """The patch is well-formed but does not fit the object (a failed test, a missing path): 422."""


class PatchMalformed(ValueError):
    """The patch is not a patch of its format: 400."""


class PatchFailed(StatusError):
    """What kube-apiserver does not expect in a patch: it answers 500 without a reason, with the text of the error."""

    code, reason = 500, ""


def shown(value: Any) -> str:
    """Go's ``%v`` of a JSON value, as its errors quote it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return "map[" + " ".join(f"{key}:{shown(fields[key])}" for key in sorted(fields)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(shown(item) for item in cast("list[Any]", value)) + "]"
    return "<nil>" if value is None else str(value)
