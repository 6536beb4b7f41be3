"""Backends that do not know below which path they are published."""

import asyncio
import gzip
import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.gateway.proxy.traffic.links import HtmlLinks, Links, prefix_of
from dovetail.routing.model import RewriteStep
from dovetail.routing.traffic import Traffic
from tests.gateway_proxy.backend import Backend, Seen, answer
from tests.gateway_proxy.rig import gateway, route, upstream

PAGE = """<!DOCTYPE html><html><head><base href="/"><link rel=stylesheet href=/app.css><title><a href="/x"></title>
<script src='/app.js'>if (a < b && "<a href='/not'>") { go("/x") }</script><!-- <a href="/no"> -->
<a title="a > b" href="/cart?x=1#y">cart</a> <a href="rel">r</a> <a href="//cdn.test/x">c</a> <a HREF = '/up'>u</a>
<form action="http://backend.test:80/send" method=post><img src="https://other.test/i.png" data-x="/keep"></form> 1 < 2
<a href="/proxy/shop/there">it knows</a><a href="/base/inside">i</a><a href="/basement">b</a></html>"""
WANTED = (
    PAGE.replace('base href="/"', 'base href="/proxy/shop/"')
    .replace("href=/app.css", "href=/proxy/shop/app.css")
    .replace("src='/app.js'", "src='/proxy/shop/app.js'")
    .replace('href="/cart', 'href="/proxy/shop/cart')
    .replace("HREF = '/up'", "HREF = '/proxy/shop/up'")
    .replace('action="http://backend.test:80/send"', 'action="/proxy/shop/send"')
    .replace('href="/basement"', 'href="/proxy/shop/basement"')
)
AT_ROOT, BELOW_BASE = upstream(80), upstream(80, base_path="/base")


def edited(page: str, cuts: list[int], to=AT_ROOT) -> str:
    raw = page.encode()
    edges = sorted({0, len(raw), *(cut % (len(raw) + 1) for cut in cuts)})
    stream = HtmlLinks(Links("/proxy/shop", to))
    pieces = [stream.feed(raw[begin:end]) for begin, end in pairwise(edges)]
    return (b"".join(pieces) + stream.end()).decode()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 2000), max_size=30))
def test_however_a_page_comes_its_links_are_the_same(cuts):
    assert edited(PAGE, cuts) == WANTED.replace('href="/base/inside"', 'href="/proxy/shop/base/inside"')
    assert edited(PAGE, cuts, BELOW_BASE) == WANTED.replace('href="/base/inside"', 'href="/proxy/shop/inside"')


soup = st.text(st.sampled_from("<>\"'=/ -!ahrefscipt\n") | st.sampled_from("<>/"), max_size=200)


@given(soup, st.lists(st.integers(0, 500), max_size=10))
def test_what_is_no_page_comes_through_and_nothing_is_lost(text, cuts):
    whole = edited(text, [])
    assert edited(text, cuts) == whole
    assert whole.replace("/proxy/shop", "") == text


def test_a_tag_that_never_ends_is_not_waited_for():
    stream = HtmlLinks(Links("/p", AT_ROOT))
    passed = stream.feed(b"<a " + b"x" * 100_000)
    assert len(passed) > 50_000


@pytest.mark.parametrize("piece", ["<!--", "<title></title>", "<script>", "<a '", '<a "', "<!-- -->", "</", "<a/"])
def test_work_grows_with_the_page_and_not_with_its_square(piece):
    begun = time.process_time()
    assert edited(piece * (400_000 // len(piece)), []) == piece * (400_000 // len(piece))
    assert time.process_time() - begun < 3


@pytest.mark.parametrize("comment", ["<!-->", "<!--->", "<!-- <script> -->", "<!-- -- > '\" -->"])
def test_a_comment_ends_where_a_browser_ends_it(comment):
    page = f'{comment}<a href="/x">'
    for cut in range(len(page)):
        assert edited(page, [cut]) == f'{comment}<a href="/proxy/shop/x">'


@pytest.mark.parametrize("path", ["//evil.test/", "/\\evil.test/", "/\t/evil.test/", "//"])
@pytest.mark.parametrize("front", ["http://backend.test:80", "/base", "http://backend.test:80/base", ""])
@pytest.mark.parametrize("prefix", ["", "/proxy/shop"])
def test_no_link_of_the_backends_own_becomes_one_to_another_host(path, front, prefix):
    for to in (AT_ROOT, BELOW_BASE):
        published = Links(prefix, to).published((front + path).encode())
        assert not front or not re.match(rb"/[\t\r\n]*[/\\]", published), published


@pytest.mark.parametrize(
    ("public", "sent", "prefix"),
    [
        ("/proxy/shop/cart", "/cart", "/proxy/shop"),
        ("/proxy/shop/", "/", "/proxy/shop"),
        ("/proxy/shop", "/", "/proxy/shop"),
        ("/same", "/same", ""),
        ("/old/x", "/new/x", None),
    ],
)
def test_the_published_path(public, sent, prefix):
    assert prefix_of(public, sent) == prefix


async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = seen.target
    if path == "/login":
        writer.write(answer(b"", "302 Found", "Location: /home?x=/y", "Set-Cookie: a=b; Path=/; HttpOnly"))
    elif path == "/away":
        writer.write(answer(b"", "302 Found", "Location: https://other.test/home"))
    elif path == "/itself":
        writer.write(answer(b"", "302 Found", "Location: http://backend.test:80/home"))
    elif path == "/packed":
        writer.write(
            answer(gzip.compress(PAGE.encode()), "200 OK", "Content-Type: text/html", "Content-Encoding: gzip")
        )
    elif path == "/json":
        writer.write(answer(b'{"href": "/x"}', "200 OK", "Content-Type: application/json", 'ETag: "1"'))
    else:
        writer.write(answer(PAGE.encode(), "200 OK", "Content-Type: text/html; charset=utf-8", 'ETag: "1"'))


async def test_answers_lead_back_below_the_public_path() -> None:
    backend = await Backend(handler).start()
    to = upstream(backend.port)
    cut = (RewriteStep("strip-prefix", "/proxy/shop"),)
    routes = [route("/proxy/shop", to, rewrite=cut, traffic=Traffic(wrap=True)), route("/plain", to)]
    async with gateway(routes, [to]) as running, await running.client() as client:

        async def get(path: str, method: str = "GET"):
            client.request(method, f"/proxy/shop{path}", "Accept-Encoding: gzip, br")
            return await client.answer(head_only=method == "HEAD")

        got = await get("/login")
        assert got.get("location") == "/proxy/shop/home?x=/y"
        assert got.get("set-cookie") == "a=b; Path=/proxy/shop/; HttpOnly"
        assert (await get("/away")).get("location") == "https://other.test/home"
        assert (await get("/itself")).get("location") == "/proxy/shop/home"
        page = await get("/page")
        assert page.body.decode() == WANTED.replace('href="/base/inside"', 'href="/proxy/shop/base/inside"')
        assert (page.get("etag"), page.get("transfer-encoding")) == (None, "chunked"), "it is another page now"
        assert (await get("/page", "HEAD")).status == 200
        data = await get("/json")
        assert (data.body, data.get("etag")) == (b'{"href": "/x"}', '"1"')
        assert gzip.decompress((await get("/packed")).body).decode() == PAGE, "what cannot be read is left alone"
        client.request("GET", "/plain/page")
        assert (await client.answer()).body.decode() == PAGE
    for seen in backend.seen[:-1]:
        assert seen.get("x-forwarded-prefix") == "/proxy/shop"
        assert seen.get("accept-encoding") is None
    assert backend.seen[-1].get("x-forwarded-prefix") is None
