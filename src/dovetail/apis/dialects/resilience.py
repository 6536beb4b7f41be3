"""Resilience: how the gateway treats a backend that is slow, busy or failing, read from a ReverseProxy's directives.

Times are in seconds. None means: no limit of this kind.
"""

import re
from typing import Final, Literal, cast

import msgspec

from dovetail.apis.dialects.reading import Fields

_SIZE: Final = re.compile(r"([0-9]{1,15})(Ki|Mi|Gi|k|K|M|G)?")
_UNITS: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_MOST: Final = 1 << 31
MOST_KEPT: Final = 1 << 20
_SECONDS_IN: Final = {"second": 1, "minute": 60, "hour": 3600}


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True):
    """GET `url` (a path of the backend, or a whole address) each `interval`; `status` is `200` or a class, `2xx`."""

    url: str
    interval: float = 15.0
    timeout: float = 5.0
    status: str = "2xx"


class CircuitBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on what is sent to a backend, and when to leave an address of it alone. None sets no limit."""

    max_connections: int | None = None
    max_pending_requests: int | None = None
    """Those that wait for a connection because all `max_connections` are in use."""
    max_requests: int | None = None
    max_retries: int | None = None
    consecutive_failures: int | None = None
    error_percent: int | None = None
    """Of the requests of the last `interval`, once they are `minimum_requests`."""
    minimum_requests: int = 20
    interval: float = 10.0
    ejection_time: float = 30.0
    """For the first time in a row; longer with each further time."""


LimitKey = Literal["User", "Address", "Global"]
"""What has a budget of its own: each user (each address, for those who have not logged in), each source address, or
all together."""


class RateLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A token bucket: it holds `burst` at most and gains `requests` in `per_seconds`; each request takes one."""

    requests: int
    per_seconds: int = 1
    burst: int
    by: LimitKey = "User"


RetryCause = Literal["ConnectFailure", "Reset", "Timeout", "502", "503", "504"]
"""Why a try failed: no connection; a connection that broke before the answer; no answer within `per_try_timeout`; the
backend's own answer."""

RETRY_CAUSES: Final[tuple[RetryCause, ...]] = ("ConnectFailure", "Reset", "Timeout", "502", "503", "504")


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


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """Zero: the gateway's default. `first_byte` is of the answer; `request` is the whole exchange."""

    connect: float = 0.0
    first_byte: float = 0.0
    request: float = 0.0
    idle: float = 0.0


def read_health_check(fields: Fields) -> HealthCheck | None:
    """`healthCheck {url, interval, status, timeout}` of an upstream."""
    if not fields.present:
        return None
    url = fields.text("url")
    if not url.startswith(("/", "http://", "https://")) or re.search(r"[\s\x00-\x1f\x7f]", url):
        fields.fail("url", "is needed: a path of the backend such as /healthz, or a whole address")
    status = fields.raw("status")
    text = "2xx" if status is None else str(status)
    if not re.fullmatch(r"[1-5]([0-9]{2}|xx)", text):
        fields.fail("status", "must be a status such as 200, or a class such as 2xx")
    return HealthCheck(
        url=url,
        interval=fields.seconds("interval", 15.0, low=1.0),
        timeout=fields.seconds("timeout", 5.0, low=0.1),
        status=text,
    )


def read_circuit_breaker(fields: Fields) -> CircuitBreaker | None:
    """`circuitBreaker` of the directives."""
    if not fields.present:
        return None

    def limit(name: str) -> int | None:
        return fields.number(name, low=0, high=_MOST)

    return CircuitBreaker(
        max_connections=limit("maxConnections"),
        max_pending_requests=limit("maxPendingRequests"),
        max_requests=limit("maxRequests"),
        max_retries=limit("maxRetries"),
        consecutive_failures=limit("consecutiveFailures") or None,
        error_percent=fields.number("errorPercent", low=1, high=100),
        minimum_requests=max(_or(fields.number("minimumRequests", low=0, high=_MOST), 20), 1),
        interval=fields.seconds("interval", 10.0, low=0.1),
        ejection_time=fields.seconds("ejectionTime", 30.0, low=0.1),
    )


def read_rate_limit(fields: Fields) -> RateLimit | None:
    """`rateLimit` of the directives."""
    if not fields.present:
        return None
    requests = fields.number("requests", low=1, high=_MOST)
    if requests is None:
        if fields.raw("requests") is None:
            fields.fail("requests", "is needed: how many requests may pass a unit of time")
        return None
    return RateLimit(
        requests=requests,
        per_seconds=_SECONDS_IN[fields.choice("unit", list(_SECONDS_IN), "second")],
        burst=max(_or(fields.number("burst", low=0, high=_MOST), requests), 1),
        by=cast("LimitKey", fields.choice("by", ("User", "Address", "Global"), "User")),
    )


def read_retries(fields: Fields) -> Retries | None:
    """`retries` of the directives."""
    if not fields.present:
        return None
    attempts = fields.number("attempts", low=0, high=10)
    if attempts is None:
        if fields.raw("attempts") is None:
            fields.fail("attempts", "is needed: how often a request may be tried after the first time")
        attempts = 0
    back_off = fields.seconds("backOff", 0.025, low=0.001)
    max_body = read_size(fields, "maxBody")
    if max_body is not None and max_body > MOST_KEPT:
        fields.fail("maxBody", f"must be {MOST_KEPT >> 20}Mi at most: it is held in memory until the answer begins")
    return Retries(
        attempts=attempts,
        on=_causes(fields),
        per_try_timeout=fields.seconds("perTryTimeout", 0.0, low=0.01),
        back_off=back_off,
        max_back_off=max(fields.seconds("maxBackOff", 10 * back_off, low=0.001), back_off),
        budget_percent=_or(fields.number("budgetPercent", low=0, high=100), 20),
        max_body=_or(max_body, 64 << 10),
    )


def _causes(fields: Fields) -> tuple[RetryCause, ...]:
    value = fields.raw("retryOn")
    if value is None or value == cast("object", []):
        return RETRY_CAUSES
    if not isinstance(value, list):
        fields.fail("retryOn", f"must be a list of {', '.join(RETRY_CAUSES)}")
        return ()
    causes = [str(cause) for cause in cast("list[object]", value)]
    for index, cause in enumerate(causes):
        if cause not in RETRY_CAUSES:
            fields.fail(f"retryOn[{index}]", f"must be one of {', '.join(RETRY_CAUSES)}")
    return tuple(cause for cause in RETRY_CAUSES if cause in causes)


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def read_timeouts(fields: Fields) -> Timeouts:
    """`timeouts` of the directives."""
    return Timeouts(
        connect=fields.seconds("connect", 0.0, low=0.01),
        first_byte=fields.seconds("firstByte", 0.0, low=0.01),
        request=fields.seconds("request", 0.0, low=0.01),
        idle=fields.seconds("idle", 0.0, low=0.01),
    )


def read_size(fields: Fields, name: str) -> int | None:
    """A number of bytes, or a text such as `10Mi`."""
    value = fields.raw(name)
    if value is None:
        return None
    found = None if isinstance(value, bool) else _SIZE.fullmatch(str(value))
    if not found:
        fields.fail(name, "must be a number of bytes, or a size such as 512Ki or 10Mi")
        return None
    return int(found[1]) * _UNITS[found[2] or ""]
