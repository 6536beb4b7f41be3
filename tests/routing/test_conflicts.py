"""Overlap is symmetric, witnesses are real, and precedence is a total order that a brute-force oracle agrees with."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.routing.conflicts import find_conflicts, overlap, specificity
from dovetail.routing.matching import takes
from dovetail.routing.model import Match, Route
from tests.routing.tables import METHODS, matches, paths

REQUESTS = [
    (method, "/" + "/".join(parts))
    for method in METHODS
    for length in range(4)
    for parts in itertools.product(("a", "b", "ab", "c.js"), repeat=length)
]


@settings(max_examples=120, deadline=None)
@given(first=matches(), second=matches())
def test_overlap_is_symmetric_and_witnessed(first, second):
    there, back = overlap(first, second), overlap(second, first)
    assert (there is None) == (back is None)
    for found in (there, back):
        if found:
            assert takes(first, found.method, found.path)
            assert takes(second, found.method, found.path)


@settings(max_examples=150, deadline=None)
@given(first=matches(), second=matches())
def test_without_overlap_no_request_fits_both(first, second):
    if overlap(first, second) is None:
        assert not [request for request in REQUESTS if takes(first, *request) and takes(second, *request)]


@settings(max_examples=100, deadline=None)
@given(found=st.lists(matches(), max_size=12), data=st.data())
def test_conflicts_are_real_and_complete(found, data):
    routes = [Route(id=str(i), match=match, upstream="u") for i, match in enumerate(sorted(found, key=specificity))]
    owners = data.draw(st.lists(st.sampled_from("xyz"), min_size=len(routes), max_size=len(routes)))
    conflicts = find_conflicts(routes, owners)
    for conflict in conflicts:
        winner, loser = routes[conflict.winner], routes[conflict.loser]
        assert conflict.winner < conflict.loser
        assert owners[conflict.winner] != owners[conflict.loser]
        assert specificity(winner.match) == specificity(loser.match)
        assert takes(winner.match, conflict.witness.method, conflict.witness.path)
        assert takes(loser.match, conflict.witness.method, conflict.witness.path)
    losers = {conflict.loser for conflict in conflicts}
    for i, j in itertools.combinations(range(len(routes)), 2):
        equal = specificity(routes[i].match) == specificity(routes[j].match)
        if equal and owners[i] != owners[j] and overlap(routes[i].match, routes[j].match):
            assert j in losers


def _rank(match: Match, path: str) -> tuple[int, int, int]:
    """Precedence in words of the issue, written again: exact, longest prefix, glob, root; then method before any."""
    any_method = 0 if match.methods else 1
    if match.kind == "exact":
        return (0, 0, any_method)
    if match.kind == "prefix" and match.path.rstrip("/"):
        return (1, -len(match.path.rstrip("/").split("/")), any_method)
    if match.kind == "glob":
        return (2, -sum(1 for char in match.path if char != "*"), any_method)
    return (3, 0, any_method)


@settings(max_examples=150, deadline=None)
@given(found=st.lists(matches(), max_size=15), method=st.sampled_from(METHODS), path=paths())
def test_the_most_specific_route_wins(found, method, path):
    taking = [match for match in sorted(found, key=specificity) if takes(match, method, path)]
    if taking:
        assert _rank(taking[0], path) == min(_rank(match, path) for match in taking)


def test_many_globs_of_equal_length_are_compared_within_a_budget():
    routes = [Route(id=str(i), match=Match("glob", f"/a/*{i:05}*{i:05}*"), upstream="u") for i in range(3000)]
    assert len(find_conflicts(routes, [route.id for route in routes])) < 3000


def test_a_glob_witness_is_a_path_that_a_client_can_ask_for():
    found = overlap(Match("glob", "/a/*/c"), Match("glob", "/a/b/*"))
    assert found is not None
    assert "//" not in found.path
