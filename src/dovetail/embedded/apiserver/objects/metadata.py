"""ObjectMeta: names, labels, owner references, and the fields that the server sets. Pure.

``validate`` gives the problems in the order and the words of Kubernetes (apimachinery
``api/validation/objectmeta.go``).
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..registry.kinds import builtin_stores
from . import names

Object = dict[str, Any]

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' generator: no vowels, nothing that looks like another
_ANNOTATIONS_LIMIT = 256 * 1024
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
_BANNED_OWNERS = {("v1", "Event")}
_IMMUTABLE = (
    "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
)  # fmt: skip


def new_uid() -> str:
    return str(uuid.uuid4())


def generate_name(base: str) -> str:
    """The base (shortened to 58 characters) and five random ones."""
    return base[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def qualified_name_problem(key: str) -> str:
    """The first reason why a text is no label key, or ""."""
    return next(iter(names.qualified(key)), "")


def validate(store: str, meta: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Problems of ``metadata``; on update those of what changed for the worse come first."""
    errors = list(_changed(meta, old)) if old is not None else list(_named(store, meta))
    errors += validate_labels(part(meta, "labels"), "metadata.labels")
    errors += validate_annotations(part(meta, "annotations"), "metadata.annotations")
    errors += _owners(meta)
    if old is None:
        errors += _finalizers(meta)
    errors += _managed(meta)
    return errors + list(_kube_finalizers(store, meta))


def _named(store: str, meta: Mapping[str, Any]) -> Iterator[FieldError]:
    problems, name, base = names.of_kind(store), str(meta.get("name") or ""), str(meta.get("generateName") or "")
    if base:
        # a generated name goes on after the base, so the base may end with a dash
        masked = f"{base[:-1]}a" if base.endswith("-") and len(base) > 1 else base
        yield from (fe.invalid("metadata.generateName", base, problem) for problem in problems(masked))
    if not name:
        yield fe.required("metadata.name", "name or generateName is required")
    else:
        yield from (fe.invalid("metadata.name", name, problem) for problem in problems(name))


def _changed(meta: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[FieldError]:
    if old.get("deletionTimestamp"):
        added = sorted(set(parts(meta, "finalizers")) - set(parts(old, "finalizers")))
        if added:
            shown = ", ".join(fe.show(name) for name in added)
            yield fe.forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{shown}}}",
            )
    for name in _IMMUTABLE:
        if meta.get(name) != old.get(name):
            yield fe.invalid(f"metadata.{name}", meta.get(name, ""), "field is immutable")


def validate_labels(labels: Mapping[str, str], field: str) -> Iterator[FieldError]:
    for key, value in labels.items():
        yield from (fe.invalid(field, key, problem) for problem in names.qualified(key))
        yield from (fe.invalid(field, value, problem) for problem in names.label_value(value))


def validate_selector(selector: Mapping[str, Any], field: str) -> Iterator[FieldError]:
    """A ``metav1.LabelSelector``."""
    yield from validate_labels(part(selector, "matchLabels"), f"{field}.matchLabels")
    for index, item in enumerate(parts(selector, "matchExpressions")):
        where = f"{field}.matchExpressions[{index}]"
        operator, values = item.get("operator", ""), parts(item, "values")
        if operator in ("In", "NotIn"):
            if not values:
                yield fe.required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                yield fe.forbidden(f"{where}.values", text)
        else:
            yield fe.invalid(f"{where}.operator", operator, "not a valid selector operator")
        key = item.get("key", "")
        yield from (fe.invalid(f"{where}.key", key, problem) for problem in names.qualified(key))
        for place, value in enumerate(values):
            problems = names.label_value(value)
            yield from (fe.invalid(f"{where}.values[{place}]", value, problem) for problem in problems)


def validate_annotations(annotations: Mapping[str, str], field: str) -> Iterator[FieldError]:
    for key in annotations:
        yield from (fe.invalid(field, key, problem) for problem in names.qualified(key.lower()))
    if sum(len(key) + len(value) for key, value in _encoded(annotations)) > _ANNOTATIONS_LIMIT:
        yield fe.too_long(field, _ANNOTATIONS_LIMIT)


def _encoded(annotations: Mapping[str, str]) -> Iterator[tuple[bytes, bytes]]:
    return ((key.encode(), value.encode()) for key, value in annotations.items())


def _owners(meta: Mapping[str, Any]) -> Iterator[FieldError]:
    first, field, owners = "", "metadata.ownerReferences", parts(meta, "ownerReferences")
    for owner in owners:
        version, kind = str(owner.get("apiVersion", "")), str(owner.get("kind", ""))
        if not version.rpartition("/")[2]:
            yield fe.invalid(f"{field}.apiVersion", version, "version must not be empty")
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                yield fe.invalid(f"{field}.{name}", "", "must not be empty")
        if (version, kind) in _BANNED_OWNERS:
            group, _, bare = version.rpartition("/")
            yield fe.invalid(field, owner, f"{group}/{bare}, Kind={kind} is disallowed from being an owner")
        if owner.get("controller"):
            present = f"{kind}/{owner.get('name', '')}"
            if first:
                text = (
                    f'Only one reference can have Controller set to true. Found "true" in references for {first} and '
                )
                yield fe.invalid(field, owners, text + present)
            first = first or present


def _finalizers(meta: Mapping[str, Any]) -> Iterator[FieldError]:
    finalizers = cast("list[str]", parts(meta, "finalizers"))
    for finalizer in finalizers:
        yield from (fe.invalid("metadata.finalizers", finalizer, problem) for problem in names.qualified(finalizer))
    if {"orphan", "foregroundDeletion"} <= set(finalizers):
        text = "finalizer orphan and foregroundDeletion cannot be both set"
        yield fe.invalid("metadata.finalizers", finalizers, text)


def _kube_finalizers(store: str, meta: Mapping[str, Any]) -> Iterator[FieldError]:
    """Built-in kinds take finalizers of others under a qualified name only."""
    if not parts(meta, "finalizers") or store not in builtin_stores():
        return
    for index, name in enumerate(parts(meta, "finalizers")):
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            yield fe.invalid(f"metadata.finalizers[{index}]", name, text)


def _managed(meta: Mapping[str, Any]) -> Iterator[FieldError]:
    for index, entry in enumerate(parts(meta, "managedFields")):
        field = f"metadata.managedFields[{index}]"
        if entry.get("operation") not in ("Apply", "Update"):
            yield fe.invalid(f"{field}.operation", entry.get("operation", ""), "must be `Apply` or `Update`")
        if entry.get("fieldsType") not in (None, "", "FieldsV1"):
            yield fe.invalid(f"{field}.fieldsType", entry["fieldsType"], "must be `FieldsV1`")
        if len(entry.get("manager") or "") > 128:
            yield fe.too_long(f"{field}.manager", 128)


def start(meta: Object, namespace: str, now: str, generation: bool) -> Object:
    """Metadata of a new object: what the server sets, and nothing that only the server may set."""
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation", "resourceVersion"):
        meta.pop(name, None)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generate_name(str(meta["generateName"]))
    ordered: Object = {"name": meta.get("name", "")}
    if namespace:
        ordered["namespace"] = namespace
    ordered |= {key: value for key, value in meta.items() if key not in ("name", "namespace")}
    ordered |= {"uid": new_uid(), "creationTimestamp": now}
    if generation:
        ordered["generation"] = 1
    return ordered


def carry(meta: Object, old: Mapping[str, Any]) -> None:
    """On update, the fields that only the server sets stay what they were.

    A uid and the times of deletion that differ are kept for ``validate`` to refuse, as Kubernetes does; left out, they
    stay what they were.
    """
    for name in ("creationTimestamp", "generation", "namespace"):
        if name in old:
            meta[name] = old[name]
        else:
            meta.pop(name, None)
    if not meta.get("uid"):
        meta["uid"] = old["uid"]
    if old.get("deletionTimestamp"):
        meta["deletionTimestamp"] = old["deletionTimestamp"]
    if "deletionGracePeriodSeconds" in old:
        meta.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])
    meta.pop("selfLink", None)
