"""metav1.Status bodies, as every HTTP service of the platform answers errors with them.

One function, so that the gateway, the platform and the console cannot drift apart in what kubectl and client-go read.
"""

from collections.abc import Mapping
from typing import Any

import orjson


def status_body(code: int, reason: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The JSON of a metav1.Status: `Success` below 400, `Failure` from there; `details` as metav1.StatusDetails."""
    status: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure" if code >= 400 else "Success",
        "message": message,
        "reason": reason,
        "code": code,
    }
    if details:
        status["details"] = dict(details)
    return orjson.dumps(status)
