"""CustomResourceDefinitions: names, conditions, and the resources that they bring.

A definition is accepted, established and served by the write that creates it. Deleting one deletes its instances
first: a finalizer holds it until the last of them is gone (``finish``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import orjson

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..registry.catalogue import Catalogue, version_rank
from ..registry.resource import ResourceType, pack
from ..schema.structural import Structural, check
from ..storage.records import ObjectKey
from .strategy import Context, Strategy

if TYPE_CHECKING:
    from ..verbs.call import Api

Object = dict[str, Any]

STORE = "apiextensions.k8s.io/customresourcedefinitions"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_UPDATES = ("get", "patch", "update")


class DefinitionStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        spec: Object = obj.setdefault("spec", {})
        names: Object = spec.setdefault("names", {})
        names.setdefault("singular", str(names.get("kind", "")).lower())
        names.setdefault("listKind", f"{names.get('kind', '')}List")
        spec.setdefault("conversion", {"strategy": "None"})
        if "status" in context.resource.subresources and old is not None and "status" in obj:
            stored = parts(obj["status"], "storedVersions")
        else:
            stored = []
        obj["status"] = _status(context, obj, old, stored)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec: Object = part(obj, "spec")
        errors = [*_name_errors(obj, spec), *_version_errors(spec), *_schema_errors(spec)]
        # With one version there is nothing to convert: the webhook of such a definition is never called anywhere.
        if part(spec, "conversion").get("strategy") == "Webhook" and len(parts(spec, "versions")) > 1:
            text = "conversion webhooks are not supported by this server; serve one version, or use strategy None"
            errors.append(fe.forbidden("spec.conversion.strategy", text))
        if spec.get("preserveUnknownFields"):
            errors.append(
                fe.invalid(
                    "spec.preserveUnknownFields",
                    True,
                    "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
                    "spec.versions[*].schema instead",
                )
            )
        if old is not None:
            changed = [name for name in ("group", "scope") if spec.get(name) != part(old, "spec").get(name)]
            errors += [fe.invalid(f"spec.{name}", spec.get(name), "field is immutable") for name in changed]
        return errors

    def stored(self, api: Api, obj: Object) -> None:
        serve(api.catalogue, obj)

    def removed(self, api: Api, obj: Object) -> None:
        withdraw(api, obj)


_ACCEPTED = {
    "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
    "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
}
_REFUSED = {**_ACCEPTED, "Established": ("False", "NotAccepted", "not all names are accepted")}


def _status(context: Context, obj: Object, old: Object | None, stored: list[str]) -> Object:
    spec, now = obj["spec"], context.api.now()
    present = old or {}
    before = parts(present, "status", "conditions")
    kept = {c["type"]: c for c in before}
    taken = _taken(context.api.catalogue, obj)
    wanted = dict(_REFUSED if taken else _ACCEPTED)
    if taken:
        wanted["NamesAccepted"] = ("False", "PluralConflict", taken)
    if obj["metadata"].get("deletionTimestamp"):
        wanted["Terminating"] = ("True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
    conditions = [_condition(kept.get(kind), kind, *values, now) for kind, values in wanted.items()]
    conditions += [c for c in before if c["type"] not in wanted]
    storage = next((v.get("name", "") for v in parts(spec, "versions") if v.get("storage")), "")
    versions = list(dict.fromkeys([*(stored or parts(present, "status", "storedVersions")), storage]))
    return {"conditions": conditions, "acceptedNames": {} if taken else dict(spec["names"]), "storedVersions": versions}


def _condition(old: Object | None, kind: str, status: str, reason: str, message: str, now: str) -> Object:
    since = old["lastTransitionTime"] if old is not None and old.get("status") == status else now
    return {"lastTransitionTime": since, "message": message, "reason": reason, "status": status, "type": kind}


def _taken(catalogue: Catalogue, obj: Object) -> str:
    """Which name another definition of the group already has, as a sentence, or ""."""
    spec = obj["spec"]
    ours = {r.plural for r in catalogue.custom(obj["metadata"].get("name", ""))}
    for other in catalogue.resources():
        if (
            other.group == spec.get("group")
            and other.kind == spec["names"].get("kind")
            and other.plural not in ours
            and other.plural != spec["names"].get("plural")
        ):
            return f'"{other.kind}" is already in use'
    return ""


def _name_errors(obj: Object, spec: Object) -> Iterator[FieldError]:
    names = part(spec, "names")
    for name in ("plural", "kind"):
        if not names.get(name):
            yield fe.required(f"spec.names.{name}")
    group = spec.get("group")
    if not group:
        yield fe.required("spec.group")
    elif "." not in str(group):
        yield fe.invalid("spec.group", group, "should be a domain with at least one dot")
    wanted = f"{names.get('plural')}.{group}"
    found = obj["metadata"].get("name")
    if names.get("plural") and group and found != wanted:
        yield fe.invalid("metadata.name", found, 'must be spec.names.plural+"."+spec.group')
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        scope = spec.get("scope")
        yield (
            fe.required("spec.scope") if not scope else fe.not_supported("spec.scope", scope, ["Cluster", "Namespaced"])
        )


def _version_errors(spec: Object) -> Iterator[FieldError]:
    versions = parts(spec, "versions")
    storing = sum(bool(version.get("storage")) for version in versions)
    if storing != 1:
        yield fe.invalid(
            "spec.versions",
            versions and [v.get("name") for v in versions],
            "must have exactly one version marked as storage version",
        )
    names = [version.get("name") for version in versions]
    for index, name in enumerate(names):
        if not name:
            yield fe.required(f"spec.versions[{index}].name")
        elif name in names[:index]:
            yield fe.invalid(f"spec.versions[{index}].name", name, "must contain unique version names")


def _schema_errors(spec: Object) -> Iterator[FieldError]:
    for index, version in enumerate(parts(spec, "versions")):
        field = f"spec.versions[{index}].schema.openAPIV3Schema"
        schema = part(version, "schema").get("openAPIV3Schema")
        if not isinstance(schema, Mapping):
            yield fe.required(field, "schemas are required")
        else:
            yield from _problems(cast("Mapping[str, Any]", schema), field)


def _problems(schema: Mapping[str, Any], field: str) -> list[FieldError]:
    """Why a schema cannot be served; some of it only shows when the schema is put to use (patterns below anyOf)."""
    try:
        problems = check(schema, field)
        if not problems:
            Structural(schema).compile()
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return [fe.invalid(field, "", f"the schema cannot be compiled: {error}")]
    return problems


# -- serving


def serve(catalogue: Catalogue, crd: Object) -> None:
    """Put the definition's served versions into the catalogue (none when its names are taken)."""
    accepted = any(c["type"] == "Established" and c["status"] == "True" for c in crd["status"]["conditions"])
    catalogue.set_custom(crd["metadata"]["name"], list(resources(crd)) if accepted else [])


def resources(crd: Object) -> Iterator[ResourceType]:
    spec = crd["spec"]
    names = spec["names"]
    versions = sorted((v for v in spec["versions"] if v.get("served")), key=lambda v: version_rank(v["name"]))
    for version in versions:
        structural = Structural(version["schema"]["openAPIV3Schema"])
        yield ResourceType(
            spec["group"], version["name"], names["plural"], names["kind"],
            namespaced=spec["scope"] == "Namespaced", singular=names.get("singular", ""),
            short_names=tuple(parts(names, "shortNames")), categories=tuple(parts(names, "categories")),
            subresources=_subresources(version), generation=True, list_kind=names["listKind"], custom=structural,
            columns=tuple(parts(version, "additionalPrinterColumns")), shape=lambda s=structural: s.node,
            selectable=tuple(f["jsonPath"].lstrip(".") for f in parts(version, "selectableFields")),
            scale_paths=part(version, "subresources", "scale"),
        )  # fmt: skip


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
    return True


def load(api: Api) -> None:
    """At start: serve every stored definition."""
    for record in api.store.list(STORE).records:
        serve(api.catalogue, orjson.loads(record.value))
