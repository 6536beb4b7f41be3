"""JSON Merge Patch (RFC 7386). Pure: neither argument is changed."""

from __future__ import annotations

from typing import Any, cast


def apply_merge_patch(target: Any, patch: Any) -> Any:
    """The patched value: null removes a field, an object merges, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result: dict[str, Any] = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for key, value in cast("dict[str, Any]", patch).items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply_merge_patch(result.get(key), value)
    return result
