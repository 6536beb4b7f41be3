"""Traffic directives of both dialects become rules of the route and of its upstream, and bad ones are told."""

from typing import Any

import pytest

from dovetail.apis.dialects.resilience import RETRY_CAUSES
from dovetail.routing.model import Route, Upstream
from dovetail.routing.traffic import Breaker, RateLimit, RedirectRule, Retries, Traffic
from tests.routing.objects import compiled, found, reverse_proxy

EVERYTHING: dict[str, Any] = {
    "redirect": ["/a/old/* /a/new/{rest} 308", "/a/x https://elsewhere.test{path}"],
    "rateLimit": {"requests": 60, "unit": "minute", "burst": 5, "by": "Address"},
    "circuitBreaker": {
        "maxConnections": 10, "maxPendingRequests": 4, "maxRequests": 20, "maxRetries": 2, "consecutiveFailures": 5,
        "errorPercent": 50, "minimumRequests": 8, "interval": "20s", "ejectionTime": "5s",
    },
    "retries": {
        "attempts": 3, "retryOn": ["Reset", 503], "perTryTimeout": "250ms", "backOff": "10ms", "maxBackOff": "1s",
        "budgetPercent": 50, "maxBody": "1Ki",
    },
    "timeouts": {"connect": "1s", "firstByte": "2s", "request": "3s", "idle": "4s"},
    "loadBalancing": "LeastRequests",
    "maxBody": "1Mi",
    "wrapTransport": True,
    "rejectForwardingRedirects": True,
}  # fmt: skip


def served(**rest: Any) -> tuple[Route, Upstream]:
    table = compiled(reverse_proxy("/a/*", **rest))
    assert table.problems == []
    route = found(table, "GET", "/a/x")
    assert route is not None
    return route, table.table.upstreams[route.upstream]


@pytest.mark.parametrize("rest", [{"directives": EVERYTHING}, EVERYTHING])
def test_every_directive_is_a_rule_in_both_dialects(rest):
    route, upstream = served(**rest)
    name = route.id
    assert route.traffic == Traffic(
        redirects=(
            RedirectRule("/a/old/*", "/a/new/{rest}", 308),
            RedirectRule("/a/x", "https://elsewhere.test{path}", 302),
        ),
        rate_limit=RateLimit(name=name, requests=60, per_seconds=60, burst=5, by="Address"),
        retries=Retries(
            attempts=3, on=("Reset", "503"), per_try_timeout=0.25, back_off=0.01, max_back_off=1.0, budget_percent=50,
            max_body=1024,
        ),
        breaker=True,
        request_timeout=3.0,
        reject_redirects=True,
        wrap=True,
    )  # fmt: skip
    assert upstream.breaker == Breaker(
        name=name, max_connections=10, max_pending_requests=4, max_requests=20, max_retries=2, consecutive_failures=5,
        error_percent=50, minimum_requests=8, interval=20.0, ejection_time=5.0,
    )  # fmt: skip
    assert (upstream.connect_timeout, upstream.response_timeout, upstream.idle_timeout) == (1.0, 2.0, 4.0)
    assert upstream.balance == "LeastRequests"
    assert route.max_body == 1 << 20


def test_a_route_without_rules_has_none():
    route, upstream = served(directives={"timeouts": {"connect": "1s"}, "maxBody": 10})
    assert route.traffic is None
    assert upstream.breaker is None
    assert served(directives={"retries": {"attempts": 0}})[0].traffic is None


def test_what_is_left_out_has_a_default():
    given = {"retries": {"attempts": 1}, "rateLimit": {"requests": 7}, "circuitBreaker": {}}
    route, upstream = served(directives=given)
    assert route.traffic is not None
    assert route.traffic.retries == Retries(attempts=1)
    assert route.traffic.retries.on == RETRY_CAUSES
    assert route.traffic.rate_limit == RateLimit(name=route.id, requests=7, burst=7)
    assert upstream.breaker == Breaker(name=route.id, max_pending_requests=1024)


@pytest.mark.parametrize(
    ("directives", "field"),
    [
        ({"redirect": ["/a //evil.test"]}, "redirect[0]"),
        ({"redirect": ["/a/* /b/{nothing}"]}, "redirect[0]"),
        ({"redirect": ["/b /c", "/a https://{rest}/x"]}, "redirect[1]"),
        ({"redirect": ["/a*b* /x/{rest}"]}, "redirect[0]"),
        ({"redirect": ["/a https://x.test{rest}"]}, "redirect[0]"),
        ({"redirect": ["a /b"]}, "redirect[0]"),
        ({"redirect": ["/a javascript:alert(1)"]}, "redirect[0]"),
        ({"redirect": ["/a /b 304"]}, "redirect[0]"),
        ({"retries": {}}, "retries.attempts"),
        ({"retries": {"attempts": 1, "retryOn": ["500"]}}, "retries.retryOn[0]"),
        ({"retries": {"attempts": 1, "retryOn": "Reset"}}, "retries.retryOn"),
        ({"retries": {"attempts": 1, "maxBody": "1Gi"}}, "retries.maxBody"),
        ({"retries": {"attempts": 11}}, "retries.attempts"),
        ({"loadBalancing": "Random"}, "loadBalancing"),
        ({"timeouts": {"firstByte": "0s"}}, "timeouts.firstByte"),
        ({"rateLimit": {"requests": 0}}, "rateLimit.requests"),
        ({"circuitBreaker": {"errorPercent": 101}}, "circuitBreaker.errorPercent"),
    ],
)
def test_a_directive_that_cannot_be_carried_out_is_told_and_costs_its_object_only(directives, field):
    table = compiled(reverse_proxy("/a/*", directives=directives), reverse_proxy("/b/*", name="other"))
    told = [problem for problem in table.problems if problem.name == "proxy"]
    assert {problem.reason for problem in told} == {"Invalid"}
    assert f"spec.directives.{field}" in [problem.field for problem in told]
    assert found(table, "GET", "/a/x") is None
    assert found(table, "GET", "/b/x") is not None
