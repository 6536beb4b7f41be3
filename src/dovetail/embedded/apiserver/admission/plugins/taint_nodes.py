"""TaintNodesByCondition: a new node takes no pods until a controller has seen that it is ready."""

from __future__ import annotations

from ...foreign import parts
from ..plugin import CREATE, Attributes, Plugin

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.store != "/nodes" or attributes.subresource or attributes.operation != CREATE:
            return
        assert attributes.obj is not None
        taints = parts(attributes.obj, "spec", "taints")
        if all((taint.get("key"), taint.get("effect")) != (TAINT["key"], TAINT["effect"]) for taint in taints):
            attributes.obj.setdefault("spec", {})["taints"] = [*taints, dict(TAINT)]
