"""create, update, patch and apply."""

from __future__ import annotations

from typing import Any, cast

import orjson

from ..access.rbac import Attributes as Asked
from ..access.rbac import forbidden_sentence
from ..apply.managers import apply
from ..apply.typed import check_typed
from ..errors import BadRequest, Conflict, Forbidden, NotFound, StatusError, UnsupportedMediaType
from ..foreign import part
from ..patching.json_patch import LIMIT, apply_json_patch
from ..patching.merge_patch import apply_merge_patch
from ..patching.rejected import PatchMalformed, PatchRejected
from ..patching.strategic import apply_strategic_patch
from ..schema.conform import Mismatch
from ..storage.records import Record
from .admitting import create as store_new
from .admitting import modify
from .answer import Answer
from .call import Call, WriteOptions
from .decoding import (
    APPLY,
    NotReadable,
    Object,
    conformed,
    media_type,
    parse,
    parse_json,
    read_object,
    repeated,
    shape_patched,
    shown_patch,
)
from .output import PLAIN, negotiate, one, to_yaml
from .storing import check_namespace, key_of, name_mismatch, writer_of
from .update_rules import created_by_update

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY)
_GO_TYPES = {list: "array", str: "string", int: "number", float: "number", bool: "bool", type(None): "null"}


async def create(call: Call) -> Answer:
    negotiate(call.accept)
    options = call.write_options()
    obj = _inward(call, read_object(call, options))
    return await answer_with(call, await store_new(call, obj, options), 201)


async def update(call: Call) -> Answer:
    negotiate(call.accept)
    options = call.write_options()
    sent = _inward(call, read_object(call, options))
    _check_names(call, sent["metadata"])
    if call.api.store.latest(key_of(call, call.info.name)) is None and _creates(call):
        return await answer_with(call, await store_new(call, sent, options), 201)
    again = orjson.dumps(sent) if call.api.webhooks.any() else b""
    pending: list[Object] = [sent]

    def change(record: Record) -> tuple[Object, None]:
        del record
        return (pending.pop() if pending else orjson.loads(again)), None

    return await answer_with(call, await modify(call, change, options), 200)


def _check_names(call: Call, meta: Object) -> None:
    name = meta.get("name")
    if not name:
        text = f"the name of the object ({call.info.name} based on URL) was undeterminable: name must be provided"
        raise BadRequest(text)
    if name != call.info.name:
        raise BadRequest(name_mismatch(name, call.info.name))
    check_namespace(call, meta)


def _creates(call: Call) -> bool:
    """Whether this update of a missing object makes it. Raises Forbidden when the user may not create it."""
    if call.info.subresource or not created_by_update(call.resource):
        return False
    _check_may_create(call)
    return True


def _check_may_create(call: Call) -> None:
    info = call.info
    asked = Asked("create", info.group, info.plural, info.subresource, info.namespace, info.name)
    if not call.api.authorizer.allows(call.user, asked):
        raise Forbidden(info.group, info.plural, info.name, forbidden_sentence(call.user, asked))


def _inward(call: Call, obj: Object) -> Object:
    conversion = call.resource.conversion
    return obj if conversion is None else conversion.inward(obj)


async def answer_with(call: Call, encoded: bytes, code: int) -> Answer:
    """Wait until it is durable, then show it in the form asked for."""
    await call.api.store.committed()
    form = negotiate(call.accept, call.query.get("includeObject"))
    if call.resource.conversion is not None:
        stored = b"{" + encoded[len(call.resource.header) :]
        encoded = call.resource.encode(call.resource.conversion.outward(stored))
    if form.kind != PLAIN:
        encoded = one(form, call.resource, b"{" + encoded[len(call.resource.header) :], call.api.clock())
    return Answer(to_yaml(encoded), code, "application/yaml") if form.yaml else Answer(encoded, code)


async def patch(call: Call) -> Answer:
    kind = patch_type(call)
    negotiate(call.accept)
    options = call.write_options()
    if kind == APPLY:
        return await _apply(call, options)
    document, again = read_patch(call, kind, options)

    def change(record: Record) -> tuple[Object, None]:
        patched = patched_object(kind, _current(call, record), document, call)
        shown = shown_patch(document, patched, kind == STRATEGIC)
        return _inward(call, shape_patched(call, patched, options, shown, again)), None

    return await answer_with(call, await modify(call, change, options), 200)


def patch_type(call: Call) -> str:
    """Raises UnsupportedMediaType."""
    kind = media_type(call.content_type)
    offered = [name for name in PATCH_TYPES if name != STRATEGIC or call.resource.custom is None]
    if kind not in offered:
        raise UnsupportedMediaType(offered)
    return kind


def read_patch(call: Call, kind: str, options: WriteOptions) -> tuple[Any, list[str]]:
    """The patch, and what a strict reader says of repeated fields."""
    prefix = "" if kind == STRATEGIC else "error decoding patch: "
    try:
        document: Any = parse_json(call.body)
    except NotReadable as error:
        raise BadRequest(f"{prefix}{error}") from error
    wanted, go_type = (list, "[]handlers.jsonPatchOp") if kind == JSON_PATCH else (dict, "map[string]interface {}")
    if document.__class__ is not wanted:
        found = _GO_TYPES.get(document.__class__, "object")
        raise BadRequest(f"{prefix}json: cannot unmarshal {found} into Go value of type {go_type}")
    if kind == JSON_PATCH and len(cast("list[Any]", document)) > LIMIT:
        raise PatchTooLong(len(cast("list[Any]", document)))
    if options.validation == "Ignore":
        return document, []
    texts = repeated(call.body, "application/json", document).texts
    return document, [f"json patch {text}" if kind == JSON_PATCH else text for text in texts]


def _current(call: Call, record: Record) -> Object:
    conversion = call.resource.conversion
    return call.resource.decode(record.value if conversion is None else conversion.outward(record.value))


def patched_object(kind: str, current: Object, document: Any, call: Call) -> Any:
    """The object with the patch applied. Raises BadRequest, PatchDoesNotFit."""
    try:
        if kind == JSON_PATCH:
            return apply_json_patch(current, document)
        if kind == STRATEGIC:
            return apply_strategic_patch(current, document, call.resource.node)
        return apply_merge_patch(current, document)
    except PatchMalformed as error:
        raise BadRequest(str(error)) from error
    except PatchRejected as error:
        raise PatchDoesNotFit from error


class PatchDoesNotFit(StatusError):
    """kube-apiserver does not say why."""

    code, reason = 422, "Invalid"

    def __init__(self) -> None:
        super().__init__("the server rejected our request due to an error in our request", {})

    def status(self) -> dict[str, Any]:
        return super().status() | {"details": {}}


class PatchTooLong(StatusError):
    code, reason = 413, "RequestEntityTooLarge"

    def __init__(self, count: int) -> None:
        limit = f"The allowed maximum operations in a JSON patch is {LIMIT}, got {count}"
        super().__init__(f"Request entity too large: {limit}")


# -- server-side apply


async def _apply(call: Call, options: WriteOptions) -> Answer:
    wish = _read_wish(call, options)
    node = call.resource.node

    def change(record: Record) -> tuple[Object, list[Object] | None]:
        live = _current(call, record)
        _check_versions(call, wish, record, live)
        merged, managed = apply(node, live, wish, writer_of(call, options), options.force)
        return _inward(call, _whole(call, merged)), managed

    if call.api.store.latest(key_of(call, call.info.name)) is None:
        return await answer_with(call, await _apply_new(call, wish, options), 201)
    return await answer_with(call, await modify(call, change, options), 200)


def _whole(call: Call, merged: Object) -> Object:
    try:
        return conformed(call.resource, merged, [])
    except Mismatch as error:
        raise BadRequest(str(error)) from error


def _read_wish(call: Call, options: WriteOptions) -> Object:
    """What its manager states, and nothing else. Raises StatusError."""
    try:
        sent = parse(call.body, APPLY)
    except NotReadable as error:
        raise BadRequest(f"error decoding YAML: {error}") from error
    if sent is not None and not isinstance(sent, dict):
        found = _GO_TYPES.get(cast("type[Any]", sent.__class__), "object")
        text = f"error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {found}"
        raise BadRequest(f"error decoding YAML: {text} into Go value of type map[string]interface {{}}")
    wish = cast("Object", sent or {})
    _check_wish(call, wish)
    texts = list(repeated(call.body, APPLY, wish).texts) if options.validation != "Ignore" else []
    if texts and options.validation == "Strict":
        raise BadRequest(f"error strict decoding YAML: {', '.join(texts)}")
    call.warnings.extend(texts)
    return wish


def _check_wish(call: Call, wish: Object) -> None:
    resource, meta = call.resource, part(wish, "metadata")
    if meta.get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    if not wish.get("kind"):
        raise BadRequest(f"error decoding YAML: Object 'Kind' is missing in '{orjson.dumps(wish).decode()}'")
    if (wish.get("apiVersion"), wish.get("kind")) != (resource.api_version, resource.kind):
        group, _, version = str(wish.get("apiVersion", "")).rpartition("/")
        raise BadRequest(f"invalid object type: {group}/{version}, Kind={wish.get('kind')}")
    check_typed(resource.node, wish)
    meta = wish.setdefault("metadata", {})
    if meta.setdefault("name", call.info.name) != call.info.name:
        raise BadRequest(name_mismatch(meta["name"], call.info.name))


def _check_versions(call: Call, wish: Object, record: Record, live: Object) -> None:
    meta = wish["metadata"]
    if meta.get("resourceVersion") and meta["resourceVersion"] != str(record.rev):
        raise Conflict(call.resource.group, call.resource.plural, record.name)
    if meta.get("uid") and meta["uid"] != live["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {live['metadata']['uid']}"
        raise Conflict(call.resource.group, call.resource.plural, record.name, why)


async def _apply_new(call: Call, wish: Object, options: WriteOptions) -> bytes:
    if call.info.subresource:
        raise NotFound(call.resource.group, call.resource.plural, call.info.name)
    uid = wish["metadata"].get("uid")
    if uid:
        why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
        raise Conflict(call.resource.group, call.resource.plural, call.info.name, why)
    _check_may_create(call)
    _, managed = apply(call.resource.node, None, wish, writer_of(call, options), options.force)
    obj = _inward(call, _whole(call, orjson.loads(orjson.dumps(wish))))
    return await store_new(call, obj, options, managed)
