"""Explanations agree with the workers' matcher and rewriting, and name what is next."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.routing.explaining import explain
from dovetail.routing.matching import Matcher
from dovetail.routing.model import Route, RouteTable, Upstream
from tests.routing.objects import LATE, compiled, reverse_proxy
from tests.routing.tables import METHODS, paths, tables


def _canonical(path: str) -> bool:
    return "//" not in path and len(path) > 1


@settings(max_examples=150, deadline=None)
@given(table=tables(), method=st.sampled_from(METHODS), path=paths().filter(_canonical))
def test_the_first_taker_is_the_matchers(table: RouteTable, method: str, path: str) -> None:
    routes = [Route(id=f"o/{route.id}", match=route.match, upstream="u") for route in table.routes]
    whole = msgspec.structs.replace(table, routes=tuple(routes), upstreams={"u": Upstream(key="u", authority="u")})
    found = Matcher(whole).find(method, path)
    takers = explain(whole, method, path).takers
    assert (takers[0].object if takers else None) == (found.id if found else None)


def test_what_a_backend_would_get() -> None:
    table = compiled(
        reverse_proxy("/a/*", name="old", directives={"stripPathPrefix": "/a", "redirect": ["/a/x /y 308"]}),
        reverse_proxy("/a/* GET", name="young", created=LATE, upstream={"url": "http://young.test/base"}),
    ).table
    found = explain(table, "GET", "/a/%62?c=d")
    assert found.path == "/a/b"
    assert [(each.object.rpartition("/")[2], each.target) for each in found.takers] == [
        ("young", "GET http://young.test/base/a/b?c=d"), ("old", "GET http://backend:8080/b?c=d"),
    ]  # fmt: skip
    assert explain(table, "POST", "/a/x").takers[0].target == "308 to /y"
    assert explain(table, "GET", "/clusters/host/a/b").takers == ()
    assert explain(table, "GET", "/clusters/other/api").refused.startswith("404: ")
    assert explain(table, "GET", "/a/../b").refused.startswith("400: ")
