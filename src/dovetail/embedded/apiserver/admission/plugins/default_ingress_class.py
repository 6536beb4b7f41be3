"""DefaultIngressClass: an ingress that names no class gets the one that is marked as the default."""

from __future__ import annotations

from ...foreign import part
from ..plugin import CREATE, Attributes, Plugin
from .cluster import annotations_of, every, newest

STORE = "networking.k8s.io/ingressclasses"
DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"


class DefaultIngressClass(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.store != "networking.k8s.io/ingresses" or attributes.subresource:
            return
        if attributes.operation != CREATE or attributes.obj is None:
            return
        if "ingressClassName" in part(attributes.obj, "spec") or CLASS_ANNOTATION in annotations_of(attributes.obj):
            return
        marked = [
            found for found in every(attributes.api, STORE) if annotations_of(found).get(DEFAULT_ANNOTATION) == "true"
        ]
        chosen = newest(marked)
        if chosen is not None:
            attributes.obj.setdefault("spec", {})["ingressClassName"] = chosen["metadata"]["name"]
