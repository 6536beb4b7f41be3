"""Directives of a ReverseProxy about traffic, as rules that a worker carries out.

Whatever an author may write has been read and bounded by `dovetail.apis.dialects`; here it becomes `traffic` values,
and what cannot be carried out is told as a Problem. A redirect that cannot be carried out spoils the object, like a
rewrite step: without it requests would reach a backend that they were to be kept from.
"""

from typing import Final, cast

from msgspec.structs import asdict, replace

from dovetail.apis.dialects import ReverseProxy
from dovetail.routing import redirects
from dovetail.routing.errors import RoutingError
from dovetail.routing.problems import Problem, problem
from dovetail.routing.traffic import Balance, Breaker, RateLimit, RedirectRule, Retries, Traffic

MOST_PENDING: Final = 1024
"""Requests that wait for one of `maxConnections`, when `maxPendingRequests` is absent."""
_NOTHING: Final = Traffic()


def traffic_of(item: ReverseProxy) -> tuple[Traffic | None, list[Problem]]:
    """The rules for all routes of an object; None when it has none."""
    rules, problems = _redirects(item)
    traffic = Traffic(
        redirects=rules,
        rate_limit=_rate_limit(item),
        retries=_retries(item),
        breaker=breaker_of(item) is not None,
        request_timeout=item.timeouts.request,
        reject_redirects=item.reject_forwarding_redirects,
        wrap=item.wrap_transport,
    )
    return (None if traffic == _NOTHING else traffic), problems


def breaker_of(item: ReverseProxy) -> Breaker | None:
    """The breaker of an object's upstream."""
    wanted = item.circuit_breaker
    if wanted is None:
        return None
    breaker = Breaker(name=item.meta.id, **asdict(wanted))
    return breaker if breaker.max_pending_requests is not None else replace(breaker, max_pending_requests=MOST_PENDING)


def balance_of(item: ReverseProxy) -> Balance:
    """How requests are spread over the addresses of an object's backend."""
    return cast("Balance", item.load_balancing)


def _redirects(item: ReverseProxy) -> tuple[tuple[RedirectRule, ...], list[Problem]]:
    rules = tuple(RedirectRule(each.pattern, each.target, each.status) for each in item.redirects)
    problems: list[Problem] = []
    for index, rule in enumerate(rules):
        try:
            redirects.check(rule)
        except RoutingError as error:
            problems.append(problem(item.meta, "Invalid", str(error), field=f"spec.directives.redirect[{index}]"))
    return rules, problems


def _rate_limit(item: ReverseProxy) -> RateLimit | None:
    wanted = item.rate_limit
    return RateLimit(name=item.meta.id, **asdict(wanted)) if wanted is not None else None


def _retries(item: ReverseProxy) -> Retries | None:
    return item.retries if item.retries is not None and item.retries.attempts else None
