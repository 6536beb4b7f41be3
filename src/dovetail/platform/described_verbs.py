"""What the generic endpoints take and answer, for the OpenAPI documents."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dovetail.platform.describing import LIST_QUERY, Handler, Json, Schema, describes
from dovetail.platform.served_kinds import Verb
from dovetail.platform.write_options import SAID

PATCH_TYPES: Final = ("application/merge-patch+json", "application/json-patch+json", "application/apply-patch+yaml")
_ANY: Final[Json] = {"type": "object", "description": "An object of the kind."}
_OPERATION: Final[Json] = {
    "type": "object", "required": ["op", "path"],
    "properties": {"op": {"type": "string"}, "path": {"type": "string"}, "from": {"type": "string"}, "value": {}},
}  # fmt: skip
_OPERATIONS: Final[Json] = {"type": "array", "items": _OPERATION}


def described_verb(verb: Verb, kind: str) -> Callable[[Handler], Handler]:
    """The description of a verb on a kind; `kind` is "" for other people's."""
    one: Schema = kind or _ANY
    many: Schema = f"{kind}List" if kind else {"type": "object", "properties": {"items": {"type": "array"}}}
    noun = kind or "served"
    written = {name: SAID[name] for name in ("dryRun", "fieldManager")}
    match verb:
        case "list":
            return describes(summary=f"{noun} objects, a page of them if asked.", answer=many, query=LIST_QUERY)
        case "get":
            return describes(summary=f"One {noun} object.", answer=one)
        case "create":
            return describes(summary=f"A new {noun} object.", body=one, answer=one, code=201, query=written)
        case "update":
            return describes(summary=f"Replace one {noun} object.", body=one, answer=one, query=written)
        case "patch":
            query = {**written, "force": SAID["force"]}
            return describes(summary=f"Change a part of one {noun} object.", body=_patches(), answer=one, query=query)
        case "delete":
            query = {"propagationPolicy": SAID["propagationPolicy"]}
            return describes(summary=f"Delete one {noun} object.", answer="Status", query=query)


def _patches() -> Mapping[str, Any]:
    merge, operations, apply = PATCH_TYPES
    return {merge: _ANY, operations: _OPERATIONS, apply: _ANY}
