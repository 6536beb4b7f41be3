"""Edits of routes, and matchers that share what is alike: as good as the ones made anew, and the older stay right."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.routing.edits import edit_between, edited
from dovetail.routing.matching import Matcher, _between, takes
from dovetail.routing.model import Match, Route, RouteTable
from tests.routing.tables import matches, paths

_POOL = st.lists(matches(), min_size=1, max_size=40).map(
    lambda found: [Route(id=str(index), match=match, upstream="u") for index, match in enumerate(found)]
)


def _scan(table: RouteTable, method: str, path: str) -> Route | None:
    return next((route for route in table.routes if takes(route.match, method, path)), None)


@st.composite
def _histories(draw: st.DrawFn) -> list[RouteTable]:
    """Tables of which each is a subsequence of the same pool: what stays, stays in order."""
    pool = draw(_POOL)
    subsets = draw(st.lists(st.sets(st.integers(0, len(pool) - 1)), min_size=2, max_size=6))
    return [RouteTable(routes=tuple(pool[index] for index in sorted(subset))) for subset in subsets]


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.integers(0, 9), max_size=12))
def test_an_edit_leads_from_any_sequence_to_any_other(first: list[int], second: list[int]) -> None:
    pool = [Route(id=str(number), match=Match("exact", f"/{number}"), upstream="u") for number in range(10)]
    before, after = tuple(pool[number] for number in first), tuple(pool[number] for number in second)
    assert edited(before, edit_between(before, after)) == after


@given(_histories())
def test_what_stays_in_order_is_not_in_the_edit(tables: list[RouteTable]) -> None:
    before, after = tables[0].routes, tables[1].routes
    edit = edit_between(before, after)
    assert {before[place].id for place in edit.removed} == {r.id for r in before} - {r.id for r in after}
    assert {route.id for _, route in edit.inserted} == {r.id for r in after} - {r.id for r in before}


@settings(deadline=None)
@given(_histories(), st.lists(st.tuples(st.sampled_from(("GET", "POST", "PUT")), paths()), min_size=1, max_size=10))
def test_a_matcher_made_of_another_is_like_one_made_anew(
    tables: list[RouteTable], asked: list[tuple[str, str]]
) -> None:
    matchers = [Matcher(tables[0])]
    for table in tables[1:]:
        matchers.append(matchers[-1].following(table))
    for matcher, table in zip(matchers, tables, strict=True):  # the older ones, too: they are in use until the swap
        for method, path in asked:
            assert matcher.find(method, path) == _scan(table, method, path)


def _numbered(number: int) -> Route:
    return Route(id=str(number), match=Match("prefix", f"/kapis/g{number}.dev/v1"), upstream="u")


def test_a_long_history_of_single_changes() -> None:
    pick = random.Random(4)
    there = sorted(pick.sample(range(3000), 1000))
    matcher = Matcher(RouteTable(routes=tuple(map(_numbered, there))))
    routes = {number: _numbered(number) for number in range(3000)}
    table = RouteTable(routes=tuple(routes[number] for number in there))
    matcher = matcher.following(table)
    for _ in range(1500):
        number = pick.randrange(3000)
        there = sorted(set(there) ^ {number})
        matcher = matcher.following(RouteTable(routes=tuple(routes[each] for each in there)))
        found = matcher.find("GET", f"/kapis/g{number}.dev/v1/x")
        assert found == (routes[number] if number in there else None)
    for number, route in routes.items():
        assert matcher.find("GET", f"/kapis/g{number}.dev/v1") == (route if number in there else None)


def test_a_matcher_forgets_what_is_gone() -> None:
    empty = RouteTable()
    matcher = Matcher(empty)
    for number in range(50):
        matcher = matcher.following(RouteTable(routes=(_numbered(number),)))
    assert list(matcher._root.children) == ["kapis"]
    assert list(matcher._root.children["kapis"].children) == ["g49.dev"]
    assert matcher.following(empty)._root.empty


@given(st.integers(0, 6))
def test_ranks_lie_between_their_neighbours(place: int) -> None:
    ranks = [number * (1 << 64) for number in range(6)]
    for _unused in range(300):
        rank = _between(ranks, place)
        if rank is None:
            return
        ranks.insert(place, rank)
        assert ranks == sorted(set(ranks))
