"""A patch that cannot be applied."""

from __future__ import annotations


class PatchRejected(ValueError):
    """The patch is well-formed but does not fit the object (a failed test, a missing path): 422."""


class PatchMalformed(ValueError):
    """The patch is not a patch of its format: 400."""
