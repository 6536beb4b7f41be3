"""Whether a version is in a range, for ranges and versions that nobody has checked. Pure.

A blank range is any version, also a pre-release; one that cannot be read fits nothing
(reference/kubesphere-core.md 2.2).
"""

from functools import lru_cache

from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Constraint, Version


def fits(constraint: str, version: str) -> bool:
    """Never raises: what cannot be read does not fit."""
    if not constraint.strip():
        return True
    read, (readable, parsed, _) = _constraint(constraint), precedence(version)
    return read is not None and bool(readable) and read.accepts(parsed)


@lru_cache(maxsize=4_096)
def _constraint(text: str) -> Constraint | None:
    try:
        return Constraint.parse(text)
    except PackagingError:
        return None


@lru_cache(maxsize=16_384)
def precedence(version: str) -> tuple[int, Version, str]:
    """A sort key: ascending by semantic version; unreadable ones first, by text."""
    try:
        return 1, Version.parse(version), version
    except PackagingError:
        return 0, Version(0), version
