"""One record as a worker sends it: what the worker knows, in as few bytes and as little time as possible.

Control makes the event of it. A struct without field names on the wire, which msgspec encodes in well under a
microsecond.
"""

from typing import Final

import msgspec

from dovetail.gateway.audit.policy import Level
from dovetail.iam.policy import Identity

KIND: Final = "audit"
"""Among the worker's reports."""


class Bodies(msgspec.Struct, frozen=True, array_like=True):
    """The beginnings of the bodies, where the policy asks for them; None for one that was not wanted or not kept."""

    request: bytes | None = None
    response: bytes | None = None
    request_cut: bool = False
    response_cut: bool = False


class Entry(msgspec.Struct, array_like=True, gc=False):
    """See the module. `id` is given to requests that have several records; `who` is None for nobody."""

    id: str
    started: bool
    """It goes on: this is the record of its start (ResponseStarted)."""
    at: float
    """When it came, in seconds of the epoch."""
    seconds: float
    method: str
    target: bytes
    code: int
    reason: str
    who: Identity | None
    address: bytes
    agent: bytes
    route: str
    received: int
    sent: int
    level: Level
    bodies: Bodies | None = None
