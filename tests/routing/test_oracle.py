"""A brute-force oracle: generated objects, every request of a small world, and the rules of precedence written again.

Here a pattern is a regular expression and the winner of a request is the smallest of all that take it; nothing is
shared with the compiler, the matcher or the search for witnesses.
"""

import itertools
import re
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.routing.matching import Matcher
from dovetail.routing.problems import Problem
from tests.routing.objects import EARLY, LATE, api_service, compiled, reverse_proxy

METHODS = ("GET", "POST")
_SEGMENTS = ("a", "b", "ab", "a.js")
PATHS = [
    "/" + "/".join(parts) + slash
    for length in (1, 2, 3)
    for parts in itertools.product(_SEGMENTS, repeat=length)
    for slash in ("", "/")
]
REQUESTS = [(method, path) for method in METHODS for path in PATHS]


@dataclass(frozen=True)
class Claim:
    """One pattern of an object as its author wrote it."""

    owner: str
    created: str
    pattern: str
    method: str

    @property
    def kind(self) -> str:
        body = self.pattern.rstrip("*")
        return "glob" if "*" in body else "prefix" if body != self.pattern else "exact"

    @property
    def specificity(self) -> tuple[int, int, int]:
        """Exact, then the longer prefix by segments, then the glob with more letters; then a method before all."""
        any_method = int(not self.method)
        if self.kind == "exact":
            return 0, 0, any_method
        if self.kind == "prefix":
            return 1, -len(self.pattern.rstrip("*").rstrip("/").split("/")), any_method
        return 2, -len(re.sub(r"\*", "", self.pattern)), any_method

    @property
    def rank(self) -> tuple[Any, ...]:
        return *self.specificity, self.created, self.owner

    def takes(self, method: str, path: str) -> bool:
        if self.method and self.method != method:
            return False
        return re.fullmatch(self._expression, path) is not None

    @property
    def _expression(self) -> str:
        if self.kind == "glob":
            return ".*".join(re.escape(part) for part in re.split(r"\*+", self.pattern))
        base = re.escape(self.pattern.rstrip("*").rstrip("/"))
        return f"{base}(/.*)?" if self.kind == "prefix" else re.escape(self.pattern)


_patterns = st.one_of(
    st.sampled_from(PATHS),
    st.sampled_from(PATHS).map(lambda path: path.rstrip("/") + "/*"),
    st.sampled_from(PATHS).map(lambda path: path.rstrip("/") + "*"),
    st.lists(st.sampled_from((*_SEGMENTS, "/", "*", "/*")), min_size=1, max_size=4).map(lambda it: "/a/" + "".join(it)),
).filter(lambda pattern: "//" not in pattern)
_claims = st.lists(st.tuples(_patterns, st.sampled_from(("", *METHODS))), min_size=1, max_size=4)
_worlds = st.lists(st.tuples(_claims, st.sampled_from((EARLY, LATE))), min_size=1, max_size=6)


def _objects(world: list[tuple[list[tuple[str, str]], str]]) -> tuple[list[Any], list[Claim]]:
    objects, claims = [], []
    for name, (wanted, created) in zip("uvwxyz", world, strict=False):
        objects.append(
            reverse_proxy(*(f"{pattern} {method}" for pattern, method in wanted), name=name, created=created)
        )
        claims += [Claim(name, created, pattern, method) for pattern, method in wanted]
    return objects, claims


def _owner(found: Any) -> str:
    return found.id.partition("/")[2].partition("#")[0] if found else ""


@settings(max_examples=120, deadline=None)
@given(world=_worlds)
def test_every_request_goes_where_the_rules_say(world: list[Any]) -> None:
    objects, claims = _objects(world)
    matcher = Matcher(compiled(*objects).table)
    for request in REQUESTS:
        taking = [claim for claim in claims if claim.takes(*request)]
        expected = min(taking, key=lambda claim: claim.rank).owner if taking else ""
        assert _owner(matcher.find(*request)) == expected, request


@settings(max_examples=120, deadline=None)
@given(world=_worlds)
def test_every_tie_is_told_to_the_younger_with_a_request_that_shows_it(world: list[Any]) -> None:
    objects, claims = _objects(world)
    compilation = compiled(*objects)
    matcher = Matcher(compilation.table)
    told = [problem for problem in compilation.problems if problem.reason == "Conflict"]
    for problem in told:
        _is_real(problem, claims, matcher)
    losers = {problem.name for problem in told}
    for first, second in itertools.combinations(claims, 2):
        if first.owner != second.owner and first.specificity == second.specificity and _meet(first, second):
            younger = max(first, second, key=lambda claim: claim.rank)
            assert younger.owner in losers, (first, second)


def _meet(first: Claim, second: Claim) -> bool:
    return any(first.takes(*request) and second.takes(*request) for request in REQUESTS)


def _is_real(problem: Problem, claims: list[Claim], matcher: Matcher) -> None:
    method, _, path = problem.witness.partition(" ")
    winner = problem.winner.rpartition("/")[2]
    mine = [claim for claim in claims if claim.owner == problem.name and claim.takes(method, path)]
    theirs = [claim for claim in claims if claim.owner == winner and claim.takes(method, path)]
    ties = [(a, b) for a in mine for b in theirs if a.specificity == b.specificity and b.rank < a.rank]
    assert ties, (problem, mine, theirs)
    assert not re.search(r"//|/\.", path), "a path that a client can ask for"
    found = _owner(matcher.find(method, path))
    # to the winner, or to a route that is more specific than both
    assert found == winner or min(c.rank for c in claims if c.takes(method, path)) < ties[0][1].rank


@settings(max_examples=100, deadline=None)
@given(groups=st.lists(st.tuples(st.sampled_from(("x.io", "y.io")), st.sampled_from((EARLY, LATE))), max_size=5))
def test_one_group_and_version_has_one_server(groups: list[tuple[str, str]]) -> None:
    named = list(zip("uvwxy", groups, strict=False))
    compilation = compiled(*(api_service(group, name=name, created=created) for name, (group, created) in named))
    for wanted in ("x.io", "y.io"):
        asking = [(created, name) for name, (group, created) in named if group == wanted]
        found = Matcher(compilation.table).find("GET", f"/kapis/{wanted}/v1alpha1/things")
        assert _owner(found) == (min(asking)[1] if asking else "")
        losers = {problem.name for problem in compilation.problems if problem.reason == "Conflict"}
        assert {name for _, name in sorted(asking)[1:]} <= losers
