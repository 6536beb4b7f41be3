"""How long clients may take: the rules as a table, and the same against a worker with short patience."""

import asyncio
import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.proxy.deadlines import BodyPace, Verdict, judge
from dovetail.gateway.proxy.settings import Limits
from tests.e2e.certificates import make_certificate
from tests.gateway_proxy.backend import Backend, Seen, always, answer
from tests.gateway_proxy.client import PATIENCE, Client
from tests.gateway_proxy.rig import Gateway, gateway, limits, route, upstream

_LIMITS = Limits()


@dataclass
class Stand:
    """A connection that has just answered its first request."""

    full_since: float | None = None
    closing_at: float | None = None
    answered_at: float = 100.0
    last: float = 100.0
    served: bool = True
    head_since: float | None = None
    unsent: int = 0
    serving: bool = False
    tunnel_rest: float | None = None


_TABLE: list[tuple[str, Stand, float, Verdict]] = [
    ("just opened", Stand(served=False), 114, Verdict.STAYS),
    ("opened and silent", Stand(served=False), 116, Verdict.CLOSED),
    ("between requests", Stand(), 174, Verdict.STAYS),
    ("between requests for long", Stand(), 176, Verdict.CLOSED),
    ("a head is coming", Stand(head_since=100.0, last=114.0), 114, Verdict.STAYS),
    ("a head drips", Stand(head_since=100.0, last=115.9), 116, Verdict.HEAD_LATE),
    ("a head drips while an answer lies unread", Stand(head_since=100.0, unsent=1, last=115.9), 116, Verdict.HEAD_LATE),
    ("an answer is being read", Stand(unsent=1), 219, Verdict.STAYS),
    ("an answer lies unread", Stand(unsent=1), 221, Verdict.CUT),
    ("an answer lies unread and something drips", Stand(unsent=1, last=220.9), 221, Verdict.CUT),
    ("full", Stand(full_since=100.0, serving=True), 219, Verdict.STAYS),
    ("full for long", Stand(full_since=100.0, serving=True, last=220.9), 221, Verdict.CUT),
    ("a tunnel is full", Stand(full_since=100.0, serving=True, tunnel_rest=900), 900, Verdict.STAYS),
    ("a tunnel is full for long", Stand(full_since=100.0, serving=True, tunnel_rest=900), 1001, Verdict.CUT),
    ("serving", Stand(serving=True), 9999, Verdict.EXCHANGE),
    ("closing", Stand(closing_at=100.0), 101, Verdict.STAYS),
    ("closing, the client is silent", Stand(closing_at=100.0), 103, Verdict.CUT),
    ("closing, the client still sends", Stand(closing_at=100.0, last=129.0), 129, Verdict.STAYS),
    ("closing, the client sends for ever", Stand(closing_at=100.0, last=131.0), 131, Verdict.CUT),
    ("closing, the answer is being read", Stand(closing_at=100.0, unsent=1), 219, Verdict.STAYS),
    ("closing, the answer lies unread", Stand(closing_at=100.0, unsent=1), 221, Verdict.CUT),
]


@pytest.mark.parametrize(("standing", "now", "verdict"), [row[1:] for row in _TABLE], ids=[row[0] for row in _TABLE])
def test_the_rules(standing: Stand, now: float, verdict: Verdict) -> None:
    assert judge(standing, now, _LIMITS) is verdict


_when = st.floats(0, 1000)
_standings = st.builds(
    Stand, st.none() | _when, st.none() | _when, _when, _when, st.booleans(), st.none() | _when, st.integers(0, 10),
    st.just(False), st.none(),
)  # fmt: skip


@given(_standings)
def test_nothing_lasts_for_ever(standing: Stand) -> None:
    """Without progress each connection that is not being served ends, and what it sends does not change that."""
    assert judge(standing, 100_000, _LIMITS) is not Verdict.STAYS
    if standing.full_since is not None or standing.head_since is not None or standing.unsent:
        assert judge(replace(standing, last=99_999.9), 100_000, _LIMITS) is not Verdict.STAYS


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 5000)), max_size=200))
def test_a_body_that_is_cut_was_slow_over_a_whole_period(steps: list[tuple[float, int]]) -> None:
    of, now, received = object(), 0.0, 0
    short = replace(_LIMITS, body_timeout=10.0, body_rate=100.0)
    pace, seen = BodyPace(of, now), [(0.0, 0)]
    for seconds, size in steps:
        now, received = now + seconds, received + size
        seen.append((now, received))
        if pace.too_slow(received, now, short, held_back=False):
            assert any(now - at > 10.0 and received - before < 100.0 * (now - at) for at, before in seen)
            return
    assert any(pace.too_slow(received, now + seconds, short, held_back=False) for seconds in range(1, 40))


def test_time_during_which_we_do_not_read_does_not_count() -> None:
    pace = BodyPace(None, 0.0)
    assert not pace.too_slow(0, 1000.0, _LIMITS, held_back=True)
    assert not pace.too_slow(0, 1000.0 + _LIMITS.body_timeout, _LIMITS, held_back=False)
    assert pace.too_slow(0, 1001.0 + _LIMITS.body_timeout, _LIMITS, held_back=False)


async def _drip(client: Client, data: bytes, seconds: float = 0.05) -> None:
    with contextlib.suppress(OSError):
        for at in range(len(data)):
            client.send(data[at : at + 1])
            await asyncio.sleep(seconds)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_drips(chunked: bool) -> None:
    """Never silent, and never done."""
    backend = await Backend().start()
    to = upstream(backend.port)
    hasty = limits(body_timeout=2.0, body_rate=100.0)  # a busy machine may be silent for a while
    async with gateway([route("/", to)], [to], limits=hasty) as running, await running.client() as client:
        if chunked:
            client.request("PUT", "/", "Transfer-Encoding: chunked")
            dripping = asyncio.create_task(_drip(client, b"1\r\na\r\n" * 200))
        else:
            client.request("PUT", "/", "Content-Length: 1000")
            dripping = asyncio.create_task(_drip(client, bytes(1000)))
        try:
            got = await client.answer()
        finally:
            dripping.cancel()
        assert got.is_status(408)
        assert "bytes a second" in got.json()["message"]
    assert backend.seen == []


async def test_a_body_that_comes_slowly_but_decently_arrives() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    decent = limits(body_timeout=1.2, body_rate=100.0)
    async with gateway([route("/", to)], [to], limits=decent) as running, await running.client() as client:
        client.request("PUT", "/", "Content-Length: 8000")
        for _ in range(40):
            client.send(bytes(200))
            await asyncio.sleep(0.05)
        assert (await client.answer()).json()["length"] == 8000


async def test_an_answer_that_lies_unread_while_something_drips() -> None:
    """Neither excuses the other."""
    backend = await Backend(always(answer(bytes(16 << 20)))).start()
    to = upstream(backend.port)
    hasty = limits(write_timeout=0.5, head_timeout=PATIENCE, buffer=32 << 20)
    async with gateway([route("/", to)], [to], limits=hasty) as running, await running.client() as client:
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]
        client.request("GET", "/")
        with pytest.raises(OSError, match=r"closing|reset|lost|Broken"):  # noqa: PT012
            for byte in b"GET /" + b"a" * 200:
                client.send(bytes([byte]))
                await client.writer.drain()
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["requests", "age"])
async def test_a_connection_ends_some_time(kind: str) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    short = limits(requests=3) if kind == "requests" else limits(connection_age=1.5)
    async with gateway([route("/", to)], [to], limits=short) as running, await running.client() as client:
        if kind == "age":
            client.request("GET", "/")
            assert (await client.answer()).get("connection") is None
            await asyncio.sleep(2.4)
            client.request("GET", "/")
        else:
            for _ in range(2):
                client.request("GET", "/")
                assert (await client.answer()).get("connection") is None
            client.request("POST", "/", body=b"x")
        assert (await client.answer()).get("connection") == "close"
        assert await client.rest() == b""


async def _let_in(running: Gateway) -> bool:
    try:
        return (await running.once("GET", "/healthz")).status == 200
    except (ConnectionError, asyncio.IncompleteReadError):
        return False


@pytest.mark.parametrize("few", [{"connections": 2}, {"connections_per_address": 2}])
async def test_too_many_connections(few: dict[str, int]) -> None:
    async with gateway([], [], limits=limits(**few)) as running:
        async with await running.client() as first, await running.client() as second:
            for client in (first, second):
                client.request("GET", "/healthz")
                assert (await client.answer()).body == b"ok"
            async with await running.client() as third:
                with contextlib.suppress(ConnectionError):
                    assert await third.rest() == b""
        async with asyncio.timeout(PATIENCE):
            while not await _let_in(running):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_too_many_waiting_requests() -> None:
    go = asyncio.Event()

    async def handler(seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(answer())

    backend = await Backend(handler).start()
    to = upstream(backend.port)
    few = limits(queued_requests=4)
    async with gateway([route("/", to)], [to], limits=few) as running, await running.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n" * 20)
        await asyncio.sleep(0.1)
        go.set()
        assert [got.status for got in await client.answers()] == [200] * 5 + [429]
    assert len(backend.seen) == 5


async def test_five_hundred_requests_at_once_keep_their_connections() -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(await running.client()) for _ in range(500)]
        for _ in range(3):
            for client in clients:
                client.request("GET", "/")
            assert {(await client.answer()).status for client in clients} == {200}
    assert backend.connections <= 500


async def test_a_handshake_that_does_not_come(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    backend = await Backend().start()
    to = upstream(backend.port)
    hasty = limits(handshake_timeout=0.3)
    async with gateway([route("/", to)], [to], limits=hasty, tls_cert=made.chain, tls_key=made.key) as running:
        async with await running.client() as mute:
            async with asyncio.timeout(PATIENCE):
                assert await mute.reader.read() == b""
        async with await running.client(tls=made.client_context()) as client:
            client.request("GET", "/")
            assert (await client.answer()).status == 200
