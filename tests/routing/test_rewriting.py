"""Rewrite programs, as tables; and that no request can be bent into another part of the backend."""

import posixpath
import time
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.routing.errors import BadPattern, BadRegexp, BadStep, PathTooLong
from dovetail.routing.model import RewriteStep
from dovetail.routing.paths import canonical
from dovetail.routing.regexps import MAX_TEXT, compile_regexp
from dovetail.routing.rewriting import apply, check

STEPS = {
    "seed": ("rewrite", "/old-prefix/*", "/new-prefix{path}"),
    "all": ("rewrite", "*", "/x{path}"),
    "end": ("rewrite", "*.png", "/img{path}"),
    "part": ("rewrite", "*secret*", "/hidden"),
    "segment": ("rewrite", "/a/*/c", "/hit"),
    "query": ("rewrite", "/q", "/r?{query}&p={path}"),
    "noquery": ("rewrite", "/q", "/r?"),
    "onlyquery": ("rewrite", "/q*", "?a=1"),
    "fragment": ("rewrite", "/q", "/r#there"),
    "parts": ("rewrite", "/p/*", "/x{dir}{file.base}-1{file.ext}?m={method}&n={query.n}&s={path.1}&f={file}&{query}"),
    "uri": ("rewrite", "*", "/v2{http.request.uri}"),
    "strip": ("strip-prefix", "/proxy/x", ""),
    "stripslash": ("strip-prefix", "proxy/x/", ""),
    "suffix": ("strip-suffix", "/edit", ""),
    "word": ("strip-suffix", "edit", ""),
    "extension": ("strip-suffix", ".html", ""),
    "replace": ("replace", "a", "b"),
    "delete": ("replace", "x", ""),
    "regexp": ("regexp", "^/v([0-9]+)/(.*)$", "/$2/v${1}"),
    "named": ("regexp", "/(?P<user>[^/]+)$", "/u-${user}$$"),
    "end-of-text": ("regexp", "b$", "c"),
    "method": ("method", "POST", ""),
}


@pytest.mark.parametrize(
    ("steps", "request_", "expected"),
    [
        ("seed", "/old-prefix/a?x=1", "GET /new-prefix/old-prefix/a?x=1"),
        ("seed", "/OLD-PREFIX/a", "GET /new-prefix/OLD-PREFIX/a"),
        ("seed", "/old-prefix", "GET /old-prefix"),
        ("seed", "/other/a", "GET /other/a"),
        ("seed", "/old-prefix/a%2Fb", "GET /new-prefix/old-prefix/a%2Fb"),
        ("all", "/a", "GET /x/a"),
        ("end", "/a/b.PNG", "GET /img/a/b.PNG"),
        ("part", "/a/secret/b", "GET /hidden"),
        ("segment", "/a/b/c", "GET /hit"),
        ("segment", "/a/b/b/c", "GET /a/b/b/c"),
        ("query", "/q?a=1&b=%20", "GET /r?a=1&b=%20&p=/q"),
        ("query", "/q", "GET /r?p=/q"),
        ("parts", "/p/q/a.b.js?n=1&o=2", "GET /x/p/q/a.b-1.js?m=GET&n=1&s=q&f=a.b.js&n=1&o=2"),
        ("parts", "/p/a=b", "GET /x/p/a=b-1?m=GET&n=&s=a%3Db&f=a%3Db"),
        ("uri", "/a?b=c", "GET /v2/a?b=c"),
        ("noquery", "/q?a=1", "GET /r"),
        ("onlyquery", "/q/r?b=2", "GET /q/r?a=1"),
        ("fragment", "/q?a=1", "GET /r?a=1"),
        ("strip", "/proxy/x/y", "GET /y"),
        ("strip", "/proxy/x", "GET /"),
        ("strip", "/proxy/x/", "GET /"),
        ("strip", "/proxy/xy", "GET /proxy/xy"),
        ("stripslash", "/proxy/x/y", "GET /y"),
        ("suffix", "/a/edit", "GET /a"),
        ("suffix", "/edit", "GET /"),
        ("suffix", "/a/credit", "GET /a/credit"),
        ("word", "/a/credit", "GET /a/credit"),
        ("word", "/a/edit", "GET /a"),
        ("extension", "/a/b.html", "GET /a/b"),
        ("replace", "/aa?a=a", "GET /bb?b=b"),
        ("regexp", "/v1/things/x", "GET /things/x/v1"),
        ("named", "/a/ann", "GET /a/u-ann$"),
        ("end-of-text", "/ab", "GET /ac"),
        ("method", "/a", "POST /a"),
        ("strip seed", "/proxy/x/old-prefix/z", "GET /new-prefix/old-prefix/z"),
        ("method strip regexp", "/proxy/x/v2/y?q", "POST /y/v2?q"),
    ],
)
def test_programs(steps, request_, expected):
    program = tuple(RewriteStep(*STEPS[name]) for name in steps.split())
    for step in program:
        check(step)
    path, _, query = request_.partition("?")
    path, query, method = apply(program, path, query, "GET")
    assert f"{method} {path}" + (f"?{query}" if query else "") == expected


def test_no_steps_leave_the_request_as_it_is():
    assert apply((), "/a//b/../%2e", "x=%zz&&", "GET") == ("/a//b/../%2e", "x=%zz&&", "GET")


@pytest.mark.parametrize(
    ("step", "path", "expected"),
    [
        (("replace", "x", ""), "/.x./.x./etc/passwd", "/etc/passwd"),
        (("replace", "x", ""), "/a/%2xe%2e/b", "/b"),
        (("replace", "x", "\r\nEvil:"), "/x", "/%0D%0AEvil:"),
        (("replace", "x", " "), "/x", "/%20"),
        (("replace", "x", "?y="), "/x", "/%3Fy="),
        (("replace", "x", "é"), "/x", "/%C3%A9"),
        (("regexp", "^/a", ""), "/a//evil.example", "/evil.example"),
        (("strip-prefix", "/a", ""), "/a//evil.example/x", "/evil.example/x"),
    ],
)
def test_a_request_cannot_be_bent(step, path, expected):
    assert apply((RewriteStep(*step),), path, "", "GET")[0] == expected


@settings(max_examples=300, deadline=None)
@given(
    find=st.text("/.ax%2e", min_size=1, max_size=4),
    value=st.text("/.ax%2e?#\r\n é", max_size=4),
    path=st.text("/.ax%2e", max_size=12),
    query=st.text(max_size=8),
)
def test_what_leaves_a_program_is_always_a_clean_path(find, value, path, query):
    program = (RewriteStep("replace", find, value), RewriteStep("strip-prefix", "/a", ""))
    new_path, new_query, _ = apply(program, "/" + path, query, "GET")
    assert new_path.startswith("/")
    assert "//" not in new_path
    segments = new_path.replace("%2e", ".").replace("%2E", ".").split("/")
    assert not {".", ".."} & set(segments)
    assert not set(new_path + new_query) & set("\r\n #")
    assert (new_path + new_query).isascii()


@pytest.mark.parametrize(
    "step",
    [
        ("rewrite", "/a", "/b{env.HOME}"),
        ("rewrite", "/a", "/b{system.hostname}"),
        ("rewrite", "/a", "/{http.request.header.Authorization}"),
        ("rewrite", "/a", "/{path.x}"),
        ("rewrite", "/a", "{file}"),
        ("rewrite", "/a", "http://x"),
        ("rewrite", "a", "/b"),
        ("rewrite", "/" + "*a" * 60, "/b"),
        ("regexp", "(", ""),
        ("method", "get it", ""),
        ("strip-prefix", "", ""),
        ("replace", "", "x"),
    ],
)
def test_steps_that_cannot_run_are_refused(step):
    with pytest.raises(BadStep):
        check(RewriteStep(*step))


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        (r"^/a/(\w+)$", "/a/b", "<b>"),
        (r"(?i)ABC", "xabcx", "x<>x"),
        (r"a|b", "cab", "c<><>"),
        (r"[[:digit:]]+", "a12b", "a<>b"),
        (r"[^/]+$", "/a/b", "/a/<>"),
        (r"\Qa.b\E", "a.b axb", "<> axb"),
        (r"\x41(\x{42})", "AB", "<B>"),
        (r"(?P<n>x)", "x", "<x>"),
        (r"(?<n>x)", "x", "<x>"),
        (r"(?:ab)+", "ababc", "<>c"),
        (r"a{2}", "aaa", "<>a"),
        (r"a+?b", "aab", "<>"),
        (r"\z", "a", "a<>"),
        (r"[]x]", "a]", "a<>"),
        (r"[a&&b]", "&", "<>"),
        (r"\.", "a.b", "a<>b"),
    ],
)
def test_expressions_mean_what_re2_says(expression, text, expected):
    assert compile_regexp(expression, "<$1>").sub(text) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "(a+)+", "(a*)*", "(a|aa)+", "(a?){30}", "((ab)*c)*", "(?=a)", "(?!a)", "(?<=a)", "(?>a)", r"(a)\1", "(", ")",
        "[", "a**", "a*+", "+", "?", r"\p{Greek}", r"\C", "(?U)a", "(?m)a", "a(?i)b", "[[:bogus:]]", "[z-a]", "\\",
        "a?" * 30 + "a" * 30, "x*y*z*w*v*", "a" * 600, "(a|b)*c", "a{2}{3}", "(?P=n)", "(?P<1>a)", "(?P<n>a)(?P<n>b)",
    ],
)  # fmt: skip
def test_expressions_that_are_refused(expression):
    with pytest.raises(BadRegexp):
        compile_regexp(expression)


@pytest.mark.parametrize(
    "expression",
    ["(.*)x(.*)y", ".*.*=.*", r"\w+\d+\w+", "a?a?a?a?a?aaaaa", "^(.*)/(.*)/(.*)$", "(ab)*(ab)*c", ".*,.*,z"],
)
def test_work_is_bounded_even_for_the_worst_text(expression):
    regexp = compile_regexp(expression)
    started = time.perf_counter()
    for unit in ("a", "x", "/", "ab", "1", "=", ","):
        regexp.sub((unit * MAX_TEXT)[: regexp.max_length])
    assert time.perf_counter() - started < 20


@settings(max_examples=200, deadline=None)
@given(st.text(r"ab()[]{}*+?|\^$.-,0129:<>P=!&~# ", max_size=12))
def test_any_text_is_an_expression_or_is_refused(expression):
    try:
        regexp = compile_regexp(expression, "$1")
    except BadRegexp:
        return
    regexp.sub("abababab0129"[: regexp.max_length])


def test_a_path_too_long_for_its_expression_is_refused():
    with pytest.raises(PathTooLong):
        apply((RewriteStep("regexp", ".*a.*b", "x"),), "/" + "a" * 9000, "", "GET")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/b", "/a/b"),
        ("/%61/%7euser", "/a/~user"),
        ("/a%c3%a9", "/a%C3%A9"),
        ("/a/", "/a/"),
        ("/", "/"),
        ("/.a", "/.a"),
    ],
)
def test_canonical_paths(path, expected):
    assert canonical(path) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "*", "//", "/a//b", "/./a", "/a/.", "/a/..", "/../a", "/a/%2e%2e/b", "/a/%2E/b", "/a/.%2e/b", "/a%2fb",
        "/a%2Fb", "/a%5cb", "/a\\b", "/a;b", "/a/..;/b", "/a%00", "/a%0d%0aX:", "/a%09b", "/a%7f", "/a%1Bb", "/a%",
        "/a%2", "/a%zz", "/%c0%af", "/%c0%ae%c0%ae/x", "/%e0%80%af", "/%f0%80%80%af", "/%c1%9c", "/%ed%a0%80",
        "/%f5%80%80%80", "/%ff", "/%e4%bd", "/a b", "/a\x00", "/\xe9", "/a\tb", '/a"b', "/a<b", "/a{b}", "/a|b", "/a^b",
        "/a`b", "/a[b]",
    ],
)  # fmt: skip
def test_paths_without_a_canonical_form(path):
    with pytest.raises(BadPattern):
        canonical(path)


@given(st.text("/.%2eEfFcC0ab5\\;", max_size=14))
def test_a_canonical_path_has_no_second_reading(path):
    """Whatever a backend does with it (decode it, decode it again, resolve it), the segments stay what they are."""
    try:
        found = canonical("/" + path)
    except BadPattern:
        return
    assert canonical(found) == found
    decoded = unquote(found, errors="strict")
    assert decoded.count("/") == found.count("/")
    assert "\\" not in decoded
    assert posixpath.normpath(decoded) == ("/" + decoded.strip("/"))
