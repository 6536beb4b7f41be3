"""DefaultStorageClass: a claim that names no class gets the one that is marked as the default."""

from __future__ import annotations

from ...foreign import part
from ..plugin import CREATE, Attributes, Plugin
from .cluster import annotations_of, every, newest

STORE = "storage.k8s.io/storageclasses"
CLAIMS = "/persistentvolumeclaims"
CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


class DefaultStorageClass(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.store != CLAIMS or attributes.subresource or attributes.operation != CREATE:
            return
        assert attributes.obj is not None
        if CLASS_ANNOTATION in annotations_of(attributes.obj) or "storageClassName" in part(attributes.obj, "spec"):
            return  # "" is a wish, too: no class
        marked = [
            found
            for found in every(attributes.api, STORE)
            if any(annotations_of(found).get(name) == "true" for name in _DEFAULT)
        ]
        chosen = newest(marked)
        if chosen is not None:
            attributes.obj.setdefault("spec", {})["storageClassName"] = chosen["metadata"]["name"]
