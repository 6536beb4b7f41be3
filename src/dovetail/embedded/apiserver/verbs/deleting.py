"""delete and deletecollection: preconditions, finalizers, and what a namespace or a definition takes with it.

An object with finalizers is only marked (deletionTimestamp) and goes when the last finalizer does.
``propagationPolicy`` becomes a finalizer (``orphan``, ``foregroundDeletion``) that the garbage collector works off;
background deletion, the default, leaves dependents to it without.
"""

from __future__ import annotations

from typing import Any, cast

import orjson

from ..errors import BadRequest, Conflict, Forbidden
from ..foreign import part, parts
from ..objects import definitions
from ..objects.namespaces import IMMORTAL
from ..registry.resource import ResourceType, pack
from ..storage.records import ObjectKey, Record
from .answer import Answer
from .call import Call, WriteOptions
from .decoding import Object, parse
from .output import negotiate
from .reading import matches, selectors
from .storing import existing, is_finished, remove

_POLICIES = {"Orphan": "orphan", "Foreground": "foregroundDeletion", "Background": ""}


async def delete(call: Call) -> Answer:
    negotiate(call.accept)
    wishes = _wishes(call)
    options = call.write_options()
    record = existing(call)
    _check_preconditions(call, record, wishes)
    done, encoded, uid = _delete_one(call, record, wishes, options)
    await call.api.store.committed()
    if not done:
        return Answer(encoded)
    if call.resource.custom is None and call.resource.plural in _RETURNED:
        return Answer(encoded)
    return Answer(orjson.dumps(_success(call, uid)))


# Kinds whose deletion answers with the object, as in Kubernetes.
_RETURNED = {
    "pods",
    "services",
    "serviceaccounts",
    "persistentvolumeclaims",
    "persistentvolumes",
    "podtemplates",
    "resourcequotas",
}


async def delete_collection(call: Call) -> Answer:
    wishes = _wishes(call)
    options = call.write_options()
    wanted, selected = selectors(call)
    records = [
        r for r in call.api.store.latest_all(call.resource.store, call.namespace) if matches(r.value, wanted, selected)
    ]
    gone = [_delete_one(call, record, wishes, options)[1] for record in records]
    await call.api.store.committed()
    meta = {"resourceVersion": str(call.api.store.rev)}
    head = orjson.dumps({"kind": call.resource.list_kind, "apiVersion": call.resource.api_version, "metadata": meta})
    return Answer(head[:-1] + b',"items":[' + b",".join(gone) + b"]}")


def _wishes(call: Call) -> Object:
    """DeleteOptions: of the body, or of the query."""
    body: Any = parse(call.body, call.content_type) if call.body else {}
    if not isinstance(body, dict):
        raise BadRequest("the object provided is unrecognized (must be of type DeleteOptions)")
    wishes = dict(cast("Object", body))
    for name in ("propagationPolicy", "orphanDependents", "gracePeriodSeconds"):
        if call.query.has(name):
            wishes[name] = call.query.get(name)
    if wishes.get("dryRun"):
        call.query = call.query.with_value("dryRun", "All")
    policy = wishes.get("propagationPolicy")
    if policy is not None and policy not in _POLICIES:
        raise BadRequest(
            f'propagationPolicy: Unsupported value: "{policy}": supported values: "Background", "Foreground", "Orphan"'
        )
    if wishes.get("orphanDependents") in (True, "true"):
        wishes["propagationPolicy"] = "Orphan"
    return wishes


def _check_preconditions(call: Call, record: Record, wishes: Object) -> None:
    conditions = part(wishes, "preconditions")
    uid, rev = conditions.get("uid"), conditions.get("resourceVersion")
    found = orjson.loads(record.value)["metadata"]["uid"] if uid else ""
    why = ""
    if uid and uid != found:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
    elif rev and rev != str(record.rev):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {rev}, ResourceVersion in object meta: {record.rev}"
        )
    if why:
        raise Conflict(call.resource.group, call.resource.plural, record.name, why)


def _delete_one(call: Call, record: Record, wishes: Object, options: WriteOptions) -> tuple[bool, bytes, str]:
    """(whether it is gone, the object as it is now or was last, its uid)."""
    if call.resource.store == "/namespaces" and record.name in IMMORTAL:
        raise Forbidden("", "namespaces", record.name, "this namespace may not be deleted")
    obj = call.resource.decode(record.value)
    uid = str(obj["metadata"]["uid"])
    key = ObjectKey(call.resource.store, record.namespace, record.name)
    marked = _mark(call, obj, wishes)
    if is_finished(obj):
        return True, remove(call, key, record, obj, options), uid
    if marked and not options.dry_run:
        obj["metadata"]["resourceVersion"] = str(call.api.store.next_rev)
        call.api.store.put(key, pack(obj), record)
        if call.resource.store == definitions.STORE:
            return _empty(call, obj, options, key, uid)
    return False, call.resource.encode(pack(obj)), uid


def _mark(call: Call, obj: Object, wishes: Object) -> bool:
    """Set what a deletion sets; False when the object was already marked the same."""
    meta: Object = obj["metadata"]
    finalizers = list(parts(meta, "finalizers"))
    if call.resource.store == definitions.STORE and definitions.FINALIZER not in finalizers:
        finalizers.append(definitions.FINALIZER)
    wanted = _POLICIES[wishes.get("propagationPolicy") or "Background"]
    if wishes.get("propagationPolicy") or not meta.get("deletionTimestamp"):
        finalizers = [
            name
            for name in finalizers
            if name not in ("orphan", "foregroundDeletion") or name == wanted or not wishes.get("propagationPolicy")
        ]
        if wanted and wanted not in finalizers:
            finalizers.append(wanted)
    before = (meta.get("deletionTimestamp"), meta.get("finalizers"))
    if finalizers:
        meta["finalizers"] = finalizers
    else:
        meta.pop("finalizers", None)
    if not meta.get("deletionTimestamp"):
        meta["deletionTimestamp"] = call.api.now()
        meta["deletionGracePeriodSeconds"] = 0
        if call.resource.generation:
            meta["generation"] = meta.get("generation", 0) + 1
    if call.resource.store == "/namespaces":
        obj.setdefault("status", {})["phase"] = "Terminating"
    return before != (meta.get("deletionTimestamp"), meta.get("finalizers"))


def _success(call: Call, uid: str) -> Object:
    details = {"name": call.info.name, "group": call.resource.group, "kind": call.resource.plural, "uid": uid}
    kept = {key: value for key, value in details.items() if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": kept}


# -- definitions take their instances with them


def _empty(call: Call, crd: Object, options: WriteOptions, key: ObjectKey, uid: str) -> tuple[bool, bytes, str]:
    """Delete the instances of a definition; it goes with the last of them."""
    served = call.api.catalogue.custom(crd["metadata"]["name"])
    if served:
        _delete_instances(call, served[0], options)
    store = f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"
    if definitions.finish(call.api, store):
        return True, call.resource.encode(pack(crd)), uid
    return False, call.resource.encode(pack(crd)), uid


def _delete_instances(call: Call, resource: ResourceType, options: WriteOptions) -> None:
    instances = Call(call.api, call.info, resource, call.user, call.query)
    for record in list(call.api.store.latest_all(resource.store)):
        _delete_one(instances, record, {}, options)
