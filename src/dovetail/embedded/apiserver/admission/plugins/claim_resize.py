"""PersistentVolumeClaimResize: a claim grows only when its storage class says that volumes can grow."""

from __future__ import annotations

from typing import Any

from ...foreign import part
from ...quantities import compare
from ..plugin import UPDATE, Attributes, Plugin
from .cluster import annotations_of, find
from .default_storage_class import CLAIMS, CLASS_ANNOTATION, STORE
from .refusal import forbidden

Object = dict[str, Any]


class PersistentVolumeClaimResize(Plugin):
    def validate(self, attributes: Attributes) -> None:
        if attributes.resource.store != CLAIMS or attributes.subresource or attributes.operation != UPDATE:
            return
        claim, old = attributes.obj, attributes.old
        if claim is None or old is None or compare(_size(claim), _size(old)) <= 0:
            return
        if part(old, "status").get("phase") != "Bound":
            raise forbidden(attributes, "Only bound persistent volume claims can be expanded")
        name = class_of(claim)
        found = find(attributes.api, STORE, name) if name and name == class_of(old) else None
        if found is None or not found.get("allowVolumeExpansion"):
            why = (
                "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
                "support resize"
            )
            raise forbidden(attributes, why)


def _size(claim: Object) -> str:
    return str(part(claim, "spec", "resources", "requests").get("storage", "0"))


def class_of(claim: Object) -> str:
    """The claim's storage class, or ""."""
    stated = annotations_of(claim).get(CLASS_ANNOTATION)
    return stated if stated is not None else str(part(claim, "spec").get("storageClassName") or "")
