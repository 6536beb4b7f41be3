"""Traffic rules of a route as values: where else to go, how often, how long, and what to do when a backend fails.

A `Traffic` belongs to a `Route` (`model.Route.traffic`; None for the many routes without rules), a `Breaker` to an
`Upstream`. They say what is wanted; how it is decided is `dovetail.gateway.proxy.traffic`. Times are in seconds.

`name` in a rule is the object it came from: what is counted under it outlives a change of the table, and all routes of
the object share it.
"""

from typing import Final, Literal

import msgspec

Balance = Literal["RoundRobin", "LeastRequests"]
"""How requests are spread over the addresses of a backend."""

RetryCause = Literal["ConnectFailure", "Reset", "Timeout", "502", "503", "504"]
"""Why a try failed: no connection; a connection that broke before the answer; no answer within `per_try_timeout`; the
backend's own answer."""

RETRY_CAUSES: Final[tuple[RetryCause, ...]] = ("ConnectFailure", "Reset", "Timeout", "502", "503", "504")

LimitKey = Literal["User", "Address", "Global"]
"""What has a budget of its own: each user (each address, for those who have not logged in), each source address, or
all together."""


class RedirectRule(msgspec.Struct, frozen=True):
    """Requests whose path fits `pattern` are answered with `status` and the Location that `target` gives."""

    pattern: str
    target: str
    status: int = 302


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A token bucket: it holds `burst` at most and gains `requests` in `per_seconds`; each request takes one."""

    name: str
    requests: int
    per_seconds: int = 1
    burst: int
    by: LimitKey = "User"


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on what is sent to a backend, and when to leave an address of it alone. None sets no limit."""

    name: str
    max_connections: int | None = None
    max_pending: int | None = None
    """Requests that wait for a connection because all `max_connections` are in use."""
    max_requests: int | None = None
    max_retries: int | None = None
    consecutive_failures: int | None = None
    error_percent: int | None = None
    """Of the requests of the last `interval`, once they are `minimum_requests`."""
    minimum_requests: int = 20
    interval: float = 10.0
    ejection_time: float = 30.0
    """For the first time in a row; longer with each further time (`circuit.LONGEST_EJECTION` times at most)."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """Idempotent requests without a body, or with one of `max_body` bytes at most, may be tried again."""

    attempts: int
    """Tries after the first."""
    on: tuple[RetryCause, ...] = RETRY_CAUSES
    per_try_timeout: float = 0.0
    """From sending a try to the first byte of its answer; zero for no limit of its own."""
    back_off: float = 0.025
    max_back_off: float = 0.25
    budget_percent: int = 20
    """Retries may be this share of the requests that are under way, or three, whichever is more."""
    max_body: int = 64 << 10


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """All rules of one route. One with nothing in it is not made: the route has None instead."""

    redirects: tuple[RedirectRule, ...] = ()
    rate_limit: RateLimit | None = None
    retries: Retries | None = None
    breaker: bool = False
    """The route's upstream has a breaker, which wants to know what becomes of requests."""
    request_timeout: float = 0.0
    """From the first byte of the request to the last of the answer; zero for no limit."""
    reject_redirects: bool = False
    """A redirection that the backend answers is not passed on."""
    wrap: bool = False
    """The backend does not know below which path it is published: links in its answers get that path."""
