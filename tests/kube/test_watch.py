"""Watches against a server that does everything a network can do."""

import asyncio

import orjson
import pytest

from dovetail.kube import (
    CONFIGMAPS,
    Client,
    Forbidden,
    Gone,
    RequestTimeout,
    Unreachable,
    UnreadableAnswer,
    WatchBroken,
    WatchEvent,
)
from tests.kube.canned import Answer, Seen, canned, configmap, failure


async def collect(client: Client, into: list[WatchEvent], timeout: float = 60.0) -> None:
    async for event in client.watch(CONFIGMAPS, "default", resource_version="5", timeout=timeout):
        into.append(event)  # noqa: PERF401 -- what came before an error counts, too


async def test_the_request_and_a_clean_end() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.event("ADDED", configmap("a", 6))
        await answer.event("BOOKMARK", {"metadata": {"resourceVersion": "9"}})
        await answer.end()

    events: list[WatchEvent] = []
    async with canned(respond) as server, server.client() as client:
        await collect(client, events)
        assert server.seen[0].query == {
            "watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "60", "resourceVersion": "5",
        }  # fmt: skip
    assert [event.type for event in events] == ["ADDED", "BOOKMARK"]


async def test_events_cut_and_joined_anywhere() -> None:
    lines = b"".join(
        orjson.dumps({"type": "MODIFIED", "object": configmap("a", version)}) + b"\n" for version in range(6, 26)
    )

    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        for at in range(0, len(lines), 7):
            await answer.chunk(lines[at : at + 7])
            if at % 70 == 0:
                await asyncio.sleep(0)
        await answer.end()

    events: list[WatchEvent] = []
    async with canned(respond) as server, server.client() as client:
        await collect(client, events)
    assert [int(event.object["metadata"]["resourceVersion"]) for event in events] == list(range(6, 26))


async def test_an_object_of_many_megabytes() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.event("ADDED", configmap("a", 6, big="x" * 10_000_000))
        await answer.event("ADDED", configmap("b", 7))
        await answer.end()

    events: list[WatchEvent] = []
    async with canned(respond) as server, server.client() as client:
        await collect(client, events)
    assert [len(event.object["data"].get("big", "")) for event in events] == [10_000_000, 0]


async def test_410_inside_the_stream_and_instead_of_it() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        if len(server.seen) == 1:
            await answer.start()
            await answer.event("ADDED", configmap("a", 6))
            await answer.event("ERROR", failure(410, "Expired", "too old resource version"))
            await answer.end()
        else:
            await answer.json(failure(410, "Expired"), 410)

    events: list[WatchEvent] = []
    async with canned(respond) as server, server.client() as client:
        with pytest.raises(Gone, match="too old"):
            await collect(client, events)
        assert len(events) == 1
        with pytest.raises(Gone):
            await collect(client, events)


async def test_refused() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.json(failure(403, "Forbidden"), 403)

    async with canned(respond) as server, server.client() as client:
        with pytest.raises(Forbidden):
            await collect(client, [])


async def test_an_end_within_an_event() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.event("ADDED", configmap("a", 6))
        await answer.chunk(b'{"type":"ADDED","obj')
        await answer.end()

    events: list[WatchEvent] = []
    async with canned(respond) as server, server.client() as client:
        with pytest.raises(WatchBroken):
            await collect(client, events)
    assert len(events) == 1


async def test_a_connection_that_breaks() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.event("ADDED", configmap("a", 6))
        await asyncio.sleep(0.05)
        answer.cut()

    events: list[WatchEvent] = []
    async with canned(respond) as server, server.client() as client:
        with pytest.raises(Unreachable):
            await collect(client, events)
    assert len(events) == 1


async def test_a_line_that_is_no_event() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.chunk(b"<html>\n")
        await answer.end()

    async with canned(respond) as server, server.client() as client:
        with pytest.raises(UnreadableAnswer):
            await collect(client, [])


async def test_silence_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.hang()

    monkeypatch.setattr("dovetail.kube.client.WATCH_GRACE", 0.1)
    async with canned(respond) as server, server.client() as client:
        with pytest.raises(RequestTimeout):
            await collect(client, [], timeout=0.2)


async def test_leaving_early_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.event("ADDED", configmap("a", 6))
        await answer.hang()
        closed.set()

    async with canned(respond) as server, server.client() as client:
        watch = client.watch(CONFIGMAPS, resource_version="5")
        await anext(watch)
        await watch.aclose()
        async with asyncio.timeout(5):
            await closed.wait()
