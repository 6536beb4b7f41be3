"""The compiler: objects in, a route table out.

Each object's claims stand alone (`dovetail.routing.claims`); here they are put in order of precedence with the built-in
routes (`dovetail.routing.conflicts`), ties go to the oldest object, and every loser is told the winner and a witness.
The result is the same for the same objects, in whatever order they come, and one bad object never spoils it.

`Compiler` remembers the claims of objects that have not changed, so that a change among many costs little more than
the sorting.
"""

from collections.abc import Mapping
from operator import itemgetter

import msgspec

from dovetail.apis.dialects import APIService, Backend, ReverseProxy, ServiceRef
from dovetail.routing.claims import Claims, claims_of_api_service, claims_of_reverse_proxy
from dovetail.routing.conflicts import find_conflicts
from dovetail.routing.model import Route, RouteTable, Upstream
from dovetail.routing.precedence import (
    BUILT_IN,
    Claim,
    claim_of,
    conflict,
    order_of,
    shadowed,
    shadowing_paths,
    shadows,
)
from dovetail.routing.problems import Problem
from dovetail.routing.reserved import RESERVED_GROUPS, RESERVED_PATHS, Reserved
from dovetail.routing.services import Resolution, by_name
from dovetail.routing.upstreams import ClientCertificate


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
    ordered: tuple[Claim, ...]


class Compiler:
    """Compiles again and again, remembering what has not changed. Not for use from several threads at once."""

    def __init__(self) -> None:
        self._settings: tuple[Reserved, ClientCertificate] | None = None
        self._remembered: dict[str, _Remembered] = {}

    def compile(self, given: CompilerInput) -> Compilation:
        """The table of these objects. The same input gives an equal result, remembered or not."""
        settings = (reserved_by(given), given.certificate)
        if settings != self._settings:
            self._settings, self._remembered = settings, {}
        kept: dict[str, _Remembered] = {}
        for item in (*given.api_services, *given.reverse_proxies):
            kept[item.meta.id] = self._claims(item, resolve_backend(item.backend, given.addresses), *settings)
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
        claims = claims_of(item, resolution, reserved, certificate)
        return _Remembered(item, resolution, claims, tuple(claim_of(route, item.meta) for route in claims.routes))


def claims_of(
    item: APIService | ReverseProxy, resolution: Resolution | None, reserved: Reserved, certificate: ClientCertificate
) -> Claims:
    """What one object asks for."""
    if isinstance(item, APIService):
        return claims_of_api_service(item, resolution, reserved, certificate)
    return claims_of_reverse_proxy(item, resolution, reserved, certificate)


def compile_table(given: CompilerInput) -> Compilation:
    """The table of these objects, compiled once."""
    return Compiler().compile(given)


def reserved_by(given: CompilerInput) -> Reserved:
    """What no object may claim."""
    built_in = {route.match.path.rstrip("/") for route in given.routes} - {""}
    return Reserved(given.reserved_paths | built_in, given.reserved_groups)


def resolve_backend(backend: Backend, addresses: Mapping[ServiceRef, Resolution]) -> Resolution | None:
    """Where the Service of a backend leads, if it names one."""
    if backend.service is None:
        return None
    return addresses.get(backend.service) or by_name(backend.service)


def _link(given: CompilerInput, entries: list[_Remembered]) -> Compilation:
    ordered = [claim_of(route, BUILT_IN) for route in given.routes]
    for entry in entries:
        ordered += entry.ordered
    ordered.sort(key=itemgetter(0))
    problems = [problem for entry in entries for problem in entry.claims.problems]
    problems += _conflicts(ordered) + _shadowed(ordered)
    upstreams = {entry.claims.upstream.key: entry.claims.upstream for entry in entries if entry.claims.upstream}
    upstreams.update({upstream.key: upstream for upstream in given.upstreams})
    table = RouteTable(routes=tuple(claim.route for claim in ordered), upstreams=dict(sorted(upstreams.items())))
    return Compilation(table=table, problems=sorted(problems, key=order_of))


def _conflicts(ordered: list[Claim]) -> list[Problem]:
    found = find_conflicts([claim.route for claim in ordered], [claim.meta.id for claim in ordered])
    return [conflict(ordered[one.winner], ordered[one.loser], one.witness) for one in found]


def _shadowed(ordered: list[Claim]) -> list[Problem]:
    """Globs all of whose requests a prefix takes."""
    prefixes = {claim.route.match.path: claim for claim in ordered if shadows(claim)}
    problems: list[Problem] = []
    for claim in ordered:
        above = next((path for path in shadowing_paths(claim) if path in prefixes), None)
        if above is not None:
            problems.append(shadowed(claim, prefixes[above]))
    return problems
