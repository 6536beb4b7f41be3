"""A patch that cannot be applied."""

from __future__ import annotations

from ..errors import StatusError


class PatchRejected(ValueError):
    """The patch is well-formed but does not fit the object (a failed test, a missing path): 422."""


class PatchMalformed(ValueError):
    """The patch is not a patch of its format: 400."""


class PatchFailed(StatusError):
    """What kube-apiserver does not expect in a patch: it answers 500 without a reason, with the text of the error."""

    code, reason = 500, ""
