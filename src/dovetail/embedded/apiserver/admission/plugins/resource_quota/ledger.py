"""The books: ``status.used`` of every quota, kept with the writes themselves.

Model. A quota counts from when its status has ``hard`` (the quota controller copies it from the spec; the names that
such a status leaves out of ``used`` are counted here, from the store). From then on each write changes ``used`` by
what it takes or gives back, in the tick and transaction of the write: concurrent writers can never overrun a quota,
and a removal gives back at once. kube-apiserver charges the same way; giving back is its controllers' work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import orjson

from ....apply.managers import Writer, record_update
from ....foreign import part
from ....quantities import add, compare, subtract
from ....registry.resource import ResourceType, pack
from ....storage.records import Change, ObjectKey, Record
from ....storage.store import Store
from ...plugin import CREATE, UPDATE, Attributes
from ..refusal import forbidden
from . import usage
from .scopes import covers
from .usage import CLAIMS, PODS, SERVICES, UNCOUNTED

if TYPE_CHECKING:
    from ....objects.strategy import Context
    from ....verbs.call import Api

Object = dict[str, Any]
Amounts = dict[str, str]

STORE = "/resourcequotas"
_MANAGER = "kube-apiserver"


@dataclass(frozen=True, slots=True)
class _Entry:
    """A quota that a write concerns, and by how much: positive amounts are taken, negative ones given back."""

    record: Record
    quota: Object
    change: Mapping[str, str]


def charge(attributes: Attributes) -> None:
    """Take what the write takes. Raises Forbidden when a quota has not enough left; then nothing is taken."""
    entries = list(_entries(attributes))
    if attributes.dry_run:
        return
    for entry in entries:
        _write(attributes.api, entry.record, entry.quota, entry.change)


def removed(api: Api, resource: ResourceType, obj: Object) -> None:
    """Give back what a removed object took."""
    namespace = str(part(obj, "metadata").get("namespace", ""))
    if not namespace or resource.store == UNCOUNTED:
        return
    took: Amounts | None = None
    for record, quota in _quotas(api, namespace):
        names = _counted(quota, resource.store)
        if not names or not covers(quota, resource.store, obj):
            continue
        took = usage.usage(resource.store, obj) if took is None else took
        _write(api, record, quota, {name: subtract("0", took[name]) for name in names if name in took})


def recount(context: Context, quota: Object) -> None:
    """Count what ``status.hard`` names and ``status.used`` leaves out. Names of kinds that nobody serves stay out."""
    status = part(quota, "status")
    used = part(status, "used")
    missing = [name for name in part(status, "hard") if name not in used]
    if not missing:
        return
    counted: Amounts = {}
    for store in dict.fromkeys(usage.stores_of(missing)):
        group, _, plural = store.partition("/")
        resource = context.api.catalogue.any_version(group, plural)
        if resource is not None and resource.namespaced:
            _count(context.api, context.namespace, quota, store, counted, usage.tracked(store, missing))
    if counted:
        status["used"] = used | counted


def _count(api: Api, namespace: str, quota: Object, store: str, counted: Amounts, names: list[str]) -> None:
    counted |= dict.fromkeys(names, "0")
    for record in api.store.latest_all(store, namespace):
        obj = orjson.loads(record.value)
        if covers(quota, store, obj):
            took = usage.usage(store, obj)
            counted |= {name: add(counted[name], took[name]) for name in names if name in took}


_limited: WeakKeyDictionary[Store, set[str]] = WeakKeyDictionary()


def _may_have_quotas(store: Store, namespace: str) -> bool:
    """Spares the writes in all other namespaces a query. A namespace that ever had a quota stays in the set."""
    known = _limited.get(store)
    if known is None:
        known = _limited[store] = {record.namespace for record in store.latest_all(STORE)}
        namespaces = known

        def changed(changes: list[Change]) -> None:
            namespaces.update(change.key.namespace for change in changes if change.key.resource == STORE)

        store.on_commit.append(changed)
    return namespace in known


def _quotas(api: Api, namespace: str) -> list[tuple[Record, Object]]:
    if not _may_have_quotas(api.store, namespace):
        return []
    records = sorted(api.store.latest_all(STORE, namespace), key=lambda record: record.name)
    return [(record, orjson.loads(record.value)) for record in records]


def _counted(quota: Object, store: str) -> list[str]:
    used = part(quota, "status", "used")
    return [name for name in usage.tracked(store, part(quota, "status", "hard")) if name in used]


def _entries(attributes: Attributes) -> Iterator[_Entry]:
    store, new, old = attributes.resource.store, attributes.obj, attributes.old
    if not attributes.namespace or new is None or store == UNCOUNTED or not _may_change(attributes):
        return
    quotas = _quotas(attributes.api, attributes.namespace)
    if not quotas:
        return
    takes = usage.usage(store, new)
    took = usage.usage(store, old) if old is not None else {}
    refuses = _refuses(attributes)
    for record, quota in quotas:
        names = usage.tracked(store, part(quota, "status", "hard"))
        if not names:
            continue
        covered = covers(quota, store, new)
        if refuses and covered:
            _check_statements(attributes, quota, names)
        now = takes if covered else {}
        before = took if old is not None and covers(quota, store, old) else {}
        used = part(quota, "status", "used")
        change = {name: subtract(now.get(name, "0"), before.get(name, "0")) for name in names if name in used}
        change = {name: amount for name, amount in change.items() if amount != "0"}
        if refuses and attributes.subresource != "status":
            _check_room(attributes, quota, change)
        if change:
            yield _Entry(record, quota, change)


def _may_change(attributes: Attributes) -> bool:
    """Updates change only what pods, services and claims take."""
    if attributes.operation == CREATE:
        return not attributes.subresource
    return attributes.operation == UPDATE and attributes.resource.store in usage.SPECIAL


def _refuses(attributes: Attributes) -> bool:
    """Whether Kubernetes asks quotas about this write; other writes are booked all the same."""
    store, subresource = attributes.resource.store, attributes.subresource
    if attributes.operation == CREATE:
        return True
    if store == PODS:
        return subresource == "resize"
    return (store == SERVICES) or (store == CLAIMS and subresource in ("", "status"))


def _check_statements(attributes: Attributes, quota: Object, names: list[str]) -> None:
    name = quota["metadata"]["name"]
    if attributes.resource.store == PODS and (problem := usage.unstated(attributes.obj or {}, names)):
        raise forbidden(attributes, f"failed quota: {name}: {problem}")
    used = part(quota, "status", "used")
    if any(counted not in used for counted in names):
        raise forbidden(attributes, f"status unknown for quota: {name}, resources: {','.join(sorted(names))}")


def _check_room(attributes: Attributes, quota: Object, change: Mapping[str, str]) -> None:
    used, hard = part(quota, "status", "used"), part(quota, "status", "hard")
    exceeded = [
        name
        for name, amount in sorted(change.items())
        if compare(amount, "0") > 0 and compare(add(used[name], amount), hard[name]) > 0
    ]
    if exceeded:
        told = ", ".join(
            f"{word}: {','.join(f'{name}={amounts[name]}' for name in exceeded)}"
            for word, amounts in (("requested", change), ("used", used), ("limited", hard))
        )
        raise forbidden(attributes, f"exceeded quota: {quota['metadata']['name']}, {told}")


def _write(api: Api, record: Record, quota: Object, change: Mapping[str, str]) -> None:
    if not change:
        return
    resource = api.catalogue.find("", "v1", "resourcequotas")
    assert resource is not None
    old = resource.decode(record.value)
    used = part(quota, "status", "used")
    for name, amount in change.items():
        total = add(used[name], amount)
        used[name] = total if compare(total, "0") >= 0 else "0"
    new = {**old, "status": quota["status"], "metadata": {**old["metadata"]}}
    new["metadata"]["managedFields"] = record_update(resource.node, old, new, _writer(api, resource))
    new["metadata"]["resourceVersion"] = str(api.store.next_rev)
    api.store.put(ObjectKey(STORE, record.namespace, record.name), pack(new), record)


def _writer(api: Api, resource: ResourceType) -> Writer:
    others = tuple(name for name in resource.node.fields if name != "status")
    return Writer(_MANAGER, resource.api_version, "status", api.now(), others)
