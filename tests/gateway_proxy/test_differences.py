"""What a backend sees behind us and behind nginx, HAProxy, Caddy and Envoy: the same, except where `differences` says
why. The cases are a table of ordinary and odd requests, the smuggling corpus, and requests that hypothesis makes up."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway_proxy import peers
from tests.gateway_proxy.backend import RUNNING, Backend, Seen
from tests.gateway_proxy.client import Client
from tests.gateway_proxy.differences import DIFFERENCES, Difference, unexplained
from tests.gateway_proxy.rig import gateway, limits, route, upstream
from tests.gateway_proxy.smuggling_corpus import CASES, SENTINEL

_SECONDS = 0.5
"""Whoever has not closed the connection by then waits for more."""
_ABSENT = [name for name in peers.PEERS if not peers.installed(name)]
pytestmark = pytest.mark.skipif(bool(_ABSENT), reason=f"not installed: {', '.join(_ABSENT)}")

_TABLE: dict[str, bytes] = {
    "plain": b"GET /a/b?c=d&c=e HTTP/1.1\r\nHost: gateway\r\nAccept: */*\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n",
    "raw query": b"GET /a?x=%zz&%20&&=;?/..&a=b%2fc HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "escapes in the path": b"GET /a%20b%3Fc/%E4%BD%A0 HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "escapes that are not needed": b"GET /%61%2db HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "escapes in small letters": b"GET /%e4%bd%a0 HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "path parameter": b"GET /a;b/c HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "an empty query": b"GET /a? HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "two credentials": b"GET /a HTTP/1.1\r\nHost: gateway\r\nAuthorization: a\r\nAuthorization: a\r\n\r\n",
    "a condition twice": b"GET /a HTTP/1.1\r\nHost: gateway\r\nIf-None-Match: x\r\nIf-None-Match: x\r\n\r\n",
    "trailing slash": b"GET /a/ HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "body": b"POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc",
    "empty body": b"POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n",
    "no body": b"POST /a HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "chunks": b"PUT /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1;x\r\na\r\n2\r\nbc\r\n0\r\nT: x\r\n\r\n",
    "declared trailers": b"PUT /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n"
    b"1\r\na\r\n0\r\nT: x\r\n\r\n",
    "body of a GET": b"GET /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 3\r\n\r\nabc",
    "delete": b"DELETE /a HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "patch": b"PATCH /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.0": b"GET /a HTTP/1.0\r\n\r\n",
    "keep-alive": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
    "named by Connection": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n",
    "TE": b"GET /a HTTP/1.1\r\nHost: gateway\r\nTE: trailers\r\nTrailer: T\r\n\r\n",
    "TE gzip": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: TE\r\nTE: gzip\r\n\r\n",
    "unknown upgrade": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "expect": b"PUT /a HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    "underscore": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX_Remote_User: root\r\n\r\n",
    "identity": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX-Remote-User: root\r\nImpersonate-User: root\r\n\r\n",
    "addresses": b"GET /a HTTP/1.1\r\nHost: gateway\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
    "another method": b"POST /a HTTP/1.1\r\nHost: gateway\r\nX-HTTP-Method-Override: DELETE\r\n"
    b"X-Original-URL: /admin\r\n\r\n",
    "credentials": b"GET /a HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer x\r\nCookie: a=b\r\n\r\n",
    "proxy credentials": b"GET /a HTTP/1.1\r\nHost: gateway\r\nProxy-Authorization: Basic x\r\n"
    b"Proxy-Connection: keep-alive\r\n\r\n",
    "obs-text": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX: \xe4\xff\r\n\r\n",
    "empty value": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX-Empty:\r\n\r\n",
    "compression": b"GET /a HTTP/1.1\r\nHost: gateway\r\nAccept-Encoding: br\r\n\r\n",
}  # fmt: skip


class _Scene:
    """Us and the peers, each with a backend of its own.

    On a loop of their own: hypothesis calls plain functions.
    """

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._stack = contextlib.AsyncExitStack()
        self._places: dict[str, tuple[int, Backend]] = {}

    @contextlib.contextmanager
    def running(self, directory: Path) -> Iterator["_Scene"]:
        try:
            self._runner.run(self._start(directory))
            yield self
        finally:
            self._runner.run(self._stop())

    async def _start(self, directory: Path) -> None:
        for name in ("ours", *peers.PEERS):
            backend = await Backend(versions=("HTTP/1.0", "HTTP/1.1")).start()
            RUNNING.remove(backend)
            to = upstream(backend.port)
            if name == "ours":
                ours = gateway([route("/", to)], [to], limits=limits(body_timeout=0.2))
                port = (await self._stack.enter_async_context(ours)).port
            else:
                port = await self._stack.enter_async_context(peers.running(name, directory, backend.port))
            self._places[name] = port, backend

    async def _stop(self) -> None:
        await self._stack.aclose()
        for _, backend in self._places.values():
            await backend.stop()

    def pictures(self, raw: bytes) -> dict[str, list[Seen]]:
        """What the backend sees of these bytes, behind whom."""
        return self._runner.run(self._pictures(raw))

    async def _pictures(self, raw: bytes) -> dict[str, list[Seen]]:
        seen = await asyncio.gather(*(_through(port, backend, raw) for port, backend in self._places.values()))
        return dict(zip(self._places, seen, strict=True))

    def compare(self, raw: bytes) -> tuple[dict[str, object], list[Difference]]:
        """What is unexplained, by peer, and the rules that were needed. What does not come twice is no difference: a
        peer may have lost its connection to the backend."""
        first = self._compare(raw)
        return self._compare(raw) if first[0] else first

    def _compare(self, raw: bytes) -> tuple[dict[str, object], list[Difference]]:
        pictures = self.pictures(raw)
        ours, open_, used = pictures.pop("ours"), {}, []
        for peer, theirs in pictures.items():
            left, needed = unexplained(peer, raw, ours, theirs)
            used += needed
            if left:
                open_[peer] = {"aspects": left, "ours": ours, "theirs": theirs}
        return open_, used


async def _through(port: int, backend: Backend, raw: bytes) -> list[Seen]:
    backend.seen.clear()
    async with await Client.connect(port) as client:
        client.send(raw + SENTINEL)
        try:
            async with asyncio.timeout(_SECONDS):
                with contextlib.suppress(ConnectionError):
                    while await client.reader.read(1 << 20):
                        pass
        except TimeoutError:
            backend.drop()  # it waits for the rest of a request
            await asyncio.sleep(0.01)
    return [seen for seen in backend.seen if seen.target != "/sentinel"]


@pytest.fixture(scope="module")
def scene() -> Iterator[_Scene]:
    with (
        tempfile.TemporaryDirectory() as directory,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        _Scene(runner).running(Path(directory)) as scene,
    ):
        yield scene


def test_the_table_and_the_corpus(scene: _Scene) -> None:
    wrong: dict[str, object] = {}
    needed: set[Difference] = set()
    corpus = {name: raw for name, (raw, _) in CASES.items() if len(raw) < 2000}
    for name, raw in {**corpus, **_TABLE}.items():
        open_, used = scene.compare(raw)
        needed.update(used)
        if open_:
            wrong[name] = open_
    assert wrong == {}
    assert set(DIFFERENCES) - needed == set(), "explained, but there is no difference"


_ESCAPES = st.sampled_from(["%20", "%3f", "%2B", "%41", "%E4%BD%A0", "%25", "%7e"])
_SEGMENT = st.lists(st.sampled_from("abz09-_.~!$&'()*+,=:@") | _ESCAPES, min_size=1, max_size=5).map("".join)
_PATHS = st.lists(_SEGMENT, max_size=4).map(lambda segments: "/" + "/".join(segments))
_ODD_PATHS = st.sampled_from(
    ["/a//b", "/a/../b", "/a/%2e/b", "/a%2Fb", "/a\\b", "/a;b", "/a%00", "/a#b", "*", "a", "/%zz"]
)
_QUERIES = st.just("") | st.lists(st.sampled_from("ab=&?/%+;.:@") | _ESCAPES, max_size=8).map("".join).map("?{}".format)
_FIELDS = st.sampled_from([
    "Accept: */*", "Accept-Encoding: br", "X-A: 1", "X-A:2", "X-B: \t spaced \t ", "X-C:", "x-d: a,b", "Via: 1.1 x",
    "Cookie: a=b", "Authorization: Bearer x", "X-Remote-User: root", "X_Y: z", "Forwarded: for=x", "X-Real-IP: 1.1.1.1",
    "Connection: keep-alive", "Connection: X-A", "Keep-Alive: timeout=5", "TE: trailers", "TE: gzip",
    "Range: bytes=0-1",
    "If-None-Match: x", "Expect: 100-continue", "Expect: x", "Upgrade: h2c", "Proxy-Authorization: x", "X : y",
    "Origin: http://x", "X-Http-Method-Override: PUT", "Content-Type: text/plain",
])  # fmt: skip
_METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


@st.composite
def _chunks(draw: st.DrawFn) -> bytes:
    pieces = draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4))
    sizes = draw(st.sampled_from([b"%x", b"%X", b"00%x"]))
    extension = draw(st.sampled_from([b"", b"", b";a", b";a=b", b';a="b"']))
    tail = draw(st.sampled_from([b"", b"", b"X-T: 1\r\n", b"X-Remote-User: x\r\n"]))
    body = b"".join(sizes % len(piece) + extension + b"\r\n" + piece + b"\r\n" for piece in pieces)
    return body + b"0\r\n" + tail + b"\r\n"


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """Most are as they should be; some have one thing that they should not."""
    method, fields = draw(_METHODS), draw(st.lists(_FIELDS, max_size=5))
    target = draw(_PATHS | _PATHS | _PATHS | _ODD_PATHS) + draw(_QUERIES)
    if draw(st.integers(0, 9)) == 0 and target.startswith("/"):
        target = "http://gateway" + target
    body = b""
    if draw(st.booleans()) and method != "OPTIONS":
        if draw(st.booleans()):
            body = draw(_chunks())
            fields.append("Transfer-Encoding: chunked")
            fields += draw(st.sampled_from([[], [], ["Trailer: X-T, X-Remote-User"]]))
        else:
            body = draw(st.binary(max_size=50))
            fields.append(f"Content-Length: {len(body)}")
    hosts = draw(st.sampled_from([["Host: gateway"]] * 8 + [[], ["Host: gateway", "Host: x"], ["Host: a b"]]))
    lines = [f"{method} {target} HTTP/1.1", *draw(st.permutations([*hosts, *fields]))]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(raw=_requests())
def test_requests_that_are_made_up(scene: _Scene, raw: bytes) -> None:
    assert scene.compare(raw)[0] == {}
