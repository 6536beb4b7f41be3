"""Why a request goes where it goes: every route that takes it, in order of precedence, and what the backend would get.

The first taker is the winner; the rest would follow if it went. Made for people and tests; workers use `Matcher`.
"""

import msgspec

from dovetail.routing import redirects, rewriting
from dovetail.routing.clusters import LOCAL, local_path
from dovetail.routing.errors import RoutingError
from dovetail.routing.matching import takes
from dovetail.routing.model import Route, RouteTable
from dovetail.routing.paths import canonical


class Taker(msgspec.Struct, frozen=True, kw_only=True):
    """A route that takes the request. `target` is what its backend would be asked for, or a redirection."""

    object: str
    pattern: str
    methods: tuple[str, ...]
    access: str
    target: str
    unavailable: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The path as it is matched, or why it is refused before that, and who takes it."""

    path: str = ""
    refused: str = ""
    takers: tuple[Taker, ...] = ()


def explain(table: RouteTable, method: str, target: str) -> Explanation:
    """What becomes of a request for a target (path and query) by this table."""
    raw, _, query = target.partition("?")
    try:
        path = local_path(canonical(raw))
    except RoutingError as error:
        return Explanation(refused=f"400: {error}")
    if path is None:
        return Explanation(refused=f"404: there is no cluster of this name; this one is {LOCAL}")
    found = [route for route in table.routes if takes(route.match, method, path)]
    return Explanation(path=path, takers=tuple(_taker(table, route, method, path, query) for route in found))


def _taker(table: RouteTable, route: Route, method: str, path: str, query: str) -> Taker:
    return Taker(
        object=route.id.partition("#")[0],
        pattern=_pattern(route),
        methods=route.match.methods,
        access=route.access,
        target=_target(table, route, method, path, query),
        unavailable=route.unavailable,
    )


def _pattern(route: Route) -> str:
    prefix = route.match.kind == "prefix"
    return route.match.path.rstrip("/") + "/*" if prefix else route.match.path


def _target(table: RouteTable, route: Route, method: str, path: str, query: str) -> str:
    upstream = table.upstreams[route.upstream]
    rule = redirects.find(route.traffic.redirects, path) if route.traffic else None
    if rule is not None:
        return f"{rule.status} to {rule.target}"
    try:
        path, query, method = rewriting.apply(route.rewrite, path, query, method)
    except RoutingError as error:
        return f"414: {error}"
    place = upstream.authority or upstream.unix_path
    return f"{method} {upstream.scheme}://{place}{upstream.base_path}{path}" + (f"?{query}" if query else "")
