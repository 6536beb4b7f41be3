"""Whether a version is in a range, for ranges and versions that nobody has checked. Pure.

A blank range is any version, also a pre-release; one that cannot be read fits nothing
(reference/kubesphere-core.md 2.2).
"""

from functools import lru_cache

from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Version, satisfies


def fits(constraint: str, version: str) -> bool:
    """Never raises: what cannot be read does not fit."""
    try:
        return satisfies(constraint, version)
    except PackagingError:
        return False


@lru_cache(maxsize=16_384)
def precedence(version: str) -> tuple[int, Version, str]:
    """A sort key: ascending by semantic version; unreadable ones first, by text."""
    try:
        return 1, Version.parse(version), version
    except PackagingError:
        return 0, Version(0), version
