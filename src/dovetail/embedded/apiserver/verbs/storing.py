"""The common end of every write: rules of the kind, validation, managed fields, the store.

``create`` and ``replace`` are synchronous: between reading the latest version and writing the new one nothing can
happen. The caller awaits ``store.committed()`` before it answers.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..admission import chain
from ..admission.plugin import CREATE, UPDATE, Attributes
from ..apply.managers import Writer, record_update
from ..errors import AlreadyExists, BadRequest, Conflict, Invalid, NotFound
from ..fielderrors import invalid
from ..foreign import part, parts
from ..objects import metadata
from ..objects.definitions import finish
from ..objects.namespaces import check_open
from ..objects.strategies import Context, strategy_of
from ..registry.resource import ResourceType, pack
from ..storage.records import ObjectKey, Record
from .call import Call, WriteOptions

Object = dict[str, Any]

_NOT_SPEC = ("apiVersion", "kind", "metadata", "status")


def key_of(call: Call, name: str) -> ObjectKey:
    return ObjectKey(call.resource.store, call.namespace, name)


def writer_of(call: Call, options: WriteOptions) -> Writer:
    reset: tuple[str, ...] = ()
    if call.resource.has_status:
        reset = ("status",) if call.info.subresource != "status" else _all_but_status(call.resource)
    return Writer(options.manager, call.resource.api_version, call.info.subresource, call.api.now(), reset)


def _all_but_status(resource: ResourceType) -> tuple[str, ...]:
    return tuple(name for name in resource.node.fields if name != "status") or ("spec", "metadata")


def create(call: Call, obj: Object, options: WriteOptions, managed: list[Object] | None = None) -> bytes:
    """Store a new object and return it encoded. ``managed`` are its managedFields when an apply has worked them out."""
    resource, meta = call.resource, obj["metadata"]
    _check_namespace(call, meta)
    if call.info.name and meta.get("name", call.info.name) != call.info.name:
        raise BadRequest(_name_mismatch(meta.get("name"), call.info.name))
    claimed = meta.pop("managedFields", None)
    attributes = admission_attributes(call, CREATE, obj, None, options)
    chain.mutate(attributes)
    obj["metadata"] = metadata.start(meta, call.namespace, call.api.now(), resource.generation)
    if resource.has_status and not strategy_of(resource).keeps_status:
        obj.pop("status", None)
    context = Context(call.api, resource, call.user, call.namespace, options.dry_run)
    strategy_of(resource).prepare(context, obj, None)
    _validate(call, obj, None, context)
    name = obj["metadata"]["name"]
    if resource.namespaced:
        check_open(call.api, resource, call.namespace, name)
    key = key_of(call, name)
    if call.api.store.latest(key) is not None:
        raise AlreadyExists(resource.group, resource.plural, name)
    attributes.name = name
    chain.validate(attributes)
    if managed is None:
        seed = {**obj, "metadata": {**obj["metadata"], "managedFields": claimed}}
        managed = record_update(resource.node, None, seed, writer_of(call, options))
    if managed:
        obj["metadata"]["managedFields"] = managed
    return _put(call, key, obj, None, options)


def replace(
    call: Call, record: Record, obj: Object, options: WriteOptions, managed: list[Object] | None = None
) -> bytes:
    """Store the next version of an object and return it encoded; unchanged objects are not written."""
    resource, old = call.resource, call.resource.decode(record.value)
    _check_update(call, obj, old, record)
    status_only = call.info.subresource == "status"
    claimed = obj["metadata"].get("managedFields")
    attributes = admission_attributes(call, UPDATE, obj, old, options)
    chain.mutate(attributes)
    _carry(resource, obj, old, status_only)
    context = Context(call.api, resource, call.user, call.namespace, options.dry_run)
    strategy_of(resource).prepare(context, obj, old)
    if resource.generation and not status_only and _spec_changed(obj, old, resource):
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    _validate(call, obj, old, context)
    chain.validate(attributes)
    if managed is None:
        obj["metadata"]["managedFields"] = claimed
        managed = record_update(resource.node, old, obj, writer_of(call, options))
    obj["metadata"].pop("managedFields", None)
    if managed:
        obj["metadata"]["managedFields"] = managed
    return _finish_update(call, record, obj, old, options)


def admission_attributes(
    call: Call, operation: str, obj: Object | None, old: Object | None, options: WriteOptions
) -> Attributes:
    """The write as admission plugins see it."""
    return Attributes(
        call.api, operation, call.resource, call.info.subresource, call.namespace, call.info.name, obj, old, call.user,
        options.dry_run, {}, call.warnings,
    )  # fmt: skip


def _finish_update(call: Call, record: Record, obj: Object, old: Object, options: WriteOptions) -> bytes:
    obj["metadata"]["resourceVersion"] = old["metadata"].get("resourceVersion")
    if _same(obj, old):
        return call.resource.encode(record.value)
    key = key_of(call, record.name)
    if is_finished(obj):
        return remove(call, key, record, obj, options)
    return _put(call, key, obj, record, options)


def is_finished(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers"):
        return False
    return not part(obj, "spec").get("finalizers") if obj.get("kind") == "Namespace" else True


def _same(obj: Object, old: Object) -> bool:
    """Equal but for the times of managed fields: such a write changes nothing."""
    if obj == old:
        return True
    left, right = parts(obj["metadata"], "managedFields"), parts(old["metadata"], "managedFields")
    if [{**e, "time": ""} for e in left] != [{**e, "time": ""} for e in right]:
        return False
    meta = {**obj["metadata"], "managedFields": None}
    return {**obj, "metadata": meta} == {**old, "metadata": {**old["metadata"], "managedFields": None}}


def _put(call: Call, key: ObjectKey, obj: Object, record: Record | None, options: WriteOptions) -> bytes:
    store = call.api.store
    if options.dry_run:
        if record is None:
            obj["metadata"].pop("resourceVersion", None)
        return call.resource.encode(pack(obj))
    obj["metadata"]["resourceVersion"] = str(store.next_rev)
    value = pack(obj)
    store.put(key, value, record)
    strategy_of(call.resource).stored(call.api, obj)
    return call.resource.encode(value)


def remove(call: Call, key: ObjectKey, record: Record, obj: Object, options: WriteOptions) -> bytes:
    """Take an object out of the store and return its last state."""
    if options.dry_run:
        return call.resource.encode(pack(obj))
    obj["metadata"]["resourceVersion"] = str(call.api.store.next_rev)
    value = pack(obj)
    call.api.store.remove(key, value, record)
    strategy_of(call.resource).removed(call.api, obj)
    if call.resource.custom is not None:
        finish(call.api, call.resource.store)
    return call.resource.encode(value)


def _check_namespace(call: Call, meta: Object) -> None:
    if not call.resource.namespaced:
        meta.pop("namespace", None)
        return
    if meta.get("namespace") and meta["namespace"] != call.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def _name_mismatch(found: Any, wanted: str) -> str:
    return f"the name of the object ({found}) does not match the name on the URL ({wanted})"


def _check_update(call: Call, obj: Object, old: Object, record: Record) -> None:
    resource, meta = call.resource, obj["metadata"]
    _check_namespace(call, meta)
    if (meta.get("name") or record.name) != record.name:
        raise BadRequest(_name_mismatch(meta.get("name"), record.name))
    meta["name"] = record.name
    wanted = meta.get("resourceVersion")
    if wanted and wanted != str(record.rev):
        raise Conflict(resource.group, resource.plural, record.name)
    if not wanted and resource.custom and call.info.verb == "update":
        error = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise Invalid(resource.group, resource.kind, record.name, [error])
    uid = meta.get("uid")
    if uid and uid != old["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
        raise Conflict(resource.group, resource.plural, record.name, why)


def _carry(resource: ResourceType, obj: Object, old: Object, status_only: bool) -> None:
    """Each endpoint writes its own part: /status the status, the main one everything else."""
    if status_only:
        status = obj.get("status")
        obj.clear()
        obj.update(orjson.loads(orjson.dumps(old)))
        if status is None:
            obj.pop("status", None)
        else:
            obj["status"] = status
        return
    metadata.carry(obj["metadata"], old["metadata"])
    if resource.has_status and not strategy_of(resource).keeps_status:
        obj.pop("status", None)
        if "status" in old:
            obj["status"] = old["status"]


def _spec_changed(obj: Object, old: Object, resource: ResourceType) -> bool:
    ignored = _NOT_SPEC if resource.has_status else _NOT_SPEC[:3]
    return any(obj.get(name) != old.get(name) for name in {*obj, *old} if name not in ignored)


def _validate(call: Call, obj: Object, old: Object | None, context: Context) -> None:
    resource = call.resource
    meta = obj["metadata"]
    errors = metadata.validate(resource.store, meta, old["metadata"] if old else None)
    if resource.custom is not None:
        errors += resource.custom.validate(obj)
    errors += strategy_of(resource).validate(context, obj, old)
    if errors:
        raise Invalid(resource.group, resource.kind, str(meta.get("name") or meta.get("generateName") or ""), errors)


def existing(call: Call) -> Record:
    """The latest version of the object that the URL names. Raises NotFound."""
    record = call.api.store.latest(key_of(call, call.info.name))
    if record is None:
        raise NotFound(call.resource.group, call.resource.plural, call.info.name)
    return record
