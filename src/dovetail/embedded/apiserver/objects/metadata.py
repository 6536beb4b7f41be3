"""ObjectMeta: names, labels, owner references, and the fields that the server sets. Pure."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts

Object = dict[str, Any]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?\Z")
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' generator: no vowels, nothing that looks like another
_ANNOTATIONS_LIMIT = 256 * 1024

SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end "
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end "
    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_KEY_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_LABEL_NAMES = {"/namespaces"}
_1035_NAMES = {"/services"}
_PATH_NAMES = {
    f"rbac.authorization.k8s.io/{plural}" for plural in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
}


def new_uid() -> str:
    return str(uuid.uuid4())


def generate_name(base: str) -> str:
    """The base (shortened to 58 characters) and five random ones."""
    return base[:58] + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def name_problem(store: str, name: str) -> str:
    """Why a name is not valid for a resource, or ""."""
    if store in _PATH_NAMES:
        if name in (".", "..") or "/" in name or "%" in name:
            return f"may not be '{name}'" if name in (".", "..") else "may not contain '/' or '%'"
        return ""
    if store in _LABEL_NAMES:
        return (
            ""
            if len(name) <= 63 and _LABEL.match(name)
            else LABEL_TEXT
            if len(name) <= 63
            else "must be no more than 63 characters"
        )
    if store in _1035_NAMES:
        return "" if len(name) <= 63 and _LABEL_1035.match(name) else LABEL_1035_TEXT
    if len(name) > 253:
        return "must be no more than 253 characters"
    return "" if _SUBDOMAIN.match(name) else SUBDOMAIN_TEXT


def validate(store: str, meta: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
    """Problems of ``metadata``; on update also of what may not change."""
    errors = [*_validate_name(store, meta), *_validate_labels(meta)]
    errors += _validate_annotations(meta)
    errors += _validate_owners(meta)
    errors += _validate_finalizers(meta, old)
    return errors


def _validate_name(store: str, meta: Mapping[str, Any]) -> Iterator[FieldError]:
    name = str(meta.get("name") or "")
    if not name:
        yield fe.required("metadata.name", "name or generateName is required")
    elif problem := name_problem(store, name):
        yield fe.invalid("metadata.name", name, problem)


def qualified_name_problem(key: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if slash and (not _SUBDOMAIN.match(prefix) or len(prefix) > 253):
        return f"prefix part {SUBDOMAIN_TEXT}"
    if not name:
        return "name part must be non-empty"
    if len(name) > 63:
        return "name part must be no more than 63 characters"
    return "" if _QUALIFIED.match(name) else _KEY_TEXT


def validate_labels(labels: Mapping[str, str], field: str) -> Iterator[FieldError]:
    for key, value in labels.items():
        if problem := qualified_name_problem(key):
            yield fe.invalid(field, key, problem)
        if len(value) > 63:
            yield fe.invalid(field, value, "must be no more than 63 characters")
        elif not _VALUE.match(value):
            yield fe.invalid(field, value, _VALUE_TEXT)


def _validate_labels(meta: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from validate_labels(part(meta, "labels"), "metadata.labels")


def _validate_annotations(meta: Mapping[str, Any]) -> Iterator[FieldError]:
    annotations = cast("dict[str, str]", part(meta, "annotations"))
    for key in annotations:
        if problem := qualified_name_problem(key.lower()):
            yield fe.invalid("metadata.annotations", key, problem)
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        yield fe.too_long("metadata.annotations", _ANNOTATIONS_LIMIT)


def _validate_owners(meta: Mapping[str, Any]) -> Iterator[FieldError]:
    controllers = 0
    for index, owner in enumerate(parts(meta, "ownerReferences")):
        field = f"metadata.ownerReferences[{index}]"
        for name, text in (("apiVersion", "version must not be empty"), ("kind", ""), ("name", ""), ("uid", "")):
            if not owner.get(name):
                yield fe.invalid(f"{field}.{name}", owner.get(name, ""), text or "must not be empty")
        controllers += bool(owner.get("controller"))
    if controllers > 1:
        yield fe.invalid("metadata.ownerReferences", "", "Only one reference can have Controller set to true")


def _validate_finalizers(meta: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[FieldError]:
    finalizers = cast("list[str]", parts(meta, "finalizers"))
    for finalizer in finalizers:
        if problem := qualified_name_problem(finalizer):
            yield fe.invalid("metadata.finalizers", finalizer, problem)
    if old is not None and old.get("deletionTimestamp"):
        added = [name for name in finalizers if name not in parts(old, "finalizers")]
        if added:
            yield fe.forbidden(
                "metadata.finalizers",
                f"no new finalizers can be added if the object is being deleted, found new finalizers {added!r}",
            )


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
    """On update, the fields that only the server sets stay what they were."""
    for name in (
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "namespace",
    ):
        if name in old:
            meta[name] = old[name]
        else:
            meta.pop(name, None)
    meta.pop("selfLink", None)
    if "generateName" in old:
        meta.setdefault("generateName", old["generateName"])
