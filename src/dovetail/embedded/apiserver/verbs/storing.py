"""The steps of every write: checks, managed fields, rules of the kind, validation, the store.

A creation is ``begin_create``, ``prepare_create``, ``finish_create``; an update is ``begin_update``,
``prepare_update``, ``finish_update``. Each step is synchronous. ``admitting`` puts admission webhooks between them,
which wait; ``create`` and ``replace`` here go straight through, without webhooks, for the server's own objects. The
last step looks at the store again, so whatever happened in between is seen; nothing can happen between its look and
its write. The caller awaits ``store.committed()`` before it answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..admission import chain
from ..admission.plugin import CREATE, UPDATE, Attributes
from ..admission.plugins.resource_quota import ledger as quotas
from ..apply.managers import Writer, record_update
from ..errors import AlreadyExists, BadRequest, Invalid, NotFound, StatusError
from ..foreign import part
from ..objects import metadata
from ..objects.definitions import finish
from ..objects.namespaces import check_open
from ..objects.strategies import Context, strategy_of
from ..registry.resource import ResourceType, pack
from ..storage.records import ObjectKey, Record
from .call import Call, WriteOptions
from .carrying import carry, drop_repeated_owners, same, set_managed, spec_changed
from .decoding import Object, conformed
from .update_rules import check_uid, check_version, immutable_errors, status_keeps_metadata

_OF_SERVER = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
_NAMES = 8  # how many generated names are tried, as in kube-apiserver


class VersionOnCreate(StatusError):
    """kube-apiserver has no reason for this one."""

    code, reason = 500, ""

    def __init__(self) -> None:
        super().__init__("resourceVersion should not be set on objects to be created")


class NameNotGenerated(AlreadyExists):
    def __init__(self, resource: ResourceType, name: str) -> None:
        super().__init__(resource.group, resource.plural, name)
        self.message += ", the server was not able to generate a unique name for the object"
        self.details = {**(self.details or {}), "retryAfterSeconds": 1}


@dataclass(slots=True)
class Draft:
    """A write in the making. ``record`` and ``old`` are the version that it changes (None: a creation). ``tick`` is
    the store's revision when it began: as long as that is the same, nothing else has been written.
    """

    call: Call
    options: WriteOptions
    attributes: Attributes
    obj: Object
    record: Record | None = None
    old: Object | None = None
    tick: int = -1

    @property
    def status_only(self) -> bool:
        return self.call.info.subresource == "status"

    @property
    def context(self) -> Context:
        call = self.call
        return Context(call.api, call.resource, call.user, call.namespace, self.options.dry_run, call.info.subresource)


def key_of(call: Call, name: str) -> ObjectKey:
    return ObjectKey(call.resource.store, call.namespace, name)


def existing(call: Call) -> Record:
    """The latest version of the object that the URL names. Raises NotFound."""
    record = call.api.store.latest(key_of(call, call.info.name))
    if record is None:
        raise NotFound(call.resource.group, call.resource.plural, call.info.name)
    return record


def writer_of(call: Call, options: WriteOptions) -> Writer:
    reset: tuple[str, ...] = ()
    if call.resource.has_status:
        reset = ("status",) if call.info.subresource != "status" else _reset_by_status(call.resource)
    return Writer(options.manager, call.resource.api_version, call.info.subresource, call.api.now(), reset)


def _reset_by_status(resource: ResourceType) -> tuple[str, ...]:
    if not status_keeps_metadata(resource):
        return ("spec",)
    return ("metadata", "spec", *(name for name in resource.node.fields if name != "status"))


# -- creation


def create(call: Call, obj: Object, options: WriteOptions, managed: list[Object] | None = None) -> bytes:
    """Store a new object without asking webhooks and return it encoded."""
    draft = begin_create(call, obj, options, managed)
    chain.mutate(draft.attributes)
    prepare_create(draft)
    return finish_create(draft)


def begin_create(call: Call, obj: Object, options: WriteOptions, managed: list[Object] | None = None) -> Draft:
    """Checks against the request. ``managed`` are managedFields that an apply has worked out."""
    resource, meta = call.resource, obj["metadata"]
    check_namespace(call, meta)
    if call.info.name and meta.setdefault("name", call.info.name) != call.info.name:
        raise BadRequest(name_mismatch(meta.get("name"), call.info.name))
    for name in _OF_SERVER:
        meta.pop(name, None)
    if resource.namespaced:
        meta["namespace"] = call.namespace
        check_open(call.api, resource, call.namespace, str(meta.get("name") or ""))
    if managed is None:
        managed = record_update(resource.node, None, obj, writer_of(call, options))
    set_managed(meta, managed)
    drop_repeated_owners(call, meta, "")
    attributes = admission_attributes(call, CREATE, obj, None, options)
    attributes.name = attributes.name or str(meta.get("name") or "")
    return Draft(call, options, attributes, obj, tick=call.api.store.next_rev)


def prepare_create(draft: Draft) -> None:
    """What the kind makes of the object, and whether it is valid."""
    call, obj = draft.call, draft.obj
    resource, meta = call.resource, obj["metadata"]
    drop_repeated_owners(call, meta, " after mutating admission happens")
    if meta.get("resourceVersion"):
        raise VersionOnCreate
    drawn = not meta.get("name") and meta.get("generateName")
    obj["metadata"] = metadata.start(meta, call.namespace, call.api.now(), resource.generation)
    if drawn:
        _draw_name(draft)
    if resource.has_status and not strategy_of(resource).keeps_status:
        resource.clear_status(obj)
    strategy_of(resource).prepare(draft.context, obj, None)
    _validate(draft)
    draft.attributes.name = obj["metadata"]["name"]


def _draw_name(draft: Draft) -> None:
    """Another name as long as the drawn one is taken."""
    meta, latest = draft.obj["metadata"], draft.call.api.store.latest
    for _ in range(_NAMES - 1):
        if latest(key_of(draft.call, meta["name"])) is None:
            return
        meta["name"] = metadata.generate_name(str(meta["generateName"]))


def finish_create(draft: Draft) -> bytes:
    call, obj = draft.call, draft.obj
    resource, name = call.resource, obj["metadata"]["name"]
    if resource.namespaced and draft.tick != call.api.store.next_rev:
        check_open(call.api, resource, call.namespace, name)
    key = key_of(call, name)
    if call.api.store.latest(key) is not None:
        if obj["metadata"].get("generateName"):
            raise NameNotGenerated(resource, name)
        raise AlreadyExists(resource.group, resource.plural, name)
    chain.validate(draft.attributes)
    return _put(call, key, obj, None, draft.options)


# -- update


def replace(
    call: Call, record: Record, obj: Object, options: WriteOptions, managed: list[Object] | None = None
) -> bytes:
    """Store the next version without asking webhooks and return it encoded; unchanged objects are not written."""
    draft = begin_update(call, record, obj, options, managed)
    chain.mutate(draft.attributes)
    prepare_update(draft)
    return finish_update(draft)


def begin_update(
    call: Call, record: Record, obj: Object, options: WriteOptions, managed: list[Object] | None = None
) -> Draft:
    """Checks against the request and the stored version; managed fields."""
    old = call.resource.decode(record.value)
    _check_update(call, obj, old, record)
    if call.info.subresource and call.resource.store == "/pods":
        carry(call.resource, obj, old, call.info.subresource)  # what a pod's subresource is not for is nobody's doing
    if managed is None:
        managed = record_update(call.resource.node, old, obj, writer_of(call, options))
    set_managed(obj["metadata"], managed)
    if call.info.verb == "update":
        drop_repeated_owners(call, obj["metadata"], "")
    return Draft(call, options, admission_attributes(call, UPDATE, obj, old, options), obj, record, old)


def prepare_update(draft: Draft) -> None:
    """What the kind makes of the next version, and whether it is valid."""
    call, obj, old = draft.call, draft.obj, draft.old
    assert old is not None
    assert draft.record is not None
    resource = call.resource
    drop_repeated_owners(call, obj["metadata"], " after mutating admission happens")
    check_version(resource, draft.record, obj["metadata"].get("resourceVersion"))
    errors = [] if draft.status_only else list(immutable_errors(obj["metadata"], old["metadata"]))
    carry(resource, obj, old, call.info.subresource)
    strategy_of(resource).prepare(draft.context, obj, old)
    if resource.generation and not draft.status_only and spec_changed(obj, old, resource):
        obj["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    if errors:
        raise Invalid(resource.group, resource.kind, draft.record.name, errors)
    _validate(draft)


def finish_update(draft: Draft) -> bytes:
    """Write it. The caller has made sure that ``record`` is still the latest version."""
    call, obj, old, record = draft.call, draft.obj, draft.old, draft.record
    assert old is not None
    assert record is not None
    chain.validate(draft.attributes)
    if not obj["metadata"].get("managedFields"):
        obj["metadata"].pop("managedFields", None)
    obj["metadata"]["resourceVersion"] = old["metadata"].get("resourceVersion")
    if same(obj, old):
        return call.resource.encode(record.value)
    key = key_of(call, record.name)
    if is_finished(obj):
        return remove(call, key, record, obj, draft.options)
    return _put(call, key, obj, record, draft.options)


def admission_attributes(
    call: Call, operation: str, obj: Object | None, old: Object | None, options: WriteOptions
) -> Attributes:
    """The write as admission sees it."""

    def reread(patched: Object) -> Object:
        return conformed(call.resource, patched, [])

    return Attributes(
        call.api, operation, call.resource, call.info.subresource, call.namespace, call.info.name, obj, old, call.user,
        options.dry_run, options.wire(operation), call.warnings, reread=reread,
    )  # fmt: skip


def is_finished(obj: Object) -> bool:
    """Whether an object that is being deleted has nothing left to wait for."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
        return False
    return not part(obj, "spec").get("finalizers") if obj.get("kind") == "Namespace" else True


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


def put_marked(call: Call, key: ObjectKey, obj: Object, record: Record, options: WriteOptions) -> bytes:
    """Store the next version of an object as it is: bookkeeping of the server that no rule of the kind applies to."""
    return _put(call, key, obj, record, options)


def remove(call: Call, key: ObjectKey, record: Record, obj: Object, options: WriteOptions) -> bytes:
    """Take an object out of the store and return its last state."""
    if options.dry_run:
        return call.resource.encode(pack(obj))
    obj["metadata"]["resourceVersion"] = str(call.api.store.next_rev)
    value = pack(obj)
    call.api.store.remove(key, value, record)
    strategy_of(call.resource).removed(call.api, obj)
    quotas.removed(call.api, call.resource, obj)
    if call.resource.custom is not None:
        finish(call.api, call.resource.store)
    return call.resource.encode(value)


def check_namespace(call: Call, meta: Object) -> None:
    if not call.resource.namespaced:
        meta.pop("namespace", None)
        return
    if meta.get("namespace") and meta["namespace"] != call.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def name_mismatch(found: Any, wanted: str) -> str:
    return f"the name of the object ({found}) does not match the name on the URL ({wanted})"


def _check_update(call: Call, obj: Object, old: Object, record: Record) -> None:
    resource, meta = call.resource, obj["metadata"]
    check_namespace(call, meta)
    if not meta.get("name"):
        text = f"the name of the object ({record.name} based on URL) was undeterminable: name must be provided"
        raise BadRequest(text)
    if meta["name"] != record.name:
        raise BadRequest(name_mismatch(meta["name"], record.name))
    if call.info.verb == "update":
        check_uid(resource, record, meta.get("uid"), old["metadata"]["uid"])
    check_version(resource, record, meta.get("resourceVersion"))


def _validate(draft: Draft) -> None:
    call, obj, old = draft.call, draft.obj, draft.old
    resource, meta = call.resource, obj["metadata"]
    errors = metadata.validate(resource.store, meta, old["metadata"] if old else None)
    if resource.custom is not None:
        errors += resource.custom.validate(obj, old, call.warnings)
    strategy, context = strategy_of(resource), draft.context
    errors += strategy.validate(context, obj, old)
    if errors:
        raise Invalid(resource.group, resource.kind, str(meta.get("name") or meta.get("generateName") or ""), errors)
    if not draft.status_only:
        call.warnings += strategy.warnings(context, obj, old)
