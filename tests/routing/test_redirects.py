"""Redirects as a pure function: where a request is sent, and that a client's path cannot choose the host."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dovetail.routing.errors import BadPattern, RoutingError
from dovetail.routing.paths import canonical
from dovetail.routing.redirects import check, find, location
from dovetail.routing.traffic import RedirectRule


def go(pattern: str, target: str, path: str, query: str = "") -> str:
    rule = RedirectRule(pattern, target)
    check(rule)
    assert find((rule,), path) is rule
    return location(rule, path, query, host="gate.test:8443", scheme="https")


@pytest.mark.parametrize(
    ("pattern", "target", "path", "query", "there"),
    [
        ("/old", "/new", "/old", "", "/new"),
        ("/old", "/new", "/old", "a=1&b=2", "/new?a=1&b=2"),
        ("/old", "/new?", "/old", "a=1", "/new"),
        ("/old", "/new?x=1", "/old", "a=1", "/new?x=1"),
        ("/old", "/new?x=1&{query}", "/old", "a=1", "/new?x=1&a=1"),
        ("/old/*", "/new/{rest}", "/old/a/b%20c", "", "/new/a/b%20c"),
        ("/OLD/*", "/new/{rest}", "/old/a", "", "/new/a"),
        ("/old/*", "/new/{rest}", "/old/", "", "/new/"),
        ("/old/*", "/new{path}", "/old/a", "", "/new/old/a"),
        ("*", "https://other.test{uri}", "/a", "b=c", "https://other.test/a?b=c"),
        ("*", "https://{host}{uri}", "/a", "", "https://gate.test:8443/a"),
        ("*", "{scheme}://other.test{path}", "/a", "q", "https://other.test/a?q"),
        ("/a", "/b#part", "/a", "q=1", "/b?q=1#part"),
        ("/a", "?next=1", "/a", "", "/a?next=1"),
        ("/a*", "/{rest}", "/a/evil.test/x", "", "/evil.test/x"),
        ("/*.php", "/gone", "/x.php", "", "/gone"),
        ("/a", "/über", "/a", "", "/%C3%BCber"),
    ],
)
def test_where_a_redirect_leads(pattern, target, path, query, there):
    assert go(pattern, target, path, query) == there


def test_the_first_rule_that_fits_counts():
    rules = (RedirectRule("/a/b", "/1"), RedirectRule("/a/*", "/2"), RedirectRule("*", "/3"))
    assert [find(rules, path) for path in ("/a/b", "/a/c", "/x")] == list(rules)
    assert find(rules[:2], "/b") is None


texts = st.text(st.sampled_from("/\\@:.?#%25eEvil{}* \t\r\nü") | st.characters(codec="utf-8"), max_size=30)
targets = st.sampled_from(
    ("/", "/{rest}", "{path}", "{uri}", "/x{path}", "/x/{rest}", "https://safe.test{uri}", "https://safe.test/{rest}",
     "https://safe.test{path}?q={query}", "https://{host}{uri}", "?{query}")
)  # fmt: skip


@given(texts, texts, targets, st.sampled_from(("*", "/*", "/a*", "/a/*")))
def test_a_path_never_chooses_the_host(text, query, target, pattern):
    rule = RedirectRule(pattern, target)
    check_or_skip(rule)
    try:
        path = canonical("/a/" + text)
    except BadPattern:
        return
    assume(find((rule,), path))
    there = location(rule, path, query, host="gate.test", scheme="https")
    assert "\r" not in there
    assert "\n" not in there
    assert there.isascii()
    followed = urlsplit(urljoin("https://gate.test/a/b", there.replace("\\", "/")))
    assert followed.netloc in ("gate.test", "safe.test"), there


def check_or_skip(rule: RedirectRule) -> None:
    try:
        check(rule)
    except RoutingError:
        assume(False)
