"""CustomResourceDefinitions: what a write to one does, and the resources that they bring.

A definition is accepted, established and served by the write that creates it. When names become free (another
definition goes or gives one up), the others of the group are looked at again in the same write. Deleting one deletes
its instances first: a finalizer holds it until the last of them is gone (``finish``).
Names and conditions are in ``definitions_names``, validation in ``definitions_validation``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from ..fielderrors import FieldError
from ..foreign import part, parts
from ..registry.catalogue import Catalogue, version_rank
from ..registry.resource import ResourceType, pack
from ..schema.structural import Structural
from ..storage.records import ObjectKey, Record
from .definitions_names import Taken, is_established, status_of, taken_by, terminating
from .definitions_validation import validate_new, validate_status, validate_update
from .strategy import Context, Strategy

if TYPE_CHECKING:
    from ..verbs.call import Api

__all__ = ["FINALIZER", "STORE", "DefinitionStrategy", "finish", "load", "storage_type", "terminating"]

Object = dict[str, Any]

STORE = "apiextensions.k8s.io/customresourcedefinitions"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_UPDATES = ("get", "patch", "update")


class DefinitionStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        names: Object = spec.setdefault("names", {})
        if names.get("kind"):
            names["singular"] = names.get("singular") or str(names["kind"]).lower()
            names["listKind"] = names.get("listKind") or f"{names['kind']}List"
        spec.setdefault("conversion", {"strategy": "None"})
        if not spec.get("preserveUnknownFields"):
            spec.pop("preserveUnknownFields", None)
        if context.subresource == "status":
            return
        before = part(old, "status") if old is not None else {}
        taken = _taken(context.api, obj)
        obj["status"] = status_of(obj, before, taken, context.api.now())

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        if context.subresource == "status":
            return list(validate_status(obj))
        return list(validate_new(obj) if old is None else validate_update(obj, old))

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        if context.subresource == "status":
            return []
        known = frozenset(_unrecognized(old)) if old is not None else frozenset[str]()
        return [f'unrecognized format "{name}"' for name in _unrecognized(obj) if name not in known]

    def stored(self, api: Api, obj: Object) -> None:
        serve(api.catalogue, obj)
        _reconsider(api, obj)

    def removed(self, api: Api, obj: Object) -> None:
        withdraw(api, obj)
        _reconsider(api, obj)


def _unrecognized(crd: Object) -> Iterator[str]:
    from ..schema.acceptance import unrecognized_formats

    seen: list[Object] = []
    for version in parts(crd, "spec", "versions"):
        schema = part(version, "schema", "openAPIV3Schema")
        if schema not in seen:
            seen.append(schema)
            yield from unrecognized_formats(schema)


def _others(api: Api, crd: Object) -> Iterator[tuple[Record, Object]]:
    """The other definitions of the same group. Most are told apart by their bytes: schemas are big."""
    group, name = part(crd, "spec").get("group"), crd["metadata"].get("name")
    mark = orjson.dumps({"group": group})[1:-1]
    for record in api.store.latest_all(STORE):
        if record.name != name and mark in record.value:
            other: Object = orjson.loads(record.value)
            if part(other, "spec").get("group") == group:
                yield record, other


def _taken(api: Api, crd: Object) -> Taken:
    return taken_by(other for _, other in _others(api, crd))


def _reconsider(api: Api, changed: Object) -> None:
    """Names may have become free: definitions that wait for one are looked at again."""
    for record, crd in _others(api, changed):
        if part(crd, "spec", "names") == part(crd, "status", "acceptedNames"):
            continue
        status = status_of(crd, part(crd, "status"), _taken(api, crd), api.now())
        if status == crd.get("status"):
            continue
        crd["status"] = status
        crd["metadata"]["resourceVersion"] = str(api.store.next_rev)
        api.store.put(ObjectKey(STORE, "", record.name), pack(crd), record)
        serve(api.catalogue, crd)


# -- serving


def serve(catalogue: Catalogue, crd: Object) -> None:
    """Put the definition's served versions into the catalogue (none before it is established)."""
    known = catalogue.custom(crd["metadata"]["name"])
    wanted = list(resources(crd)) if is_established(crd) else []
    if [_facts(resource) for resource in known] != [_facts(resource) for resource in wanted]:
        catalogue.set_custom(crd["metadata"]["name"], wanted)


def _facts(resource: ResourceType) -> list[Any]:
    """What makes two resources the same to clients: then the compiled one stays, and discovery is not built anew."""
    fixed = ("custom", "shape")
    facts = {name: getattr(resource, name) for name in resource.__dataclass_fields__ if name not in fixed}
    return [facts, resource.custom.raw if resource.custom is not None else b""]


def resources(crd: Object) -> Iterator[ResourceType]:
    versions = [version for version in parts(crd, "spec", "versions") if version.get("served")]
    for version in sorted(versions, key=lambda v: version_rank(v["name"])):
        yield _resource(crd, version)


def storage_type(crd: Object) -> ResourceType:
    """The resource as it is stored, also when no version is served."""
    versions = parts(crd, "spec", "versions")
    return _resource(crd, next((version for version in versions if version.get("storage")), versions[0]))


def _resource(crd: Object, version: Object) -> ResourceType:
    spec = crd["spec"]
    names = part(crd, "status", "acceptedNames")
    names = names if names.get("plural") else spec["names"]
    structural = Structural(part(version, "schema", "openAPIV3Schema"))
    return ResourceType(
        spec["group"], version["name"], spec["names"]["plural"], spec["names"]["kind"],
        namespaced=spec["scope"] == "Namespaced", singular=names.get("singular", ""),
        short_names=tuple(parts(names, "shortNames")), categories=tuple(parts(names, "categories")),
        subresources=_subresources(version), generation=True, list_kind=names.get("listKind", ""), custom=structural,
        columns=tuple(parts(version, "additionalPrinterColumns")), shape=lambda: structural.node,
        selectable=tuple(f["jsonPath"].lstrip(".") for f in parts(version, "selectableFields")),
        scale_paths=part(version, "subresources", "scale"), deprecation=_deprecation(crd, version),
    )  # fmt: skip


def _deprecation(crd: Object, version: Object) -> str:
    """The warning of every request for a deprecated version."""
    if not version.get("deprecated"):
        return ""
    kind = f"{crd['spec']['group']}/{version['name']} {crd['spec']['names']['kind']}"
    return str(version.get("deprecationWarning") or f"{kind} is deprecated")


def _subresources(version: Object) -> dict[str, tuple[str, ...]]:
    wanted = part(version, "subresources")
    return {name: _UPDATES for name in ("status", "scale") if name in wanted and wanted[name] is not None}


def withdraw(api: Api, crd: Object) -> None:
    """The definition is gone: so are its resources, and the watches on them end."""
    served = api.catalogue.custom(crd["metadata"]["name"])
    api.catalogue.set_custom(crd["metadata"]["name"], [])
    for resource in served:
        api.hub.wake(resource.store)


def finish(api: Api, store: str) -> bool:
    """Remove a definition that is being deleted once no instance is left; called when an instance goes."""
    group, _, plural = store.partition("/")
    key = ObjectKey(STORE, "", f"{plural}.{group}")
    record = api.store.latest(key)
    if record is None or b'"deletionTimestamp"' not in record.value:
        return False
    if not api.store.is_empty(store):
        return False
    crd: Object = orjson.loads(record.value)
    left = [name for name in parts(crd["metadata"], "finalizers") if name != FINALIZER]
    crd["metadata"] |= {"resourceVersion": str(api.store.next_rev), "finalizers": left}
    if left:
        api.store.put(key, pack(crd), record)
        return False
    api.store.remove(key, pack(crd), record)
    withdraw(api, crd)
    _reconsider(api, crd)
    return True


def load(api: Api) -> None:
    """At start: serve every stored definition."""
    for record in api.store.list(STORE).records:
        serve(api.catalogue, orjson.loads(record.value))
