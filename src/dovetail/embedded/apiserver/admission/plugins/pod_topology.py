"""PodTopologyLabels: a pod that is put on a node carries the zone and the region of that node."""

from __future__ import annotations

from ...foreign import part
from ..plugin import CREATE, Attributes, Plugin
from .cluster import find

LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


class PodTopologyLabels(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.store != "/pods" or attributes.operation != CREATE or attributes.obj is None:
            return
        if attributes.subresource == "binding":
            target = part(attributes.obj, "target")
            node = target.get("name") if target.get("kind") == "Node" else None
        else:
            node = part(attributes.obj, "spec").get("nodeName") if not attributes.subresource else None
        found = find(attributes.api, "/nodes", str(node)) if node else None
        known = part(found or {}, "metadata", "labels")
        wanted = {name: known[name] for name in LABELS if name in known}
        if wanted:
            meta = attributes.obj.setdefault("metadata", {})
            meta["labels"] = {**part(meta, "labels"), **wanted}
