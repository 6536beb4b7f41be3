"""Problems: what the compiler has to say about an object, for its conditions and for the log."""

from typing import Literal

import msgspec

from dovetail.apis.dialects import Meta
from dovetail.apis.errors import InvalidObject

Reason = Literal["Invalid", "Reserved", "Conflict", "Shadowed", "Remark"]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence about an object.

    Invalid and Reserved: (this part of) the object gives no route. Conflict: an older object, `winner`, takes requests
    such as `witness`. Shadowed: other routes take all its requests. Remark: something was left out, the route works.
    """

    api_version: str
    kind: str
    name: str
    uid: str = ""
    reason: Reason
    message: str
    field: str = ""
    winner: str = ""
    witness: str = ""


def problem(
    meta: Meta, reason: Reason, message: str, *, field: str = "", winner: str = "", witness: str = ""
) -> Problem:
    """A problem of the object with this metadata."""
    return Problem(
        api_version=meta.api_version,
        kind=meta.kind,
        name=meta.name,
        uid=meta.uid,
        reason=reason,
        message=message,
        field=field,
        winner=winner,
        witness=witness,
    )


def unreadable(api_version: str, uid: str, error: InvalidObject) -> list[Problem]:
    """The problems of an object that could not be read at all, one a field."""
    return [
        Problem(
            api_version=api_version,
            kind=error.kind,
            name=error.name,
            uid=uid,
            reason="Invalid",
            message=mistake.message,
            field=mistake.path,
        )
        for mistake in error.errors
    ]
