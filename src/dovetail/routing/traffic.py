"""Traffic rules of a route as values: where else to go, how often, how long, and what to do when a backend fails.

A `Traffic` belongs to a `Route` (`model.Route.traffic`; None for the many routes without rules), a `Breaker` to an
`Upstream`. They say what is wanted; how it is decided is `dovetail.gateway.proxy.traffic`. Times are in seconds.

What an author writes is read and bounded by `dovetail.apis.dialects.resilience`; here it gets the `name` of its object:
what is counted under it outlives a change of the table, and all routes of the object share it.
"""

from typing import Literal

import msgspec

from dovetail.apis.dialects import resilience
from dovetail.apis.dialects.resilience import LimitKey, Retries, RetryCause

__all__ = ["Balance", "Breaker", "LimitKey", "RateLimit", "RedirectRule", "Retries", "RetryCause", "Traffic"]

Balance = Literal["RoundRobin", "LeastRequests"]
"""How requests are spread over the addresses of a backend."""


class RedirectRule(msgspec.Struct, frozen=True):
    """Requests whose path fits `pattern` are answered with `status` and the Location that `target` gives."""

    pattern: str
    target: str
    status: int = 302


class RateLimit(resilience.RateLimit, frozen=True, kw_only=True):
    """The object's limit, whose buckets go by its name."""

    name: str


class Breaker(resilience.CircuitBreaker, frozen=True, kw_only=True):
    """The object's breaker, whose circuits go by its name."""

    name: str


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
