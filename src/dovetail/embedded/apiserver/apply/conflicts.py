"""The answer to an apply that meets fields of other managers, in the words of kube-apiserver. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ApplyConflict
from .fields import FieldSet, paths_of

Conflict = tuple[Mapping[str, Any], FieldSet]
"""A manager's entry and which of its fields the apply would change."""


def conflict_error(conflicts: Sequence[Conflict]) -> ApplyConflict:
    causes: list[dict[str, str]] = []
    lines: list[str] = []
    for who, paths in sorted((_who(entry), paths_of(shared)) for entry, shared in conflicts):
        causes += [{"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": p} for p in paths]
        lines += [f"conflicts with {who}:", *(f"- {path}" for path in paths)]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApplyConflict(message, causes)


def _who(entry: Mapping[str, Any]) -> str:
    who = f'"{entry.get("manager", "")}"'
    if entry.get("subresource"):
        who += f' with subresource "{entry["subresource"]}"'
    if entry.get("operation") == "Update":
        who += f" using {entry.get('apiVersion', '')}"
    return who
