"""create, update, patch and apply."""

from __future__ import annotations

from typing import Any, cast

import orjson

from ..apply.managers import apply
from ..errors import BadRequest, Conflict, Invalid, NotFound, StatusError, UnsupportedMediaType
from ..fielderrors import invalid, required
from ..foreign import part
from ..objects.events import to_core, to_version
from ..patching.json_patch import LIMIT, apply_json_patch
from ..patching.merge_patch import apply_merge_patch
from ..patching.rejected import PatchMalformed, PatchRejected
from ..patching.strategic import apply_strategic_patch
from ..storage.records import Record
from .answer import Answer
from .call import Call, WriteOptions
from .decoding import Object, media_type, parse, read_object, shape
from .output import PLAIN, negotiate, one, to_yaml
from .reading import CONVERTED
from .storing import create as store_new
from .storing import existing, key_of, replace, writer_of

JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY)


async def create(call: Call) -> Answer:
    options = call.write_options()
    obj = _inward(call, read_object(call, options))
    return await _answer(call, store_new(call, obj, options), 201)


async def update(call: Call) -> Answer:
    options = call.write_options()
    obj = _inward(call, read_object(call, options))
    if not obj["metadata"].get("name"):
        raise BadRequest("name must be provided")
    return await _answer(call, replace(call, existing(call), obj, options), 200)


def _inward(call: Call, obj: Object) -> Object:
    if call.resource.store == CONVERTED and call.resource.group:
        return to_core(obj)
    return obj


async def _answer(call: Call, encoded: bytes, code: int) -> Answer:
    """Wait until it is durable, then show it in the form asked for."""
    await call.api.store.committed()
    form = negotiate(call.accept, call.query.get("includeObject"))
    if call.resource.store == CONVERTED and call.resource.group:
        stored = b"{" + encoded[len(call.resource.header) :]
        encoded = call.resource.encode(to_version(call.resource.group, stored))
    if form.kind != PLAIN:
        encoded = one(form, call.resource, b"{" + encoded[len(call.resource.header) :], call.api.clock())
    return Answer(to_yaml(encoded), code, "application/yaml") if form.yaml else Answer(encoded, code)


async def patch(call: Call) -> Answer:
    kind = media_type(call.content_type)
    if kind not in PATCH_TYPES or (kind == STRATEGIC and call.resource.custom is not None):
        offered = [name for name in PATCH_TYPES if name != STRATEGIC or call.resource.custom is None]
        raise UnsupportedMediaType(offered)
    if kind == APPLY:
        return await _apply(call)
    options = call.write_options()
    document = parse(call.body, "application/json")
    record = existing(call)
    patched = _patched(call, kind, record, document)
    obj = _inward(call, shape(call, patched, options))
    return await _answer(call, replace(call, record, obj, options), 200)


def _patched(call: Call, kind: str, record: Record, document: Any) -> Any:
    current = call.resource.decode(record.value)
    if call.resource.store == CONVERTED and call.resource.group:
        current = call.resource.decode(to_version(call.resource.group, record.value))
    try:
        if kind == JSON_PATCH:
            if isinstance(document, list) and len(cast("list[Any]", document)) > LIMIT:
                raise PatchMalformed(f"The allowed maximum operations in a JSON patch is {LIMIT}")
            return apply_json_patch(current, document)
        if kind == STRATEGIC:
            return apply_strategic_patch(current, document, call.resource.node)
        if not isinstance(document, dict):
            raise PatchMalformed("a merge patch of an object is an object")
        return apply_merge_patch(current, document)
    except PatchMalformed as error:
        raise BadRequest(f"error decoding patch: {error}") from error
    except PatchRejected as error:
        raise PatchDoesNotFit(call, str(error)) from error


class PatchDoesNotFit(StatusError):
    code, reason = 422, "Invalid"

    def __init__(self, call: Call, why: str) -> None:
        details = {"name": call.info.name, "group": call.resource.group, "kind": call.resource.plural}
        causes = [{"reason": "UnexpectedServerResponse", "message": why}]
        kept = {key: value for key, value in details.items() if value}
        super().__init__(
            f"the server rejected our request due to an error in our request: {why}", {**kept, "causes": causes}
        )


# -- server-side apply


async def _apply(call: Call) -> Answer:
    options = call.write_options()
    if not call.query.get("fieldManager"):
        error = required("fieldManager", "is required for apply patch")
        raise Invalid("meta.k8s.io", "PatchOptions", "", [error])
    wish = parse(call.body, APPLY)
    if not isinstance(wish, dict):
        raise BadRequest("error decoding YAML: an apply patch is an object")
    wished = _wish(call, cast("Object", wish), options)
    record = call.api.store.latest(key_of(call, call.info.name))
    if record is None:
        return await _answer(call, _apply_new(call, wished, options), 201)
    live = call.resource.decode(record.value)
    _check_versions(call, wished, record, live)
    merged, managed = apply(call.resource.node, live, wished, writer_of(call, options), options.force)
    obj = shape(call, merged, options)
    return await _answer(call, replace(call, record, obj, options, managed), 200)


def _wish(call: Call, wish: Object, options: WriteOptions) -> Object:
    """The wish without unknown fields and without defaults: only what its manager states is owned."""
    meta = part(wish, "metadata")
    if meta.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
    if not wish.get("kind") or not wish.get("apiVersion"):
        raise BadRequest("the object provided is unrecognized (must be of type Object): couldn't get version/kind")
    original = orjson.loads(orjson.dumps(wish))
    shaped = shape(call, wish, options)
    kept = _common(original, shaped)
    kept["metadata"] = {**part(kept, "metadata"), "name": meta.get("name") or call.info.name}
    if kept["metadata"]["name"] != call.info.name:
        raise BadRequest(
            f"the name of the object ({kept['metadata']['name']}) does not match the name on the URL ({call.info.name})"
        )
    return kept


def _common(original: Any, shaped: Any) -> Any:
    """What of ``original`` is still in ``shaped`` (with the values of ``shaped``): defaults fall away."""
    if isinstance(original, dict) and isinstance(shaped, dict):
        stated, full = cast("Object", original), cast("Object", shaped)
        return {key: _common(stated[key], value) for key, value in full.items() if key in stated}
    if isinstance(original, list) and isinstance(shaped, list):
        return [_common(a, b) for a, b in zip(cast("list[Any]", original), cast("list[Any]", shaped), strict=True)]
    return shaped


def _check_versions(call: Call, wish: Object, record: Record, live: Object) -> None:
    meta = wish["metadata"]
    if meta.get("resourceVersion") and meta["resourceVersion"] != str(record.rev):
        raise Conflict(call.resource.group, call.resource.plural, record.name)
    if meta.get("uid") and meta["uid"] != live["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {live['metadata']['uid']}"
        raise Conflict(call.resource.group, call.resource.plural, record.name, why)


def _apply_new(call: Call, wish: Object, options: WriteOptions) -> bytes:
    if call.info.subresource:
        raise NotFound(call.resource.group, call.resource.plural, call.info.name)
    if wish["metadata"].get("uid"):
        error = invalid(
            "metadata.uid",
            wish["metadata"]["uid"],
            "uid mismatch: the provided object specified uid, and no existing object was found",
        )
        raise Conflict(call.resource.group, call.resource.plural, call.info.name, str(error))
    _, managed = apply(call.resource.node, None, wish, writer_of(call, options), options.force)
    obj = shape(call, orjson.loads(orjson.dumps(wish)), options)
    return store_new(call, obj, options, managed)
