"""DefaultTolerationSeconds: a pod stays for five minutes on a node that is not ready or cannot be reached."""

from __future__ import annotations

from typing import Any

from ...foreign import parts
from ..plugin import CREATE, UPDATE, Attributes, Plugin

SECONDS = 300
_TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


class DefaultTolerationSeconds(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        if attributes.resource.store != "/pods" or attributes.subresource:
            return
        if attributes.operation not in (CREATE, UPDATE) or attributes.obj is None:
            return
        spec = attributes.obj.setdefault("spec", {})
        tolerations = parts(spec, "tolerations")
        missing = [
            {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
            for taint in _TAINTS
            if not any(_tolerates(toleration, taint) for toleration in tolerations)
        ]
        if missing:
            spec["tolerations"] = [*tolerations, *missing]


def _tolerates(toleration: dict[str, Any], taint: str) -> bool:
    return toleration.get("key", "") in (taint, "") and toleration.get("effect", "") in ("NoExecute", "")
