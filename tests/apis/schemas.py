"""Our CRD schemas by apiVersion and kind, and a verdict on an object."""

import functools
from typing import Any

from dovetail.apis.crds import crds
from tests.apis.validation import violations


@functools.cache
def _schemas() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version["schema"][
            "openAPIV3Schema"
        ]
        for crd in crds()
        for version in crd["spec"]["versions"]
    }


def refusals(obj: dict[str, Any]) -> list[str]:
    """Why a server with our CRDs would refuse this object."""
    return violations(_schemas()[obj["apiVersion"], obj["kind"]], obj)
