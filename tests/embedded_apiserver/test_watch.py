"""Watches over HTTP: resuming, views, bookmarks, streaming lists, 410, and a watcher that reconnects at random."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from .conftest import Http, config_map

Event = tuple[str, str]


@asynccontextmanager
async def watching(http: Http, path: str, **query: str) -> AsyncIterator["Watch"]:
    text = "&".join(f"{key}={value}" for key, value in {"watch": "1", "timeoutSeconds": "30", **query}.items())
    async with http.session.get(f"{http.server.url}{path}?{text}") as response:
        yield Watch(response)


class Watch:
    def __init__(self, response: Any) -> None:
        self.status, self._content = response.status, response.content

    async def next(self) -> Any:
        async with asyncio.timeout(20):
            return json.loads(await self._content.readline())

    async def names(self, count: int) -> list[Event]:
        events = [await self.next() for _ in range(count)]
        return [(event["type"], event["object"]["metadata"]["name"]) for event in events]


@pytest.fixture
def path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def rev(http: Http, path: str) -> str:
    return (await http("GET", path))[1]["metadata"]["resourceVersion"]


async def test_events_in_order_from_a_revision(http: Http, path: str) -> None:
    await http("POST", path, config_map("before"))
    start = await rev(http, path)
    await http("POST", path, config_map("a"))
    async with watching(http, path, resourceVersion=start) as watch:
        assert await watch.names(1) == [("ADDED", "a")]
        await http("PATCH", f"{path}/a", {"data": {"x": "1"}}, content_type="application/merge-patch+json")
        await http("DELETE", f"{path}/a")
        modified, deleted = await watch.next(), await watch.next()
        assert (modified["type"], modified["object"]["data"]) == ("MODIFIED", {"x": "1"})
        assert modified["object"]["kind"] == "ConfigMap"
        assert deleted["type"] == "DELETED"
        assert int(deleted["object"]["metadata"]["resourceVersion"]) > int(
            modified["object"]["metadata"]["resourceVersion"]
        )


async def test_a_write_that_changes_nothing_is_no_event(http: Http, path: str) -> None:
    made = (await http("POST", path, config_map("a", x="1")))[1]
    start = await rev(http, path)
    code, same = await http("PUT", f"{path}/a", made)
    assert (code, same["metadata"]["resourceVersion"]) == (200, made["metadata"]["resourceVersion"])
    async with watching(http, path, resourceVersion=start) as watch:
        await http("POST", path, config_map("b"))
        assert await watch.names(1) == [("ADDED", "b")]


async def test_a_selector_is_a_view_into_which_objects_come_and_go(http: Http, path: str) -> None:
    start = await rev(http, path)
    async with watching(http, path, resourceVersion=start, labelSelector="on%3Dyes") as watch:
        await http("POST", path, config_map("a"))
        label = lambda value: {"metadata": {"labels": {"on": value}}}  # noqa: E731
        merge = {"content_type": "application/merge-patch+json"}
        for value in ("yes", "no", "yes"):
            await http("PATCH", f"{path}/a", label(value), **merge)
        await http("DELETE", f"{path}/a")
        assert await watch.names(4) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a"), ("DELETED", "a")]


async def test_one_object_by_field_selector(http: Http, path: str) -> None:
    await http("POST", path, config_map("a"))
    async with watching(http, path, fieldSelector="metadata.name%3Db") as watch:
        await http("POST", path, config_map("b"))
        assert await watch.names(1) == [("ADDED", "b")]


async def test_a_streaming_list_ends_with_its_bookmark(http: Http, path: str) -> None:
    for name in "abc":
        await http("POST", path, config_map(name))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with watching(http, path, **query) as watch:
        assert await watch.names(3) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]
        mark = await watch.next()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert mark["object"]["metadata"]["resourceVersion"] == await rev(http, path)
        await http("POST", path, config_map("d"))
        assert await watch.names(1) == [("ADDED", "d")]
    async with watching(http, path, sendInitialEvents="true") as watch:
        assert watch.status == 422  # without resourceVersionMatch: client-go falls back on this


async def test_a_watch_ends_at_its_timeout_with_a_bookmark(http: Http, path: str) -> None:
    async with watching(
        http, path, timeoutSeconds="1", allowWatchBookmarks="true", resourceVersion=await rev(http, path)
    ) as watch:
        assert (await watch.next())["type"] == "BOOKMARK"
        assert await watch._content.readline() == b""


async def test_metadata_only_and_table_events(http: Http, path: str) -> None:
    await http("POST", path, config_map("a", x="1"))
    for accept, kind in (("PartialObjectMetadata", "PartialObjectMetadata"), ("Table", "Table")):
        header = {"accept": f"application/json;as={accept};v=v1;g=meta.k8s.io"}
        async with http.session.get(f"{http.server.url}{path}?watch=1&timeoutSeconds=5", headers=header) as response:
            event = json.loads(await response.content.readline())
            assert event["object"]["kind"] == kind
            assert "data" not in event["object"]


async def test_a_watcher_that_reconnects_at_random_ends_with_the_list(http: Http, path: str) -> None:
    done = asyncio.Event()

    async def write() -> None:
        chooser = random.Random(7)
        for number in range(150):
            name = f"c{chooser.randrange(12)}"
            code, _ = await http("POST", path, config_map(name, n=str(number)))
            if code == 409:
                if chooser.random() < 0.4:
                    await http("DELETE", f"{path}/{name}")
                else:
                    await http(
                        "PATCH",
                        f"{path}/{name}",
                        {"data": {"n": str(number)}},
                        content_type="application/merge-patch+json",
                    )
        done.set()

    state: dict[str, str] = {}
    seen = await rev(http, path)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        finished = False
        while not finished:
            finished = done.is_set()
            seen = await _watch_some(http, path, state, seen, everything=finished)
    listed = (await http("GET", path))[1]["items"]
    assert state == {item["metadata"]["name"]: item["data"]["n"] for item in listed}


async def _watch_some(http: Http, path: str, state: dict[str, str], seen: str, everything: bool) -> str:
    """Watch a few events (all, when writing is over), then break the connection; return the revision reached."""
    left = 10**6 if everything else random.randrange(1, 20)
    end = await rev(http, path)
    if seen == end:
        await asyncio.sleep(0.01)
    async with watching(http, path, resourceVersion=seen, timeoutSeconds="1", allowWatchBookmarks="true") as watch:
        while left and seen != end:
            event = await watch.next()
            meta = event["object"]["metadata"]
            seen, left = meta["resourceVersion"], left - 1
            if event["type"] == "BOOKMARK":
                break
            if event["type"] == "DELETED":
                del state[meta["name"]]
            else:
                state[meta["name"]] = event["object"]["data"]["n"]
    return seen
