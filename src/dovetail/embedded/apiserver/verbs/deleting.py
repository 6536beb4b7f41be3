"""delete and deletecollection: preconditions, grace, finalizers, and what a definition takes with it.

An object with finalizers is only marked (deletionTimestamp) and goes when the last finalizer does. A pod on a node is
marked with its grace period and goes when the node says so, with a deletion without grace. ``propagationPolicy``
becomes a finalizer (``orphan``, ``foregroundDeletion``) that the garbage collector works off; background deletion, the
default, leaves dependents to it without.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from ..admission import chain
from ..admission.plugin import DELETE, Attributes
from ..errors import Conflict, Forbidden, NotFound
from ..foreign import part, parts
from ..objects import definitions
from ..objects.namespaces import IMMORTAL
from ..registry.resource import ResourceType
from ..storage.records import ObjectKey, Record
from .admitting import TRIES
from .answer import Answer
from .call import Call, WriteOptions
from .decoding import Object
from .delete_options import Wishes, check_preconditions, read_wishes, wishes_of
from .listoptions import token_for
from .output import PLAIN, negotiate, one, to_yaml
from .reading import matches, selectors
from .storing import is_finished, put_marked, remove

# Kinds whose deletion answers with the object, as in Kubernetes.
_RETURNED = {
    "/pods", "/services", "/serviceaccounts", "/persistentvolumeclaims", "/persistentvolumes", "/podtemplates",
    "/resourcequotas",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """``gone``: it is out of the store; ``encoded``: the object as it is now or was last."""

    gone: bool
    encoded: bytes
    uid: str


async def delete(call: Call) -> Answer:
    form = negotiate(call.accept, call.query.get("includeObject"))
    wishes = wishes_of(call)
    outcome = await delete_one(call, call.info.name, wishes)
    await call.api.store.committed()
    code = 202 if not outcome.gone and wishes.orphan is False else 200
    if outcome.gone and not (call.resource.custom is None and call.resource.store in _RETURNED):
        body = orjson.dumps(_success(call, outcome.uid))
    else:
        body = outcome.encoded
        if form.kind != PLAIN:
            body = one(form, call.resource, b"{" + body[len(call.resource.header) :], call.api.clock())
    return Answer(to_yaml(body), code, "application/yaml") if form.yaml else Answer(body, code)


async def delete_collection(call: Call) -> Answer:
    negotiate(call.accept)
    wishes = wishes_of(call)
    wanted, selected = selectors(call)
    limit = max(call.query.number("limit"), 0)
    records = [
        r for r in call.api.store.latest_all(call.resource.store, call.namespace) if matches(r.value, wanted, selected)
    ]
    meta = {"resourceVersion": str(call.api.store.rev)}
    if limit and len(records) > limit:
        records = records[:limit]
        meta["continue"] = token_for(call.api.store.rev, (records[-1].namespace, records[-1].name))
    for record in records:
        try:
            await delete_one(call, record.name, wishes, record.namespace)
        except NotFound:  # somebody else was faster
            continue
    await call.api.store.committed()
    head = orjson.dumps({"kind": call.resource.list_kind, "apiVersion": call.resource.api_version, "metadata": meta})
    return Answer(head[:-1] + b',"items":[' + b",".join(call.resource.encode_item(r.value) for r in records) + b"]}")


async def delete_one(call: Call, name: str, wishes: Wishes, namespace: str = "") -> Outcome:
    """Admit and delete; not yet committed. Raises StatusError."""
    key = ObjectKey(call.resource.store, namespace or call.namespace, name)
    if call.resource.store == "/namespaces" and name in IMMORTAL:
        raise Forbidden("", "namespaces", name, "this namespace may not be deleted")
    for _ in range(TRIES):
        record = call.api.store.latest(key)
        if record is None:
            raise NotFound(call.resource.group, call.resource.plural, name)
        obj = call.resource.decode(record.value)
        uid = str(obj["metadata"]["uid"])
        check_preconditions(call, name, uid, str(record.rev), wishes)
        if _is_waiting(call, obj, wishes):
            return Outcome(False, call.resource.encode(record.value), uid)
        attributes = _attributes(call, key, obj, wishes)
        chain.mutate(attributes)
        if await _asked_outside(attributes) and call.api.store.latest(key) != record:
            continue
        chain.validate(attributes)
        return _delete(call, record, call.resource.decode(record.value), wishes)
    raise Conflict(call.resource.group, call.resource.plural, name)


async def _asked_outside(attributes: Attributes) -> bool:
    """Whether webhooks were asked, which takes time."""
    waited = False
    if chain.awaits_mutation(attributes):
        await chain.mutate_outside(attributes)
        waited = True
    if chain.awaits_validation(attributes):
        await chain.validate_outside(attributes)
        waited = True
    return waited


def _attributes(call: Call, key: ObjectKey, old: Object, wishes: Wishes) -> Attributes:
    return Attributes(
        call.api, DELETE, call.resource, "", key.namespace, key.name, None, old, call.user, wishes.dry_run,
        wishes.wire(), call.warnings,
    )  # fmt: skip


def _delete(call: Call, record: Record, obj: Object, wishes: Wishes) -> Outcome:
    """Mark or remove."""
    options = WriteOptions(wishes.dry_run, "", "Ignore", False)
    uid = str(obj["metadata"]["uid"])
    key = ObjectKey(call.resource.store, record.namespace, record.name)
    marked = _mark(call, obj, wishes)
    if is_finished(obj):
        return Outcome(True, remove(call, key, record, obj, options), uid)
    if not marked:
        return Outcome(False, call.resource.encode(record.value), uid)
    encoded = put_marked(call, key, obj, record, options)
    if call.resource.store == definitions.STORE and not options.dry_run:
        return Outcome(_empty(call, obj), encoded, uid)
    return Outcome(False, encoded, uid)


def delete_now(call: Call, record: Record, wishes: Wishes) -> Outcome:
    """Delete without admission, in this tick: what was admitted under another name (an eviction). Raises Conflict."""
    obj = call.resource.decode(record.value)
    uid = str(obj["metadata"]["uid"])
    check_preconditions(call, record.name, uid, str(record.rev), wishes)
    if _is_waiting(call, obj, wishes):
        return Outcome(False, call.resource.encode(record.value), uid)
    return _delete(call, record, obj, wishes)


# -- grace


def _is_waiting(call: Call, obj: Object, wishes: Wishes) -> bool:
    """A pod that is already going, and not to go sooner."""
    meta = obj["metadata"]
    left = meta.get("deletionGracePeriodSeconds")
    if call.resource.store != "/pods" or not meta.get("deletionTimestamp") or not left:
        return False
    return wishes.grace is None or wishes.grace >= left


def _grace(call: Call, obj: Object, wishes: Wishes) -> int:
    """Seconds until the object goes; only pods on a node have time."""
    spec = part(obj, "spec")
    if call.resource.store != "/pods" or not spec.get("nodeName"):
        return 0
    if part(obj, "status").get("phase") in ("Succeeded", "Failed"):
        return 0
    return wishes.grace if wishes.grace is not None else int(spec.get("terminationGracePeriodSeconds") or 0)


def _mark(call: Call, obj: Object, wishes: Wishes) -> bool:
    """Set what a deletion sets; False when the object was already marked the same."""
    if call.resource.store == "/namespaces":
        return _mark_namespace(call, obj)
    meta: Object = obj["metadata"]
    before = (meta.get("deletionTimestamp"), meta.get("deletionGracePeriodSeconds"), meta.get("finalizers"))
    finalizers = [str(name) for name in parts(meta, "finalizers")]
    if call.resource.store == definitions.STORE and definitions.FINALIZER not in finalizers:
        finalizers.append(definitions.FINALIZER)
    if call.resource.store != "/events":
        finalizers = wishes.finalizers(finalizers)
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    _set_times(call, obj, _grace(call, obj, wishes), shorter=wishes.grace is not None)
    if call.resource.store == definitions.STORE:
        definitions.terminating(obj, call.api.now())
    return before != (meta.get("deletionTimestamp"), meta.get("deletionGracePeriodSeconds"), meta.get("finalizers"))


def _set_times(call: Call, obj: Object, grace: int, *, shorter: bool) -> None:
    meta: Object = obj["metadata"]
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = _later(call.api.now(), grace)
        meta["deletionGracePeriodSeconds"] = grace
        if meta.get("generation"):
            meta["generation"] += 1
    elif shorter and grace < (left := meta.get("deletionGracePeriodSeconds") or 0):
        meta["deletionTimestamp"] = _later(str(meta["deletionTimestamp"]), grace - left)
        meta["deletionGracePeriodSeconds"] = grace


def _later(time: str, seconds: int) -> str:
    moment = datetime.fromisoformat(time) + timedelta(seconds=seconds)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _mark_namespace(call: Call, obj: Object) -> bool:
    meta: Object = obj["metadata"]
    if meta.get("deletionTimestamp"):
        return False
    meta["deletionTimestamp"] = call.api.now()
    obj.setdefault("status", {})["phase"] = "Terminating"
    return True


def _success(call: Call, uid: str) -> Object:
    details = {"name": call.info.name, "group": call.resource.group, "kind": call.resource.plural, "uid": uid}
    kept = {key: value for key, value in details.items() if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": kept}


# -- definitions take their instances with them


def _empty(call: Call, crd: Object) -> bool:
    """Delete the instances of a definition; it goes with the last of them. As in kube-apiserver, this is the
    server's own doing: no admission.
    """
    _delete_instances(call, definitions.storage_type(crd))
    store = f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"
    return definitions.finish(call.api, store)


def _delete_instances(call: Call, resource: ResourceType) -> None:
    instances = Call(call.api, call.info, resource, call.user, call.query)
    for record in list(call.api.store.latest_all(resource.store)):
        _delete(instances, record, resource.decode(record.value), read_wishes({}))
