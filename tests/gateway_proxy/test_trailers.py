"""Fields behind a body: what was declared and can harm nobody goes on, in both directions; nothing else does."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.proxy.request_headers import read_head
from dovetail.gateway.proxy.trailers import TrailerFields, declared, last_chunk
from dovetail.routing.model import HeaderEdit
from tests.gateway_proxy.backend import Backend, Seen, always
from tests.gateway_proxy.client import Client
from tests.gateway_proxy.rig import gateway, limits, route, upstream

_FORBIDDEN = (
    "Transfer-Encoding", "Content-Length", "Content-Type", "Host", "Trailer", "TE", "Connection", "Upgrade",
    "Authorization", "Cookie", "Set-Cookie", "X-Remote-User", "Impersonate-User", "X-Dovetail-Assertion",
    "X-Forwarded-For", "X_Sum", "Cache-Control", "Expect", "Range", "If-Match", "Max-Forwards", "Location", "Vary",
    "Content-Range", "WWW-Authenticate", "Proxy-Authorization", "Forwarded", "Sec-Fetch-Site", "Origin", "X Sum", "",
    ":path", "Date", "X-HTTP-Method-Override",
)  # fmt: skip


class _Raw(Backend):
    """Notes the bytes of each request, trailers and all."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(always(reply), read_bodies=False)
        self.raw: list[bytes] = []
        self.handler = self._note
        self._reply = reply

    async def _note(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if seen.get("transfer-encoding"):
            raw = b""
            while not raw.endswith(b"\r\n\r\n"):
                raw += await reader.readuntil(b"\r\n")
            self.raw.append(raw)
        writer.write(self._reply)


_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _put(declare: str, trailers: str, *lines: str) -> bytes:
    head = ["PUT /a HTTP/1.1", "Host: gateway", "Transfer-Encoding: chunked", *lines]
    if declare:
        head.append(f"Trailer: {declare}")
    return "\r\n".join(head).encode() + b"\r\n\r\n3;ext=1\r\nabc\r\n0\r\n" + trailers.encode() + b"\r\n"


@pytest.mark.parametrize("pace", ["at once", "byte by byte"])
async def test_of_a_request(pace: str) -> None:
    backend = _Raw(_OK)
    await backend.start()
    to = upstream(backend.port)
    fields = "X-Sum: 1\r\nx-other:2\r\nX-Undeclared: 3\r\n"
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        raw = _put("X-Sum, x-Other ,Content-Length", fields)
        for piece in [raw] if pace == "at once" else [raw[at : at + 1] for at in range(len(raw))]:
            client.send(piece)
            await asyncio.sleep(0)
        assert (await client.answer()).status == 200
        client.send(_put("", fields))
        assert (await client.answer()).status == 200
    body, _, tail = backend.raw[0].rpartition(b"0\r\n")
    assert (b"ext" in body, tail) == (False, b"X-Sum: 1\r\nx-other: 2\r\n\r\n")
    assert backend.seen[0].get("trailer") == "x-other, x-sum"
    assert backend.raw[1].endswith(b"\r\n0\r\n\r\n")
    assert backend.seen[1].get("trailer") is None


async def test_of_an_answer() -> None:
    reply = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Set-Cookie\r\nTrailer: x-more\r\n\r\n"
        b"2;ext\r\nok\r\n0\r\nX-Sum: 1\r\nSet-Cookie: dovetail-token=x\r\nX-Undeclared: 2\r\nX-More:3\r\n\r\n"
    )
    backend = await Backend(always(reply)).start()
    to = upstream(backend.port)
    edit = HeaderEdit(op="delete", name="X-Other")
    async with gateway([route("/", to), route("/edited", to, header_down=(edit,))], [to]) as running:
        wanting = "TE: gzip;q=0.5, trailers"
        for path, lines, expected in (
            ("/", [wanting], b"0\r\nX-Sum: 1\r\nX-More: 3\r\n\r\n"),
            ("/", [], b"0\r\n\r\n"),
            ("/edited", [wanting], b"0\r\n\r\n"),
        ):
            async with await running.client() as client:
                for _ in range(2):  # the parser that looks at trailers is put away again
                    client.request("GET", path, *lines)
                    head = await client.head()
                    assert head.get("trailer") == ("x-more, x-sum" if b"Sum" in expected else None)
                    assert await client.reader.readexactly(7) == b"2\r\nok\r\n"
                    assert await client.reader.readexactly(len(expected)) == expected
    assert backend.connections == 1, "connections are used again"
    assert [seen.get("te") for seen in backend.seen] == ["trailers"] * 2 + [None] * 2 + ["trailers"] * 2
    assert backend.seen[0].get("connection") == "TE"


async def test_old_clients_and_clients_that_ask_for_the_head_get_none() -> None:
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n"
    backend = await Backend(always(reply)).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.send(b"GET / HTTP/1.0\r\nHost: gateway\r\nTE: trailers\r\n\r\n")
        assert (await client.rest()).endswith(b"\r\n\r\nok")


@pytest.mark.parametrize("many", [False, True])
async def test_too_many_or_too_large(many: bool) -> None:
    tail = "X: 1\r\n" * 5 if many else f"X: {'1' * 200}\r\n"
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nok\r\n0\r\n%b\r\n" % tail.encode()
    backend = await Backend(always(reply)).start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to], limits=limits(trailers=4, trailer_bytes=100)) as running:
        async with await running.client() as client:
            client.send(_put("X", tail))
            assert (await client.answer()).is_status(431)
            assert await client.rest() == b""
        async with await running.client() as client:
            client.request("GET", "/", "TE: trailers")
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.answer()
        assert (await running.once("GET", "/")).body == b"ok"


async def test_a_rule_that_edits_headers_ends_them() -> None:
    """Whoever deletes a header from requests means the field, wherever it stands."""
    backend = _Raw(_OK)
    await backend.start()
    to = upstream(backend.port)
    edited = route("/", to, header_up=(HeaderEdit(op="delete", name="X-Sum"),))
    async with gateway([edited], [to]) as running, await running.client() as client:
        client.send(_put("X-Sum, X-Other", "X-Sum: 1\r\nX-Other: 2\r\n"))
        assert (await client.answer()).status == 200
    assert backend.raw[0].endswith(b"\r\n0\r\n\r\n")
    assert backend.seen[0].get("trailer") is None


async def test_memory_does_not_grow_with_what_lies_around_a_body() -> None:
    """A large body does not buy its sender the right to a large trailer."""
    backend = await Backend(read_bodies=False).start()

    async def swallow(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        while await reader.read(1 << 20):
            pass
        return True

    backend.handler = swallow
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.request("PUT", "/", "Transfer-Encoding: chunked")
        block = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        for _ in range(4):
            client.send(block)
            await client.writer.drain()
        client.send(b"0\r\nX: ")
        sent = await _until_cut(client)
    assert sent < 8 << 20


async def _until_cut(client: Client) -> int:
    sent = 0
    answer = asyncio.ensure_future(client.answer())
    with contextlib.suppress(ConnectionError):
        while not answer.done() and sent < 32 << 20:
            client.send(b"a" * 65536)
            sent += 65536
            await client.writer.drain()
            await asyncio.sleep(0)
    assert (await answer).is_status(400)
    return sent


@pytest.mark.parametrize("name", _FORBIDDEN)
def test_names_that_are_never_trailers(name: str) -> None:
    for spelled in (name, name.lower(), name.upper()):
        assert declared(spelled.encode()) == frozenset()


_names = st.from_regex(rb"[A-Za-z][A-Za-z0-9\-]{0,20}", fullmatch=True)


@given(st.lists(st.tuples(_names, st.from_regex(rb"[!-~]{0,30}", fullmatch=True)), max_size=8), st.lists(_names))
def test_only_what_is_declared_and_what_could_be_a_header_goes_on(
    fields: list[tuple[bytes, bytes]], names: list[bytes]
) -> None:
    allowed = declared(b",".join(names))
    tail = TrailerFields(allowed)
    assert all(tail.add(name, value, 100, 1 << 20) for name, value in fields)
    kept = [line.split(b": ", 1) for line in last_chunk(tail.rendered)[3:-2].split(b"\r\n") if line]
    assert [(name, value) for name, value in kept] == [each for each in fields if each[0].lower() in allowed]
    passed = read_head("GET", b"/", "1.1", [(b"Host", b"x"), *((name, b"") for name in allowed)]).kept
    assert {name for name, _ in passed} == allowed
