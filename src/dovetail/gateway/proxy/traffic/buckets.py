"""A token bucket as one number: the time at which it will be full again. Pure.

(The generic cell rate algorithm.) A bucket that is full now or was before is the same as one that nobody has heard of,
so a store of buckets may forget it at any moment without changing an answer.
"""

import math
from typing import NamedTuple

from dovetail.routing.traffic import RateLimit

_SLACK = 1e-9
"""Of a request: what rounding may add up to must not cost anybody one."""


class Verdict(NamedTuple):
    """What becomes of a request, and of the bucket."""

    allowed: bool
    full_at: float
    remaining: int
    """Requests that could follow at once."""
    retry_after: float
    """Seconds until the next request (this one, when it may not pass) may."""
    reset: float
    """Seconds until the bucket is full."""


def take(rule: RateLimit, full_at: float, now: float) -> Verdict:
    """Take one request from the bucket that will be full at `full_at`. Times of any clock that only goes forward.

    A time further ahead than this bucket can be is not believed: it is what another boot of the machine left behind.
    """
    each = rule.per_seconds / rule.requests
    depth = rule.burst * each
    if full_at > now + depth + each:
        full_at = now
    after = max(full_at, now) + each
    missing = after - (now + depth)
    if missing > each * _SLACK + _grain(now):
        full = max(full_at, now)
        return Verdict(False, full, 0, missing, full - now)
    left = math.floor((now + depth - after) / each + _SLACK + _grain(now) / each)
    return Verdict(True, after, max(left, 0), max(missing + each, 0.0), after - now)


def _grain(now: float) -> float:
    """What two times near `now` may differ by rounding alone."""
    return 8 * math.ulp(now)
