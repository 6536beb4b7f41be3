"""StorageObjectInUseProtection: volumes and claims wait with their deletion until nothing uses them.

Here they only get the finalizer; controllers (``embedded/controllers/storage_protection``) take it off again.
"""

from __future__ import annotations

from ...foreign import parts
from ..plugin import CREATE, Attributes, Plugin

FINALIZERS = {
    "/persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "/persistentvolumes": "kubernetes.io/pv-protection",
}


class StorageObjectInUseProtection(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        finalizer = FINALIZERS.get(attributes.resource.store)
        if not finalizer or attributes.subresource or attributes.operation != CREATE or attributes.obj is None:
            return
        meta = attributes.obj["metadata"]
        present = parts(meta, "finalizers")
        if finalizer not in present:
            meta["finalizers"] = [*present, finalizer]
