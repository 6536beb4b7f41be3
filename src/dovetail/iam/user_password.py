"""Writing a new password down, the same way for everybody who may: its hash, when that was, and an end to all sessions.

Tokens from before the moment of the change are refused everywhere by its stamp; the sessions are ended as well, so that
nothing that was issued in the same second outlives it. What the password may be, and who may set it, is decided before.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import LAST_PASSWORD_CHANGE, UNINITIALIZED
from dovetail.kube.client import Client
from dovetail.kube.timestamps import rfc3339

EndSessions = Callable[[str, float], Awaitable[None]]
"""Ends every session of a user: `Sessions.end_all`."""


async def store_password(
    client: Client, end_sessions: EndSessions, user: dict[str, Any], password_hash: str, now: float, *,
    first: bool = False,
) -> None:  # fmt: skip
    """`first`: the user has to choose an own one at the next log-in. Raises kube's errors."""
    stamp = rfc3339(datetime.fromtimestamp(now, UTC))
    marks = {LAST_PASSWORD_CHANGE: stamp, UNINITIALIZED: "true" if first else None}
    metadata, name = {"uid": user["metadata"]["uid"], "annotations": marks}, str(user["metadata"]["name"])
    await client.patch(USERS, name, {"metadata": metadata, "spec": {"password": password_hash}})
    await end_sessions(name, now)
