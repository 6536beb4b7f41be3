"""Namespaces: their finalizer, and that nothing new comes into one that is missing or going away
(NamespaceLifecycle).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from ..errors import Forbidden, NotFound
from ..foreign import part
from ..registry.resource import ResourceType
from ..storage.records import ObjectKey
from .strategy import Context, Strategy

if TYPE_CHECKING:
    from ..verbs.call import Api

Object = dict[str, Any]

IMMORTAL = ("default", "kube-system", "kube-public")
SYSTEM = (*IMMORTAL, "kube-node-lease")
_NAME_LABEL = "kubernetes.io/metadata.name"
# What may still be created while a namespace terminates: the events about it, and access reviews.
_ALLOWED_LATE = {"authorization.k8s.io/localsubjectaccessreviews"}


class NamespaceStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        meta = obj["metadata"]
        meta["labels"] = {**part(meta, "labels"), _NAME_LABEL: meta.get("name", "")}
        if old is None:
            obj["spec"] = {"finalizers": ["kubernetes"]}
            obj["status"] = {"phase": "Active"}
        elif "spec" in old:
            obj["spec"] = old["spec"]


def check_open(api: Api, resource: ResourceType, namespace: str, name: str) -> None:
    """Raises NotFound or Forbidden unless the namespace exists and stays."""
    record = api.store.latest(ObjectKey("/namespaces", "", namespace))
    if record is None:
        raise NotFound("", "namespaces", namespace)
    if b'"deletionTimestamp"' not in record.value or resource.store in _ALLOWED_LATE:
        return
    if orjson.loads(record.value)["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        error = Forbidden(resource.group, resource.plural, name, why)
        error.details = {
            **(error.details or {}),
            "causes": [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        }
        raise error
