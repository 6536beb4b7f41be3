"""The compiler: objects in, a route table out.

Each object's claims stand alone (`dovetail.routing.claims`); here they are put in order of precedence with the built-in
routes (`dovetail.routing.conflicts`), ties go to the oldest object, and every loser is told the winner and a witness.
The result is the same for the same objects, in whatever order they come, and one bad object never spoils it.

`Compiler` remembers the claims of objects that have not changed, so that a change among many costs little more than
the sorting.
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Final, NamedTuple

import msgspec

from dovetail.apis.dialects import APIService, Backend, Meta, ReverseProxy, ServiceRef
from dovetail.routing.claims import Claims, claims_of_api_service, claims_of_reverse_proxy
from dovetail.routing.conflicts import find_conflicts, specificity
from dovetail.routing.model import Route, RouteTable, Upstream
from dovetail.routing.problems import Problem, problem
from dovetail.routing.reserved import RESERVED_GROUPS, RESERVED_PATHS, Reserved
from dovetail.routing.services import Resolution, by_name
from dovetail.routing.upstreams import ClientCertificate

_LAST: Final = "~"
"""Sorts after any creation time: an object without one counts as the youngest."""
_BUILT_IN: Final = Meta(api_version="", kind="", name="")


class _Claim(NamedTuple):
    """A route on its way into the table. `key` sorts by precedence."""

    key: tuple[object, ...]
    route: Route
    meta: Meta


class CompilerInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a table is made of. A service without a resolution is left to the cluster's DNS.

    Built-in routes come before all claims of equal specificity, and their paths are reserved with `reserved_paths`.
    """

    api_services: tuple[APIService, ...] = ()
    reverse_proxies: tuple[ReverseProxy, ...] = ()
    addresses: Mapping[ServiceRef, Resolution] = {}
    routes: tuple[Route, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    reserved_paths: frozenset[str] = frozenset(RESERVED_PATHS)
    reserved_groups: frozenset[str] = RESERVED_GROUPS
    certificate: ClientCertificate = ClientCertificate()


class Compilation(msgspec.Struct, frozen=True, kw_only=True):
    """A table, and what is to be told to the owners of objects."""

    table: RouteTable
    problems: list[Problem]


class _Remembered(msgspec.Struct, frozen=True):
    item: APIService | ReverseProxy
    resolution: Resolution | None
    claims: Claims
    ordered: tuple[_Claim, ...]


class Compiler:
    """Compiles again and again, remembering what has not changed. Not for use from several threads at once."""

    def __init__(self) -> None:
        self._settings: tuple[Reserved, ClientCertificate] | None = None
        self._remembered: dict[str, _Remembered] = {}

    def compile(self, given: CompilerInput) -> Compilation:
        """The table of these objects. The same input gives an equal result, remembered or not."""
        settings = (_reserved(given), given.certificate)
        if settings != self._settings:
            self._settings, self._remembered = settings, {}
        kept: dict[str, _Remembered] = {}
        for item in (*given.api_services, *given.reverse_proxies):
            kept[item.meta.id] = self._claims(item, _resolve(item.backend, given.addresses), *settings)
        self._remembered = kept
        return _link(given, list(kept.values()))

    def _claims(
        self,
        item: APIService | ReverseProxy,
        resolution: Resolution | None,
        reserved: Reserved,
        certificate: ClientCertificate,
    ) -> _Remembered:
        before = self._remembered.get(item.meta.id)
        if before and before.item is item and before.resolution == resolution:
            return before
        if isinstance(item, APIService):
            claims = claims_of_api_service(item, resolution, reserved, certificate)
        else:
            claims = claims_of_reverse_proxy(item, resolution, reserved, certificate)
        return _Remembered(item, resolution, claims, tuple(_claim(route, item.meta) for route in claims.routes))


def compile_table(given: CompilerInput) -> Compilation:
    """The table of these objects, compiled once."""
    return Compiler().compile(given)


def _reserved(given: CompilerInput) -> Reserved:
    built_in = {route.match.path.rstrip("/") for route in given.routes} - {""}
    return Reserved(given.reserved_paths | built_in, given.reserved_groups)


def _resolve(backend: Backend, addresses: Mapping[ServiceRef, Resolution]) -> Resolution | None:
    if backend.service is None:
        return None
    return addresses.get(backend.service) or by_name(backend.service)


def _link(given: CompilerInput, entries: list[_Remembered]) -> Compilation:
    ordered = [_claim(route, _BUILT_IN) for route in given.routes]
    for entry in entries:
        ordered += entry.ordered
    ordered.sort(key=itemgetter(0))
    problems = [problem for entry in entries for problem in entry.claims.problems]
    problems += _conflicts(ordered) + _shadowed(ordered)
    upstreams = {entry.claims.upstream.key: entry.claims.upstream for entry in entries if entry.claims.upstream}
    upstreams.update({upstream.key: upstream for upstream in given.upstreams})
    table = RouteTable(routes=tuple(claim.route for claim in ordered), upstreams=dict(sorted(upstreams.items())))
    return Compilation(table=table, problems=sorted(problems, key=_order))


def _order(item: Problem) -> tuple[str, ...]:
    return (item.kind, item.api_version, item.name, item.reason, item.field, item.message)


def _claim(route: Route, meta: Meta) -> _Claim:
    age = meta.created or (_LAST if meta.kind else "")
    return _Claim((*specificity(route.match), age, meta.name, route.id), route, meta)


def _conflicts(ordered: list[_Claim]) -> list[Problem]:
    found = find_conflicts([claim.route for claim in ordered], [claim.meta.id for claim in ordered])
    problems: list[Problem] = []
    for conflict in found:
        winner, (_, loser, meta) = ordered[conflict.winner].meta, ordered[conflict.loser]
        text = f"{loser.match.path} is claimed by the older {winner.id} too, which gets {conflict.witness} and the like"
        problems.append(problem(meta, "Conflict", text, winner=winner.id, witness=str(conflict.witness)))
    return problems


def _shadowed(ordered: list[_Claim]) -> list[Problem]:
    """Globs all of whose requests a prefix takes: the author sees nothing happen, and is told why."""
    prefixes = {
        route.match.path: meta
        for _, route, meta in ordered
        if route.match.kind == "prefix" and not route.match.methods and route.match.path != "/"
    }
    problems: list[Problem] = []
    for _, route, meta in ordered:
        if route.match.kind == "glob":
            literal = route.match.path.partition("*")[0].rpartition("/")[0]
            above = next((path for path in _upwards(literal) if path in prefixes), None)
            if above is not None:
                text = f"{route.match.path} is never used: {prefixes[above].id} takes all of {above}"
                problems.append(problem(meta, "Shadowed", text, winner=prefixes[above].id))
    return problems


def _upwards(path: str) -> list[str]:
    """A path and those above it, without the root."""
    segments = path.split("/")
    return ["/".join(segments[:length]) for length in range(len(segments), 1, -1)]
