"""The compiler for changes: a table that is kept in step with objects as they come and go, one at a time.

What `compiler.compile_table` says of all objects at once, `LiveTable` says after any history of `put` and `remove`,
for the price of what a change touches: claims lie in sorted lists, conflicts are known by groups of rivals, shadows by
path. Routes that have not changed stay the same Python objects, by which `dovetail.gateway.delta` knows them.

(Only in what is *told* about thousands of globs of equal specificity can the two differ: both stop looking for
conflicts after MAX_EFFORT steps, here counted for a change, there for the whole. Routes never depend on it.)
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter

from dovetail.routing.claims import Claims
from dovetail.routing.compiler import CompilerInput
from dovetail.routing.conflicts import MAX_EFFORT, Witness, effort, overlap, rivalry
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

_key = itemgetter(0)


class _Sorted:
    """Claims in order of precedence."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []

    def add(self, claim: Claim) -> int:
        at = bisect_left(self.claims, claim.key, key=_key)
        self.claims.insert(at, claim)
        return at

    def remove(self, claim: Claim) -> int:
        at = bisect_left(self.claims, claim.key, key=_key)
        assert self.claims[at] is claim
        del self.claims[at]
        return at


class _Budget:
    """Steps left for finding conflicts after one change."""

    def __init__(self) -> None:
        self.left = MAX_EFFORT

    def overlap(self, first: Claim, second: Claim) -> Witness | None:
        """A request that two claims of different owners both take."""
        if first.meta.id == second.meta.id:
            return None
        self.left -= effort(first.route.match, second.route.match)
        return overlap(first.route.match, second.route.match) if self.left >= 0 else None


class _Rivals(_Sorted):
    """A group of claims among which there can be conflicts; `lost` says to whom and where each loser lost first."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: dict[str, tuple[Claim, Witness]] = {}

    def join(self, claim: Claim, budget: _Budget) -> set[str]:
        """Take a claim in. Returns the ids of those who have to be told something new."""
        at = self.add(claim)
        told = self._judge(claim, at, budget)
        for loser in self.claims[at + 1 :]:
            known = self.lost.get(loser.route.id)
            if (known is None or known[0].key > claim.key) and (common := budget.overlap(claim, loser)):
                self.lost[loser.route.id] = (claim, common)
                told.add(loser.meta.id)
        return told

    def leave(self, claim: Claim, budget: _Budget) -> set[str]:
        """Let a claim go."""
        at = self.remove(claim)
        self.lost.pop(claim.route.id, None)
        told: set[str] = set()
        for place, loser in enumerate(self.claims[at:], at):
            known = self.lost.get(loser.route.id)
            if known is not None and known[0] is claim:
                del self.lost[loser.route.id]
                self._judge(loser, place, budget)
                told.add(loser.meta.id)
        return told

    def _judge(self, loser: Claim, at: int, budget: _Budget) -> set[str]:
        for winner in self.claims[:at]:
            if common := budget.overlap(winner, loser):
                self.lost[loser.route.id] = (winner, common)
                return {loser.meta.id}
        return set()


class _Shadows:
    """Globs and the prefixes above them."""

    def __init__(self) -> None:
        self._prefixes: dict[str, _Sorted] = {}
        self._below: dict[str, dict[str, Claim]] = {}

    def join(self, claim: Claim) -> set[str]:
        """Take a claim in. Returns the ids of those who have to be told something new."""
        for path in shadowing_paths(claim):
            self._below.setdefault(path, {})[claim.route.id] = claim
        if not shadows(claim):
            return set()
        self._prefixes.setdefault(claim.route.match.path, _Sorted()).add(claim)
        return self._owners_below(claim.route.match.path)

    def leave(self, claim: Claim) -> set[str]:
        """Let a claim go."""
        for path in shadowing_paths(claim):
            del self._below[path][claim.route.id]
            if not self._below[path]:
                del self._below[path]
        if not shadows(claim):
            return set()
        path = claim.route.match.path
        self._prefixes[path].remove(claim)
        if not self._prefixes[path].claims:
            del self._prefixes[path]
        return self._owners_below(path)

    def above(self, claim: Claim) -> Claim | None:
        """The prefix that takes all requests of a glob."""
        path = next((path for path in shadowing_paths(claim) if path in self._prefixes), None)
        return self._prefixes[path].claims[-1] if path is not None else None

    def _owners_below(self, path: str) -> set[str]:
        return {glob.meta.id for glob in self._below.get(path, {}).values()}


class LiveTable:
    """See the module. `given` is what does not change: built-in routes and upstreams; its objects do not count."""

    def __init__(self, given: CompilerInput) -> None:
        self._ordered = _Sorted()
        self._routes: list[Route] = []
        self._rivals: dict[tuple[object, ...], _Rivals] = {}
        self._shadows = _Shadows()
        self._objects: dict[str, tuple[Claims, tuple[Claim, ...]]] = {}
        self._fixed = {upstream.key: upstream for upstream in given.upstreams}
        self._upstreams: dict[str, Upstream] = dict(self._fixed)
        self._users: Counter[str] = Counter()
        self._told: set[str] = set()
        self._table: RouteTable | None = None
        for route in given.routes:
            self._join(claim_of(route, BUILT_IN), _Budget())

    def put(self, claims: Claims) -> None:
        """This is what an object asks for now. What does not concern the table leaves it as it is."""
        before, held = self._objects.get(claims.meta.id, (None, ()))
        if before is not None and _alike(before, claims):
            return
        budget = _Budget()
        self._drop(before, held, budget)
        asked = tuple(claim_of(route, claims.meta) for route in claims.routes)
        self._objects[claims.meta.id] = (claims, asked)
        for claim in asked:
            self._join(claim, budget)
        if claims.upstream is not None:
            self._table = None
            self._users[claims.upstream.key] += 1
            self._upstreams.setdefault(claims.upstream.key, claims.upstream)
        self._told.add(claims.meta.id)

    def remove(self, object_id: str) -> None:
        """The object is gone."""
        self._told.discard(object_id)
        before, held = self._objects.pop(object_id, (None, ()))
        self._drop(before, held, _Budget())

    def table(self) -> RouteTable:
        """The table of now; the same value until something changes."""
        if self._table is None:
            self._table = RouteTable(routes=tuple(self._routes), upstreams=dict(self._upstreams))
        return self._table

    def told(self) -> frozenset[str]:
        """The ids of the objects about which there may be something new to tell, since the last call."""
        told, self._told = frozenset(self._told), set()
        return told

    def is_routed(self, object_id: str) -> bool:
        """Whether an object has a route in the table."""
        return bool(self._objects.get(object_id, (None, ()))[1])

    def problems_of(self, object_id: str) -> list[Problem]:
        """What is to be told about an object."""
        claims, held = self._objects.get(object_id, (None, ()))
        return sorted([*(claims.problems if claims else ()), *self._met(held)], key=order_of)

    def problems(self) -> list[Problem]:
        """All of them; this looks at everything."""
        found = [problem for claims, _ in self._objects.values() for problem in claims.problems]
        return sorted([*found, *self._met(self._ordered.claims)], key=order_of)

    def _met(self, claims: Iterable[Claim]) -> Iterator[Problem]:
        """The problems that come of other claims."""
        for claim in claims:
            lost = self._rivals[rivalry(claim.route.match)].lost.get(claim.route.id)
            if lost is not None:
                yield conflict(lost[0], claim, lost[1])
            above = self._shadows.above(claim)
            if above is not None:
                yield shadowed(claim, above)

    def _join(self, claim: Claim, budget: _Budget) -> None:
        self._table = None
        self._routes.insert(self._ordered.add(claim), claim.route)
        rivals = self._rivals.setdefault(rivalry(claim.route.match), _Rivals())
        self._told |= rivals.join(claim, budget) | self._shadows.join(claim)

    def _drop(self, claims: Claims | None, held: tuple[Claim, ...], budget: _Budget) -> None:
        self._table = None
        for claim in held:
            del self._routes[self._ordered.remove(claim)]
            group = rivalry(claim.route.match)
            self._told |= self._rivals[group].leave(claim, budget) | self._shadows.leave(claim)
            if not self._rivals[group].claims:
                del self._rivals[group]
        if claims is not None and claims.upstream is not None:
            key = claims.upstream.key
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key]
                if key not in self._fixed:
                    del self._upstreams[key]


def _alike(before: Claims, claims: Claims) -> bool:
    """Whether an object asks for the same as before, though its version or its status may be another."""
    one, other = before.meta, claims.meta
    return (before.routes, before.upstream, before.problems) == (claims.routes, claims.upstream, claims.problems) and (
        (one.created, one.uid, one.api_version) == (other.created, other.uid, other.api_version)
    )
