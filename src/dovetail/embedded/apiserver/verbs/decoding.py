"""Reading an object from a request: media type, kind, shape, unknown and repeated fields.

Order and words are those of kube-apiserver: the text must be readable, its apiVersion and kind those of the resource,
its fields of the right type; only then unknown and repeated fields count (``fieldValidation``).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from ..errors import BadRequest, Invalid, UnsupportedMediaType
from ..fielderrors import invalid
from ..foreign import part
from ..gotext import plain
from ..media_types import OFFERED, PROTOBUF, READ
from ..objects.defaulting import apply_defaults
from ..registry.resource import ResourceType
from ..schema import protobuf
from ..schema.builtin import definitions
from ..schema.conform import Mismatch, conform
from ..schema.node import ANY
from .call import Call, WriteOptions
from .strictness import MAX_DEPTH, duplicates, json_problem

Object = dict[str, Any]

APPLY = "application/apply-patch+yaml"
_SHOWN = 30
_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
_NOT_OBJECT = (
    "json: cannot unmarshal {} into Go value of type struct {{ "
    'APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }}'
)
_GO_JSON = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}


class NotReadable(BadRequest):
    """The text is not JSON or YAML; the sentence is Go's."""


def media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def parse(raw: bytes, content_type: str) -> Any:
    """JSON, YAML or protobuf. Raises NotReadable, BadRequest, UnsupportedMediaType."""
    kind = media_type(content_type) or "application/json"
    if kind == PROTOBUF:
        try:
            return protobuf.decode(raw)
        except protobuf.NotDecodable as error:
            raise BadRequest(str(error)) from error
    if kind in ("application/yaml", APPLY):
        return _parse_yaml(raw)
    if not kind.endswith("json"):
        raise UnsupportedMediaType(READ)
    return parse_json(raw)


def parse_json(raw: bytes) -> Any:
    """Raises NotReadable, also for what could be read and never written again."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise NotReadable(json_problem(raw)) from error
    if too_deep(raw, value):
        raise NotReadable("exceeded max depth")
    return value


def too_deep(raw: bytes, value: Any) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    try:
        orjson.dumps(value)
    except TypeError:
        return True
    return False


def _parse_yaml(raw: bytes) -> Any:
    if raw[:1] == b"{":
        with suppress(NotReadable):
            return parse_json(raw)  # most apply patches are JSON, which is YAML
    from . import yaml_text  # as heavy as it is rare

    try:
        return yaml_text.load(raw)
    except yaml_text.NotYaml as error:
        raise NotReadable(f"yaml: {error}") from error


@dataclass(frozen=True, slots=True)
class Repeated:
    """What a strict reader says of repeated fields, with their places, and where every field stands."""

    texts: dict[str, int] = field(default_factory=dict[str, int])
    places: dict[str, int] = field(default_factory=dict[str, int])

    def with_unknown(self, unknown: list[str]) -> list[str]:
        """All complaints in the order of the text."""
        found = dict(self.texts)
        for path in unknown:
            found[f'unknown field "{path}"'] = self.places.get(path, -1)
        return sorted(found, key=lambda text: found[text])


NOTHING = Repeated()


def repeated(raw: bytes, content_type: str, value: Any) -> Repeated:
    """The repeated fields of a readable body."""
    kind = media_type(content_type) or "application/json"
    if kind.endswith("json") or raw[:1] == b"{":
        again, places = duplicates(raw, value)
        return Repeated({f'duplicate field "{path}"': place for path, place in again.items()}, places)
    return Repeated(_repeated_yaml(raw)) if kind.endswith("yaml") else NOTHING


def _repeated_yaml(raw: bytes) -> dict[str, int]:
    from . import yaml_text

    return {text: place for place, text in enumerate(yaml_text.repeated(raw))}


def read_object(call: Call, options: WriteOptions) -> Object:
    """The body as a complete object of the resource's kind: conforming, pruned, defaulted."""
    if call.resource.custom is not None and media_type(call.content_type) == PROTOBUF:
        raise UnsupportedMediaType(OFFERED)
    try:
        value = parse(call.body, call.content_type)
    except NotReadable as error:
        raise unrecognized(call, f"couldn't get version/kind; json parse error: {error}") from error
    if options.validation == "Ignore":
        return shape(call, value, options)
    return shape(call, value, options, repeated(call.body, call.content_type, value))


def unrecognized(call: Call, why: str) -> BadRequest:
    return BadRequest(
        f"the object provided is unrecognized (must be of type {call.resource.kind}): {why} ({_summary(call.body)})"
    )


def _summary(body: bytes) -> str:
    """The start of a body, as in messages: text when it looks like JSON, hexadecimal otherwise."""
    if not body:
        return "<empty>"
    start = body[:_SHOWN]
    text = start.decode("utf-8", "replace") if body[:1] == b"{" else start.hex()
    return text + " ..." if len(body) > _SHOWN else text


def shape(call: Call, value: Any, options: WriteOptions, again: Repeated = NOTHING) -> Object:
    """Make any JSON value an object of the resource's kind, or say why not."""
    if value is None:
        value = {}
    if not isinstance(value, dict):
        found = _GO_JSON[cast("type[Any]", value.__class__)]
        raise unrecognized(call, f"couldn't get version/kind; json parse error: {_NOT_OBJECT.format(found)}")
    obj = cast("Object", value)
    _check_kind(call, obj)
    unknown: list[str] = []
    try:
        obj = conformed(call.resource, obj, unknown)
    except Mismatch as error:
        raise _cannot_handle(call.resource, str(error)) from error
    _report(call, again.with_unknown(unknown) if unknown or again.texts else [], options)
    return obj


def conformed(resource: ResourceType, obj: Object, unknown: list[str]) -> Object:
    """The object in the resource's shape, with defaults; ``unknown`` gets what fell away. Raises Mismatch."""
    obj = _custom(resource, obj, unknown) if resource.custom else _builtin(resource, obj, unknown)
    obj.setdefault("metadata", {})
    return obj


def _check_kind(call: Call, obj: Object) -> None:
    resource = call.resource
    kind, version = obj.get("kind") or "", obj.get("apiVersion") or ""
    for name, found in (("kind", kind), ("apiVersion", version)):
        if not isinstance(found, str):
            text = f"json: cannot unmarshal {_GO_JSON[found.__class__]} into Go struct field .{name} of type string"
            raise unrecognized(call, f"couldn't get version/kind; json parse error: {text}")
    if resource.custom and not (kind and version):
        missing = "Kind" if not kind else "apiVersion"
        text = call.body.decode("utf-8", "replace") or orjson.dumps(obj).decode()
        raise unrecognized(call, f"Object '{missing}' is missing in '{text}'")
    kind, version = kind or resource.kind, version or resource.api_version
    if not resource.custom and kind != resource.kind:
        raise _wrong_kind(call, kind, version)
    if version != resource.api_version:
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        error = invalid("kind", kind, f"must be {resource.kind}")
        raise Invalid(resource.group, resource.kind, str(part(obj, "metadata").get("name") or ""), [error])


def _wrong_kind(call: Call, kind: str, version: str) -> BadRequest:
    """Another built-in kind is read and cannot become this one; of an unknown kind nothing can be read."""
    group, _, short = version.rpartition("/")
    other, wanted = call.api.catalogue.by_kind(group, short, kind), call.resource
    if other is not None and other.custom is None:
        package = wanted.group.partition(".")[0] or "core"
        why = f"converting ({short}.{kind}) to ({package}.{wanted.kind}): unknown conversion"
    else:
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"'
    return BadRequest(f'{kind} in version "{short}" cannot be handled as a {wanted.kind}: {why}')


def _builtin(resource: ResourceType, obj: Object, unknown: list[str]) -> Object:
    if resource.node.kind == ANY:
        return obj
    shaped: Object = conform(resource.node, obj, unknown)
    shaped["apiVersion"], shaped["kind"] = resource.api_version, resource.kind
    apply_defaults(resource.store, shaped)
    return shaped


def _custom(resource: ResourceType, obj: Object, unknown: list[str]) -> Object:
    assert resource.custom is not None
    dropped: list[str] = []
    try:
        obj["metadata"] = conform(definitions().object_meta, part(obj, "metadata"), dropped)
    except Mismatch as error:
        # conform names fields from where it starts; users know them from the object's root
        raise Mismatch(str(error).replace("ObjectMeta.", "ObjectMeta.metadata.", 1)) from error
    unknown += [f"metadata.{path}" for path in dropped]
    resource.custom.prune_and_default(obj, unknown)
    return obj


def _cannot_handle(resource: ResourceType, why: str) -> BadRequest:
    return BadRequest(f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}')


def _report(call: Call, texts: list[str], options: WriteOptions) -> None:
    if not texts or options.validation == "Ignore":
        return
    if options.validation == "Strict":
        raise _cannot_handle(call.resource, f"strict decoding error: {', '.join(texts)}")
    call.warnings.extend(texts)


# -- patched objects


def shape_patched(call: Call, patched: Any, options: WriteOptions, shown: str, again: list[str]) -> Object:
    """As ``shape``, for what a patch made of an object: problems are the patch's, which ``shown`` shows."""
    unknown: list[str] = []
    if not isinstance(patched, dict):
        raise _bad_patch(shown, _NOT_OBJECT.format(_GO_JSON.get(cast("type[Any]", patched.__class__), "null")))
    obj = cast("Object", patched)
    _check_kind(call, obj)
    try:
        obj = conformed(call.resource, obj, unknown)
    except Mismatch as error:
        raise _bad_patch(shown, str(error)) from error
    texts = [*again, *(f'unknown field "{path}"' for path in unknown)]
    if texts and options.validation == "Strict":
        raise _bad_patch(shown, f"strict decoding error: {', '.join(texts)}")
    if texts and options.validation == "Warn":
        call.warnings.extend(texts)
    return obj


def _bad_patch(shown: str, why: str) -> Invalid:
    return Invalid("", "", "", [invalid("patch", shown, why)])


def shown_patch(document: Any, patched: Any, strategic: bool) -> str:
    """What messages show of a patch: the strategic one itself, otherwise its result."""
    return plain(document) if strategic else orjson.dumps(patched).decode()
