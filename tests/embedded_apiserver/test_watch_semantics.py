"""Watches as client-go's reflectors expect them: where 410 and 504 arrive, bookmarks, streaming lists, deprecated
paths, forms, and a watcher that lives through reconnects, 410s, restarts and compaction.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .conftest import Http, Server, config_map, connected
from .test_watch import watching

PATH = "/api/v1/namespaces/default/configmaps"
INITIAL = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}


@pytest.fixture
def path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Server]:
    """A server that forgets old versions after a moment."""
    running = Server(tmp_path, options=("--upkeep-seconds", "0.2", "--keep-seconds", "0.4"))
    running.start()
    yield running
    running.end()


async def rev(http: Http, path: str) -> str:
    return (await http("GET", path))[1]["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("sendInitialEvents=false", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("resourceVersionMatch=NotOlderThan",
         "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
        ("resourceVersionMatch=Exact&sendInitialEvents=true",
         'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"'),
        ("resourceVersion=x", 'resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax'),
    ],
)  # fmt: skip
async def test_what_cannot_be_combined(http: Http, path: str, query: str, text: str) -> None:
    code, body = await http("GET", f"{path}?watch=true&{query}")
    assert (code, body["reason"]) == (422, "Invalid")
    assert text in body["message"]


async def test_a_version_from_the_future_is_waited_for(http: Http, path: str) -> None:
    ahead = str(int(await rev(http, path)) + 2)
    async with watching(http, path, resourceVersion=ahead) as watch:
        assert watch.status == 200
        for name in "abc":
            await http("POST", path, config_map(name))
        seen = await watch.next()
        assert int(seen["object"]["metadata"]["resourceVersion"]) > int(ahead)


async def test_a_streaming_list_from_the_future_ends_with_too_large(http: Http, path: str) -> None:
    async with watching(http, path, resourceVersion="999999999", **INITIAL) as watch:
        event = await watch.next()
        assert (watch.status, event["type"], event["object"]["code"]) == (200, "ERROR", 504)
        assert event["object"]["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_streaming_lists_for_every_kind_of_start(http: Http, path: str) -> None:
    await http("POST", path, config_map("a"))
    now = await rev(http, path)
    for version in ("", "0", now):
        async with watching(http, path, **INITIAL, **({"resourceVersion": version} if version else {})) as watch:
            first, mark = await watch.next(), await watch.next()
            assert (first["type"], first["object"]["metadata"]["name"], mark["type"]) == ("ADDED", "a", "BOOKMARK")
            assert mark["object"] == {
                "kind": "ConfigMap", "apiVersion": "v1",
                "metadata": {"resourceVersion": mark["object"]["metadata"]["resourceVersion"],
                             "annotations": {"k8s.io/initial-events-end": "true"}},
            }  # fmt: skip
            assert int(mark["object"]["metadata"]["resourceVersion"]) >= int(now)
    quiet = {**INITIAL, "sendInitialEvents": "false"}
    async with watching(http, path, **quiet) as watch:
        await http("POST", path, config_map("b"))
        assert (await watch.next())["object"]["metadata"]["name"] == "b"
    unmarked = {**INITIAL, "allowWatchBookmarks": "false"}
    async with watching(http, path, **unmarked) as watch:
        assert await watch.names(2) == [("ADDED", "a"), ("ADDED", "b")]
        await http("POST", path, config_map("c"))
        assert await watch.names(1) == [("ADDED", "c")]


async def test_a_streaming_list_with_selectors_and_metadata_only(http: Http, path: str) -> None:
    labelled = config_map("on", x="1")
    labelled["metadata"]["labels"] = {"on": "yes"}
    await http("POST", path, labelled)
    await http("POST", path, config_map("off"))
    accept = {"accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    query = "&".join(f"{name}={value}" for name, value in {**INITIAL, "labelSelector": "on"}.items())
    async with http.session.get(f"{http.server.url}{path}?watch=1&{query}", headers=accept) as answer:
        added, mark = json.loads(await answer.content.readline()), json.loads(await answer.content.readline())
    for event in (added, mark):
        assert (event["object"]["kind"], event["object"]["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert (added["object"]["metadata"]["name"], mark["type"]) == ("on", "BOOKMARK")
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_bookmarks_of_tables_and_of_events(http: Http, namespace: str, path: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in INITIAL.items())
    table = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with http.session.get(f"{http.server.url}{path}?watch=1&{query}", headers=table) as answer:
        mark = json.loads(await answer.content.readline())
        assert (mark["type"], mark["object"]["kind"]) == ("BOOKMARK", "Table")
    for api in ("/api/v1", "/apis/events.k8s.io/v1"):
        async with watching(http, f"{api}/namespaces/{namespace}/events", **INITIAL) as watch:
            assert (await watch.next())["object"]["kind"] == "Event"


async def test_the_last_bookmark_comes_before_the_end(http: Http, path: str) -> None:
    begin = time.monotonic()
    query = f"watch=1&timeoutSeconds=3&allowWatchBookmarks=1&resourceVersion={await rev(http, path)}"
    async with http.session.get(f"{http.server.url}{path}?{query}") as answer:
        seen = [(json.loads(line)["type"], time.monotonic()) async for line in answer.content]
    end = time.monotonic()
    assert [kind for kind, _ in seen] in (["BOOKMARK"], ["BOOKMARK", "BOOKMARK"])
    assert end - begin > 2.5, "the watch lasts as long as it was asked for"
    assert end - seen[0][1] > 0.5, "the bookmark comes while there is time to use it"


async def test_what_leaves_a_view_is_shown_as_it_was(http: Http, path: str) -> None:
    body = config_map("a", x="old")
    body["metadata"]["labels"] = {"on": "yes"}
    await http("POST", path, body)
    async with watching(http, path, labelSelector="on", resourceVersion=await rev(http, path)) as watch:
        change = {"metadata": {"labels": {"on": None}}, "data": {"x": "new"}}
        _, changed = await http("PATCH", f"{path}/a", change, content_type="application/merge-patch+json")
        gone = await watch.next()
        assert (gone["type"], gone["object"]["data"], gone["object"]["metadata"]["labels"]) == (
            "DELETED", {"x": "old"}, {"on": "yes"},
        )  # fmt: skip
        assert gone["object"]["metadata"]["resourceVersion"] == changed["metadata"]["resourceVersion"]


async def test_deprecated_watch_paths(http: Http, namespace: str, path: str) -> None:
    await http("POST", path, config_map("a"))
    await http("POST", path, config_map("b"))
    old = f"/api/v1/watch/namespaces/{namespace}/configmaps"
    async with http.session.get(f"{http.server.url}{old}?timeoutSeconds=5") as answer:
        names = [json.loads(await answer.content.readline())["object"]["metadata"]["name"] for _ in range(2)]
        assert names == ["a", "b"]
    async with http.session.get(f"{http.server.url}{old}/b?timeoutSeconds=5") as answer:
        assert json.loads(await answer.content.readline())["object"]["metadata"]["name"] == "b"
    async with http.session.get(f"{http.server.url}/api/v1/watch/configmaps?timeoutSeconds=5") as answer:
        assert answer.status == 200


async def test_too_old_is_an_error_event_for_whoever_resumes(forgetful: Server) -> None:
    async with connected(forgetful) as http:
        start = await rev(http, PATH)
        async with asyncio.timeout(15):
            while True:
                await http("POST", PATH, config_map("a"))
                await http("DELETE", f"{PATH}/a")
                async with watching(http, PATH, resourceVersion=start, timeoutSeconds="1") as watch:
                    event = await watch.next()
                    assert watch.status == 200
                    if event["type"] == "ERROR":
                        break
                await asyncio.sleep(0.2)
        status = event["object"]
        assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
        assert status["message"].startswith(f"too old resource version: {start} (")
        for version in ("", "0"):  # these never grow old
            async with watching(http, PATH, resourceVersion=version, timeoutSeconds="1") as watch:
                assert watch.status == 200


class Reflector:
    """client-go's way: a streaming list, then resume; after a 410 all over again."""

    def __init__(self, chooser: random.Random) -> None:
        self.state: dict[str, str] = {}
        self.rev, self.fresh, self.restarts = "", True, 0
        self._chooser = chooser

    async def some(self, http: Http, *, until: str = "") -> None:
        """Watch a few events, or until a revision is reached, then break the connection."""
        found: dict[str, str] = {}
        left = 10**9 if until else self._chooser.randrange(1, 30)
        query = "&".join(f"{name}={value}" for name, value in INITIAL.items()) if self.fresh else (
            f"resourceVersion={self.rev}&allowWatchBookmarks=true"
        )  # fmt: skip
        url = f"{http.server.url}{PATH}?watch=1&timeoutSeconds=2&{query}"
        async with http.session.get(url) as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    assert event["object"]["code"] == 410
                    self.fresh, self.restarts = True, self.restarts + 1
                    return
                self._take(event, found)
                left -= 1
                if not self.fresh and (left <= 0 or (until and int(self.rev) >= int(until))):
                    return

    def _take(self, event: Any, found: dict[str, str]) -> None:
        meta, target = event["object"]["metadata"], found if self.fresh else self.state
        if event["type"] == "BOOKMARK":
            if "annotations" in meta:
                self.state, self.fresh = found, False
        elif event["type"] == "DELETED":
            del target[meta["name"]]
        else:
            target[meta["name"]] = event["object"]["data"]["n"]
        if not self.fresh:
            self.rev = meta["resourceVersion"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_happens_a_reflector_ends_with_the_list(forgetful: Server, seed: int) -> None:
    """Random disconnects, compaction all the time, two restarts (one of them with -9)."""
    chooser = random.Random(seed)
    reflectors, done = [Reflector(random.Random(seed * 10 + number)) for number in range(3)], asyncio.Event()
    ready = asyncio.Event()

    async def write() -> None:
        for turn in range(3):
            async with connected(forgetful) as http:
                ready.set()
                for number in range(120):
                    name = f"c{chooser.randrange(15)}"
                    code, _ = await http("POST", PATH, config_map(name, n=f"{turn}.{number}"))
                    if code == 409 and chooser.random() < 0.5:
                        await http("DELETE", f"{PATH}/{name}")
                    elif code == 409:
                        await http("PUT", f"{PATH}/{name}", config_map(name, n=f"{turn}.{number}"))
            if turn < 2:
                ready.clear()
                await asyncio.to_thread(forgetful.end, 9 if turn else 15)
                await asyncio.to_thread(forgetful.start)
        done.set()

    async def reflect(reflector: Reflector) -> None:
        while not done.is_set():
            await ready.wait()
            try:
                async with connected(forgetful) as http:
                    await reflector.some(http)
                    await asyncio.sleep(reflector._chooser.choice([0, 0, 0.01, 0.8]))
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.02)

    await asyncio.gather(write(), *map(reflect, reflectors))
    async with connected(forgetful) as http:
        await http("POST", PATH, config_map("end", n="end"))
        listed = (await http("GET", PATH))[1]["items"]
        end = max(listed, key=lambda item: int(item["metadata"]["resourceVersion"]))["metadata"]["resourceVersion"]
        for reflector in reflectors:
            async with asyncio.timeout(20):
                while reflector.fresh or int(reflector.rev or 0) < int(end):
                    await reflector.some(http, until=end)
            assert reflector.state == {item["metadata"]["name"]: item["data"]["n"] for item in listed}
