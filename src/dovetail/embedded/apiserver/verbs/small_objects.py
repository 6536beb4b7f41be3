"""Objects that are only sent, never stored: Binding, Eviction, options. Reading them from a body."""

from __future__ import annotations

from typing import Any, cast

from ..errors import BadRequest
from ..schema.builtin import definitions
from ..schema.conform import Mismatch, conform
from .call import Call
from .decoding import NotReadable, Object, parse

Kind = tuple[str, str, str]


def read_small(call: Call, kind: Kind, versions: tuple[str, ...]) -> Object:
    """The body as an object of ``kind``; other ``versions`` of its group are taken, too. Raises BadRequest."""
    group, version, name = kind
    try:
        value: Any = parse(call.body, call.content_type) or {}
    except NotReadable as error:
        text = f"couldn't get version/kind; json parse error: {error}"
        raise BadRequest(f"the object provided is unrecognized (must be of type {name}): {text}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"the object provided is unrecognized (must be of type {name})")
    obj = cast("Object", value)
    wanted = f"{group}/{version}" if group else version
    accepted = [wanted, *(f"{group}/{other}" for other in versions)]
    found, found_kind = obj.get("apiVersion") or wanted, obj.get("kind") or name
    if found_kind != name:
        raise BadRequest(f'{found_kind} in version "{found}" cannot be handled as a {name}: unknown conversion')
    if found not in accepted:
        raise BadRequest(f"the API version in the data ({found}) does not match the expected API version ({wanted})")
    try:
        shaped = conform(definitions().kind_node(*kind), obj, [])
    except Mismatch as error:
        raise BadRequest(f'{name} in version "{version}" cannot be handled as a {name}: {error}') from error
    except KeyError:
        shaped = obj
    return {**shaped, "apiVersion": wanted, "kind": name, "metadata": shaped.get("metadata") or {}}
