"""The trie gives the answer of a plain scan."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.routing.globs import Glob, witness
from dovetail.routing.matching import Matcher, takes
from dovetail.routing.model import Match, Route, RouteTable
from tests.routing.tables import METHODS, globs, paths, tables


@settings(max_examples=250, deadline=None)
@given(table=tables(), method=st.sampled_from((*METHODS, "PUT")), path=paths())
def test_the_trie_equals_a_scan(table, method, path):
    scanned = next((route for route in table.routes if takes(route.match, method, path)), None)
    assert Matcher(table).find(method, path) == scanned


@settings(max_examples=200, deadline=None)
@given(table=tables(), path=st.text(max_size=12))
def test_the_trie_equals_a_scan_for_any_text(table, path):
    scanned = next((route for route in table.routes if takes(route.match, "GET", path)), None)
    assert Matcher(table).find("GET", path) == scanned


def _matches_slowly(pattern: str, path: str) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "*":
        return any(_matches_slowly(pattern[1:], path[start:]) for start in range(len(path) + 1))
    return bool(path) and path[0] == pattern[0] and _matches_slowly(pattern[1:], path[1:])


@settings(max_examples=250, deadline=None)
@given(pattern=globs(), path=paths())
def test_globs_equal_their_definition(pattern, path):
    assert Glob(pattern).matches(path) == _matches_slowly(pattern, path)


@settings(max_examples=250, deadline=None)
@given(first=globs(), second=globs())
def test_a_glob_witness_matches_both(first, second):
    common = witness(first, second)
    if common is not None:
        assert Glob(first).matches(common)
        assert Glob(second).matches(common)


@settings(max_examples=250, deadline=None)
@given(first=globs(), second=globs(), path=paths())
def test_no_glob_witness_means_no_common_path(first, second, path):
    if witness(first, second) is None:
        assert not (Glob(first).matches(path) and Glob(second).matches(path))


@pytest.mark.parametrize(
    ("kind", "pattern", "taken", "refused"),
    [
        ("prefix", "/a/b", ["/a/b", "/a/b/", "/a/b/c"], ["/a/bc", "/a", "/"]),
        ("exact", "/a/b", ["/a/b"], ["/a/b/", "/a/b/c"]),
        ("glob", "/a/*.js", ["/a/x.js", "/a/b/x.js"], ["/a/x.css", "/b/x.js"]),
        ("prefix", "/", ["/", "/x"], ["*", ""]),
    ],
)
def test_what_a_match_takes(kind, pattern, taken, refused):
    matcher = Matcher(RouteTable(routes=(Route(id="r", match=Match(kind, pattern), upstream="u"),)))
    assert all(matcher.find("GET", path) for path in taken)
    assert not any(matcher.find("GET", path) for path in refused)


def test_hostile_globs_are_matched_in_linear_time():
    assert not Glob("/a/" + "*a" * 100 + "b").matches("/a/" + "a" * 100_000)
