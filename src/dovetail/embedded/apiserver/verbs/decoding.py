"""Reading an object from a request: media type, kind, shape, unknown fields."""

from __future__ import annotations

from typing import Any, cast

import orjson

from ..errors import BadRequest, UnsupportedMediaType
from ..foreign import part
from ..objects.defaulting import apply_defaults
from ..registry.resource import ResourceType
from ..schema import protobuf
from ..schema.builtin import definitions
from ..schema.conform import Mismatch, conform
from ..schema.node import ANY
from .call import Call, WriteOptions

Object = dict[str, Any]

MEDIA_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


def media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def parse(raw: bytes, content_type: str) -> Any:
    """JSON, YAML or protobuf. Raises BadRequest, UnsupportedMediaType."""
    kind = media_type(content_type) or "application/json"
    if kind == protobuf.MEDIA_TYPE:
        try:
            return protobuf.decode(raw)
        except protobuf.NotDecodable as error:
            raise BadRequest(str(error)) from error
    if kind in ("application/yaml", "application/apply-patch+yaml"):
        return _parse_yaml(raw)
    if not kind.endswith("json"):
        raise UnsupportedMediaType(MEDIA_TYPES)
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequest(
            "the object provided is unrecognized (must be of type Object): couldn't get version/kind; json parse "
            f"error: {error}"
        ) from error


def _parse_yaml(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)  # most apply patches are JSON, which is YAML
    except orjson.JSONDecodeError:
        pass
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        parsed = yaml.load(raw, Loader=loader)
        return orjson.loads(orjson.dumps(parsed, default=_text, option=orjson.OPT_NON_STR_KEYS))
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        raise BadRequest(f"error decoding YAML: {error}") from error


def _text(value: Any) -> str:
    return str(value)


def read_object(call: Call, options: WriteOptions) -> Object:
    """The body as a complete object of the resource's kind: conforming, pruned, defaulted."""
    value = parse(call.body, call.content_type)
    return shape(call, value, options)


def shape(call: Call, value: Any, options: WriteOptions) -> Object:
    """Make any JSON value an object of the resource's kind, or say why not."""
    if not isinstance(value, dict):
        raise BadRequest(
            "the object provided is unrecognized (must be of type Object): couldn't get version/kind; json parse error"
        )
    obj = cast("Object", value)
    _check_kind(call.resource, obj)
    unknown: list[str] = []
    obj = _custom(call.resource, obj, unknown) if call.resource.custom else _builtin(call.resource, obj, unknown)
    _report(call, unknown, options)
    obj.setdefault("metadata", {})
    return obj


def _check_kind(resource: ResourceType, obj: Object) -> None:
    kind, version = obj.get("kind") or resource.kind, obj.get("apiVersion") or resource.api_version
    if resource.custom and not (obj.get("kind") and obj.get("apiVersion")):
        raise BadRequest(f"Object 'Kind' is missing in '{orjson.dumps(obj).decode()[:200]}'")
    if version != resource.api_version:
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        )
    if kind != resource.kind:
        group_version = resource.api_version
        raise BadRequest(
            f'{kind} in version "{group_version}" cannot be handled as a {resource.kind}: no kind "{kind}" is '
            "registered for the expected kind"
        )


def _builtin(resource: ResourceType, obj: Object, unknown: list[str]) -> Object:
    if resource.node.kind == ANY:
        return obj
    try:
        shaped: Object = conform(resource.node, obj, unknown)
    except Mismatch as error:
        raise _cannot_handle(resource, str(error)) from error
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
        text = str(error).replace("ObjectMeta.", "ObjectMeta.metadata.", 1)
        raise _cannot_handle(resource, text) from error
    unknown += [f"metadata.{path}" for path in dropped]
    resource.custom.prune_and_default(obj, unknown)
    return obj


def _cannot_handle(resource: ResourceType, why: str) -> BadRequest:
    return BadRequest(f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}')


def _report(call: Call, unknown: list[str], options: WriteOptions) -> None:
    if not unknown or options.validation == "Ignore":
        return
    texts = [f'unknown field "{path}"' for path in unknown]
    if options.validation == "Strict":
        raise _cannot_handle(call.resource, f"strict decoding error: {', '.join(texts)}")
    call.warnings.extend(texts)
