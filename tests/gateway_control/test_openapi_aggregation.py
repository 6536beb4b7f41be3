"""The aggregator against real backends: good, broken, slow, hostile, gone; and what is told of each."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from starlette.applications import Starlette

from dovetail.gateway.openapi import fetching
from dovetail.gateway.openapi.aggregator import Aggregator, Source, Verdict
from dovetail.gateway.openapi.endpoints import OpenApiEndpoints
from dovetail.platform.documents import documents
from dovetail.platform.serve import serve
from dovetail.routing.model import Address, Upstream
from dovetail.routing.upstreams import with_key
from tests.gateway_control.test_openapi import document

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def backend(handle: Handle) -> AsyncIterator[Upstream]:
    """A backend known by a name that only its route resolves."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    try:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        address = Address("127.0.0.1", port)
        yield with_key(Upstream(key="", authority=f"thing.extension.svc:{port}", addresses=(address,)))
    finally:
        await runner.cleanup()


def serving(pages: dict[str, Any]) -> Handle:
    async def handle(request: web.Request) -> web.Response:
        if request.path not in pages:
            return web.Response(status=404)
        page = pages[request.path]
        return page if isinstance(page, web.Response) else web.json_response(page)

    return handle


class Running:
    """An aggregator, its sources, and what it said of them."""

    def __init__(self, refresh: float = 60.0) -> None:
        self.sources: dict[str, Source] = {}
        self.told: dict[str, Verdict] = {}
        self.aggregator = Aggregator("v1", lambda: dict(self.sources), self.told.__setitem__, refresh)
        self.aggregator.describe({"platform": document("platform.io")})

    def add(self, group: str, upstream: Upstream) -> None:
        source = Source(group, group, "v1", upstream)
        self.sources[source.name] = source
        self.aggregator.changed()

    @property
    def names(self) -> set[str]:
        return set(self.aggregator.catalogue.documents) - {"platform"}

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(refresh: float = 60.0) -> AsyncIterator[Running]:
    one = Running(refresh)
    task = asyncio.create_task(one.aggregator.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


async def test_an_index_in_the_manner_of_kubernetes_is_followed() -> None:
    url = "/openapi/v3/kapis/a.io/v1"
    pages = {"/openapi/v3": {"paths": {"kapis/a.io/v1": {"serverRelativeURL": url + "?hash=1"}}}, url: document()}
    async with backend(serving(pages)) as upstream, running() as one:
        one.add("a.io", upstream)
        await one.until(lambda: "kapis/a.io/v1" in one.names)

    assert one.told["a.io"].status == "True"


async def test_an_old_document_will_do_and_so_will_a_whole_one() -> None:
    old = {
        "swagger": "2.0", "paths": {"/kapis/a.io/v1/things": {"get": {"responses": {}}}}
    }  # fmt: skip
    async with (
        backend(serving({"/openapi/v2": old})) as first,
        backend(serving({"/openapi/v3": document("b.io")})) as second,
        running() as one,
    ):
        one.add("a.io", first)
        one.add("b.io", second)
        await one.until(lambda: one.names == {"kapis/a.io/v1", "kapis/b.io/v1"})


async def test_bad_backends_are_told_and_do_not_touch_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_BYTES", 10_000)
    monkeypatch.setattr(fetching, "TIMEOUT", 0.3)

    async def silent(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x" * 1000)
        return response

    elsewhere = {"/openapi/v3": {"paths": {"kapis/g.io/v1": {"serverRelativeURL": "https://evil.example.org/x"}}}}
    moved = web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})
    cases: dict[str, tuple[Handle, str]] = {
        "a.io": (silent, "Unreachable"),
        "b.io": (endless, "TooLarge"),
        "c.io": (serving({"/openapi/v3": web.Response(body=b"{nonsense")}), "NotJSON"),
        "d.io": (serving({"/openapi/v3": {"openapi": "3.0.0", "paths": {}}}), "NoPaths"),
        "e.io": (serving({"/openapi/v3": moved}), "UnexpectedStatus"),
        "f.io": (serving({}), "NotServed"),
        "g.io": (serving(elsewhere), "NotServed"),
    }
    async with contextlib.AsyncExitStack() as stack, running() as one:
        for group, (handle, _) in cases.items():
            one.add(group, await stack.enter_async_context(backend(handle)))
        one.add("z.io", await stack.enter_async_context(backend(serving({"/openapi/v3": document("z.io")}))))
        await one.until(lambda: len(one.told) == len(cases) + 1)

        assert one.names == {"kapis/z.io/v1"}
        assert {group: one.told[group].reason for group in cases} == {group: want for group, (_, want) in cases.items()}
        assert one.told["f.io"].status == "Unknown"
        assert one.told["a.io"].status == "False"


async def test_a_new_document_is_seen_and_a_backend_that_is_away_loses_nothing() -> None:
    pages: dict[str, Any] = {"/openapi/v3": document()}
    asked: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.headers["Host"] + " " + request.headers["X-Remote-User"])
        return await serving(pages)(request)

    async with backend(handle) as upstream, running(refresh=0.05) as one:
        one.add("a.io", upstream)
        await one.until(lambda: one.names == {"kapis/a.io/v1"})
        before = one.aggregator.catalogue.of("kapis/a.io/v1")
        await one.until(lambda: len(asked) > 4)
        assert one.aggregator.catalogue.of("kapis/a.io/v1") is before
        pages["/openapi/v3"] = document(Other={"type": "string"})
        await one.until(lambda: one.aggregator.catalogue.of("kapis/a.io/v1") is not before)
        gone = with_key(Upstream(key="", authority="a:1", addresses=(Address("127.0.0.1", 1),)))
        one.add("a.io", gone)
        await one.until(lambda: one.told["a.io"].reason == "Unreachable")
        assert one.names == {"kapis/a.io/v1"}
        one.sources.clear()
        one.aggregator.changed()
        await one.until(lambda: not one.names)

    assert asked[0] == f"{upstream.authority} system:aggregator"


async def test_what_the_backend_says_is_unchanged_is_not_fetched_again() -> None:
    bodies: list[int] = []
    etag = '"one"'

    async def handle(request: web.Request) -> web.StreamResponse:
        bodies.append(request.headers.get("If-None-Match") != etag)
        if not bodies[-1]:
            return web.Response(status=304)
        return web.json_response(document(Thing={"description": etag}), headers={"ETag": etag})

    async with backend(handle) as upstream, running(refresh=0.05) as one:
        one.add("a.io", upstream)
        await one.until(lambda: len(bodies) > 4)
        assert (sum(bodies), one.names) == (1, {"kapis/a.io/v1"})
        etag = '"two"'
        await one.until(lambda: sum(bodies) == 2)
        await one.until(lambda: "two" in str(one.aggregator.catalogue.documents["kapis/a.io/v1"]))


async def test_it_ends_even_when_something_changes_at_that_very_moment() -> None:
    one = Running()
    task = asyncio.create_task(one.aggregator.run())
    await asyncio.sleep(0.01)  # it waits for the next change
    one.aggregator.changed()
    await asyncio.sleep(0)  # the change has been seen, but the task has not gone on yet
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    assert task in done


@contextlib.asynccontextmanager
async def served(app: Starlette, socket: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of an application on a Unix socket."""
    listening = asyncio.Event()
    task = asyncio.create_task(serve(app, socket, listening.set))
    try:
        async with asyncio.timeout(10):
            await listening.wait()
        async with aiohttp.ClientSession("http://gateway", connector=aiohttp.UnixConnector(str(socket))) as session:
            yield session
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


async def test_the_answers_can_be_kept_by_their_hash(tmp_path: Path) -> None:
    one = Running()
    app = Starlette(routes=list(OpenApiEndpoints(lambda: one.aggregator.catalogue).routes()))
    async with served(app, tmp_path / "s") as session:

        async def get(path: str, **headers: str) -> tuple[int, Any, Mapping[str, str]]:
            async with session.get(path, headers=headers, allow_redirects=False) as answer:
                body = await answer.read()
                return answer.status, orjson.loads(body) if body else None, answer.headers

        _, index, _ = await get("/openapi/v3/kapis")
        url = index["paths"]["platform"]["serverRelativeURL"]
        kept = await get(url)
        again = await get("/openapi/v3/kapis/platform", **{"If-None-Match": kept[2]["etag"]})
        stale = await get("/openapi/v3/kapis/platform?hash=OLD")
        merged = await get("/openapi/v2/kapis")
        missing = await get("/openapi/v3/kapis/no.io/v1")

    assert kept[1] == document("platform.io")
    assert "immutable" in kept[2]["cache-control"]
    assert again[:2] == (304, None)
    assert (stale[0], stale[2]["location"]) == (301, url)
    assert merged[1]["swagger"] == "2.0"
    assert missing[1]["reason"] == "NotFound"


def test_the_platforms_own_documents_name_all_that_it_serves() -> None:
    app = Starlette(routes=list(OpenApiEndpoints(lambda: Running().aggregator.catalogue).routes()))

    (name, own), *_ = documents(app.routes, "v1").items()

    assert name == "platform"
    assert set(own["paths"]) == {"/openapi/v3/kapis", "/openapi/v3/kapis/{name}", "/openapi/v2/kapis"}
    assert all(operation["get"]["summary"] for operation in own["paths"].values())
    assert orjson.dumps(own)
