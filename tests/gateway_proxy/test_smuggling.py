"""Requests that two servers could read differently: each is refused, or read in the one way that everybody agrees on.

What the backend sees is never a request that was hidden in another one's body. The cases are in `smuggling_corpus`.
"""

import asyncio

import pytest

from tests.gateway_proxy.backend import Backend
from tests.gateway_proxy.rig import gateway, limits, route, upstream
from tests.gateway_proxy.smuggling_corpus import CASES, SENTINEL


@pytest.mark.parametrize("pace", ["at once", "byte by byte"])
async def test_corpus(pace: str) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    wrong: dict[str, object] = {}
    async with gateway([route("/", to)], [to], limits=limits(body_timeout=1.0, body_rate=0.001)) as running:
        for name, (raw, (statuses, targets)) in CASES.items():
            if pace == "byte by byte" and len(raw) > 1000:
                continue
            backend.seen.clear()
            async with await running.client() as client:
                if pace == "at once":
                    client.send(raw + SENTINEL)
                else:
                    for at in range(len(raw)):
                        client.send(raw[at : at + 1])
                        await asyncio.sleep(0)
                        await asyncio.sleep(0)
                    client.send(SENTINEL)
                answers = await client.answers()
            got = ([answer.status for answer in answers], [seen.target for seen in backend.seen])
            if got != (statuses, targets):
                wrong[name] = got
            refused = [answer for answer in answers if answer.status >= 400]
            assert all(answer.is_status(answer.status) for answer in refused), name
            assert answers, name
            assert answers[-1].get("connection") == "close", name
    assert wrong == {}
    assert not backend.errors


async def test_the_body_behind_an_ignored_upgrade_arrives() -> None:
    """Java's HTTP client offers h2c with every request that it sends in the clear."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running:
        for framing in (b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"):
            async with await running.client() as client:
                head = b"PUT /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
                client.send(head + framing)
                assert (await client.answer()).status == 200
    assert [seen.body for seen in backend.seen] == [b"abc", b"abc"]
    assert all("upgrade" not in seen.names for seen in backend.seen)


async def test_a_head_that_comes_in_two_parts_is_one_head() -> None:
    """The second part looks like a request of its own; the first one came together with the request before it."""
    backend = await Backend().start()
    to = upstream(backend.port)
    async with gateway([route("/", to)], [to]) as running, await running.client() as client:
        client.send(b"GET /a HTTP/1.1\r\nHost: gateway\r\n\r\nGET /b HTTP/1.1\r\nX-Part: ")
        assert (await client.answer()).status == 200
        client.send(b"GET /hidden HTTP/1.1\r\nHost: gateway\r\n\r\n")
        assert (await client.answer()).status == 200
    assert [seen.target for seen in backend.seen] == ["/a", "/b"]
    assert backend.seen[1].get("x-part") == "GET /hidden HTTP/1.1"
