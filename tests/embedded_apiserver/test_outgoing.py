"""Answers of other servers are read to their end, in however many pieces they come, and never beyond a limit."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from dovetail.embedded.apiserver.outgoing import AnswerTooLarge, read_limited, reason


async def _slowly(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first,")
    await asyncio.sleep(0.1)
    await response.write(b"second")
    return response


@pytest.fixture
async def url() -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/", _slowly)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("limit", [12, 1000])
async def test_pieces_are_read_to_the_end(url: str, limit: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert await read_limited(response, limit) == b"first,second"


@pytest.mark.parametrize("limit", [5, 11])
async def test_nothing_is_read_beyond_the_limit(url: str, limit: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        with pytest.raises(AnswerTooLarge, match=f"larger than {limit} bytes"):
            await read_limited(response, limit)


async def test_reasons_are_in_the_words_of_go() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as refused:
            await session.get("http://127.0.0.1:1/")
    assert reason(refused.value) == "dial tcp 127.0.0.1:1: connect: connection refused"
    assert reason(aiohttp.ServerDisconnectedError()) == "EOF"
    assert reason(TimeoutError()) == "TimeoutError"
