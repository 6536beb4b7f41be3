"""JSON Patch (RFC 6902) on JSON pointers (RFC 6901). Pure: the document given is not changed.

Habits of Kubernetes' implementation (evanphx/json-patch 4) are kept: ``remove`` and ``replace`` of a missing path fail,
an index may be negative (``-1`` is the last item; for ``add`` the place behind it), and whatever is wrong with an
operation shows when it is applied: only what is no list of objects is no patch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

from .rejected import PatchMalformed, PatchRejected

LIMIT = 10_000


def apply_json_patch(document: Any, operations: Any) -> Any:
    """The patched document. Raises PatchMalformed or PatchRejected."""
    if not isinstance(operations, list):
        raise PatchMalformed("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    result = copy.deepcopy(document)
    for operation in cast("list[Any]", operations):
        if not isinstance(operation, dict):
            kind = "array" if isinstance(operation, list) else "string" if isinstance(operation, str) else "number"
            raise PatchMalformed(f"json: cannot unmarshal {kind} into Go value of type jsonpatch.Operation")
        result = _operate(result, cast("dict[str, Any]", operation))
    return result


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    name, path = operation.get("op"), _pointer(operation.get("path"))
    if name == "add":
        return _add(document, path, copy.deepcopy(_value(operation)))
    if name == "remove":
        return _remove(document, path)
    if name == "replace":
        return _replace(document, path, copy.deepcopy(_value(operation)))
    if name == "test":
        return _test(document, path, operation)
    source = _pointer(operation.get("from"))
    if name == "copy":
        return _add(document, path, copy.deepcopy(_resolve(document, source, "copy")))
    if name == "move":
        if path[: len(source)] == source and path != source:
            raise PatchRejected(f"cannot move {_text(source)} into itself")
        moved = _resolve(document, source, "move")
        return _add(_remove(document, source), path, moved)
    raise PatchRejected(f"Unexpected kind: {name}")


def _value(operation: dict[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchRejected(f"{operation.get('op')} operation without a value")
    return operation["value"]


def _test(document: Any, path: Sequence[str], operation: dict[str, Any]) -> Any:
    wanted = operation.get("value")
    try:
        found = _resolve(document, path, "test")
    except PatchRejected:
        if wanted is None:  # a missing field equals null, as in evanphx/json-patch
            return document
        raise
    if not _equal(found, wanted):
        raise PatchRejected(f"testing value {_text(path)} failed")
    return document


def _equal(left: Any, right: Any) -> bool:
    """JSON equality: 1 is 1.0, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        a, b = cast("dict[str, Any]", left), cast("dict[str, Any]", right)
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(left, list) and isinstance(right, list):
        c, d = cast("list[Any]", left), cast("list[Any]", right)
        return len(c) == len(d) and all(map(_equal, c, d))
    return left == right


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchRejected(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _text(path: Sequence[str]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)


def _index(part: str, length: int, path: Sequence[str]) -> int:
    try:
        index = int(part) if part.isascii() else length
    except ValueError:
        index = length
    if not -length <= index < length:
        raise PatchRejected(f"Unable to access invalid index: {part} in {_text(path)}")
    return index + length if index < 0 else index


def _resolve(document: Any, path: Sequence[str], operation: str) -> Any:
    for part in path:
        if isinstance(document, dict) and part in document:
            document = cast("dict[str, Any]", document)[part]
        elif isinstance(document, list):
            document = cast("list[Any]", document)[_index(part, len(cast("list[Any]", document)), path)]
        else:
            raise PatchRejected(
                f'{operation} operation does not apply: doc is missing path: "{_text(path)}": missing value'
            )
    return document


def _add(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    parent, last = _resolve(document, path[:-1], "add"), path[-1]
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        items = cast("list[Any]", parent)
        items.insert(len(items) if last == "-" else _index(last, len(items) + 1, path), value)
    else:
        raise PatchRejected(f'add operation does not apply: doc is missing path: "{_text(path)}": missing value')
    return document


def _remove(document: Any, path: Sequence[str]) -> Any:
    if not path:
        raise PatchRejected("the whole document cannot be removed")
    _resolve(document, path, "remove")
    parent, last = _resolve(document, path[:-1], "remove"), path[-1]
    if isinstance(parent, list):
        items = cast("list[Any]", parent)
        del items[_index(last, len(items), path)]
    else:
        del parent[last]
    return document


def _replace(document: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    _resolve(document, path, "replace")
    parent, last = _resolve(document, path[:-1], "replace"), path[-1]
    if isinstance(parent, list):
        items = cast("list[Any]", parent)
        items[_index(last, len(items), path)] = value
    else:
        parent[last] = value
    return document
