"""The verbs as they look on the wire, and answers as they come."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dovetail.kube import (
    CONFIGMAPS,
    NAMESPACES,
    ApiError,
    BadRequest,
    Client,
    ClusterConfig,
    ConfigError,
    Conflict,
    InvalidPath,
    NotFound,
    RequestTimeout,
    ServerError,
    TooManyRequests,
    Unreachable,
    UnreadableAnswer,
)
from dovetail.kube.transport import Request
from tests.kube.canned import Answer, Seen, canned, configmap, failure, listing

PATH = "/api/v1/namespaces/default/configmaps"


async def echo(seen: Seen, answer: Answer) -> None:
    await answer.json(configmap("a", 1))


async def said(call: Callable[[Client], Awaitable[Any]]) -> Seen:
    async with canned(echo) as server, server.client() as client:
        await call(client)
        return server.seen[-1]


async def test_get_and_its_headers() -> None:
    seen = await said(lambda c: c.get(CONFIGMAPS, "a", "default"))
    assert (seen.method, seen.target, seen.body) == ("GET", f"{PATH}/a", b"")
    assert seen.header("accept") == ["application/json"]
    assert seen.header("user-agent") == ["dovetail"]


async def test_create() -> None:
    obj = configmap("a", 1)
    seen = await said(lambda c: c.create(CONFIGMAPS, obj, dry_run=True, field_manager="m"))
    assert (seen.method, seen.path, seen.query) == ("POST", PATH, {"dryRun": "All", "fieldManager": "m"})
    assert seen.json() == obj
    assert seen.header("content-type") == ["application/json"]
    seen = await said(lambda c: c.create(CONFIGMAPS, {"metadata": {"name": "a"}}, "default", subresource="token"))
    assert seen.path == f"{PATH}/a/token"
    with pytest.raises(InvalidPath):
        await said(lambda c: c.create(CONFIGMAPS, {"metadata": {"name": "a"}}))


async def test_update() -> None:
    seen = await said(lambda c: c.update(CONFIGMAPS, configmap("a", 7), subresource="status"))
    assert (seen.method, seen.path) == ("PUT", f"{PATH}/a/status")
    assert seen.json()["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("content", "kind", "patch"),
    [
        ("merge", "application/merge-patch+json", {"data": {"a": None}}),
        ("json", "application/json-patch+json", [{"op": "remove", "path": "/data/a"}]),
        ("strategic", "application/strategic-merge-patch+json", {"data": {}}),
    ],
)
async def test_patch(content: Any, kind: str, patch: Any) -> None:
    seen = await said(lambda c: c.patch(CONFIGMAPS, "a", patch, "default", content=content))
    assert (seen.method, seen.target, seen.json()) == ("PATCH", f"{PATH}/a", patch)
    assert seen.header("content-type") == [kind]


async def test_apply() -> None:
    intent = {"metadata": {"name": "a", "namespace": "default"}, "data": {"x": "y"}}
    seen = await said(lambda c: c.apply(CONFIGMAPS, intent, field_manager="m", force=True))
    assert (seen.method, seen.path, seen.query) == ("PATCH", f"{PATH}/a", {"fieldManager": "m", "force": "true"})
    assert seen.json() == {"apiVersion": "v1", "kind": "ConfigMap", **intent}
    assert seen.header("content-type") == ["application/apply-patch+yaml"]


async def test_delete() -> None:
    seen = await said(
        lambda c: c.delete(
            CONFIGMAPS, "a", "default", propagation="Orphan", uid="u", resource_version="3", grace_period=0
        )
    )
    assert (seen.method, seen.target) == ("DELETE", f"{PATH}/a")
    assert seen.json() == {
        "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Orphan", "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u", "resourceVersion": "3"},
    }  # fmt: skip
    seen = await said(lambda c: c.delete_collection(CONFIGMAPS, "default", label_selector="a=b"))
    assert (seen.method, seen.path, seen.query) == ("DELETE", PATH, {"labelSelector": "a=b"})


async def test_lists_follow_their_pages_and_complete_their_items() -> None:
    pages = {"": listing(5, configmap("a", 1), token="more"), "more": listing(5, {"metadata": {"name": "b"}})}

    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.json(pages[seen.query.get("continue", "")])

    async with canned(respond) as server, server.client() as client:
        found = await client.list(CONFIGMAPS, label_selector="a in (b,c)", field_selector="x=y", limit=1)
        query = {"limit": "1", "labelSelector": "a in (b,c)", "fieldSelector": "x=y"}
        assert [seen.query for seen in server.seen] == [query, query | {"continue": "more"}]
    assert [item["metadata"]["name"] for item in found.items] == ["a", "b"]
    assert [(item["apiVersion"], item["kind"]) for item in found.items] == [("v1", "ConfigMap")] * 2
    assert found.resource_version == "5"


async def test_a_page_that_expired_means_one_list_without_pages() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        if "continue" in seen.query:
            await answer.json(failure(410, "Expired"), 410)
        elif "limit" in seen.query:
            await answer.json(listing(5, configmap("a", 1), token="more"))
        else:
            await answer.json(listing(9, configmap("b", 2), configmap("c", 3)))

    async with canned(respond) as server, server.client() as client:
        found = await client.list(CONFIGMAPS)
    assert [item["metadata"]["name"] for item in found.items] == ["b", "c"]
    assert found.resource_version == "9"


async def test_metadata_only_also_from_a_server_that_cannot() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.json(listing(5, configmap("a", 1, x="y")))

    async with canned(respond) as server, server.client() as client:
        found = await client.list(CONFIGMAPS, metadata_only=True)
        assert "as=PartialObjectMetadataList" in server.seen[0].header("accept")[0]
    assert sorted(found.items[0]) == ["apiVersion", "kind", "metadata"]


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (404, failure(404, "NotFound", 'configmaps "a" not found'), NotFound, "not found"),
        (409, failure(409, "Conflict"), Conflict, "409 Conflict"),
        (400, failure(0, "", "odd"), BadRequest, "odd"),
        (502, b"<html>bad gateway</html>", ServerError, "bad gateway"),
        (418, b"", ApiError, "was refused"),
        (301, b"", ApiError, "was refused"),
        (503, {"kind": "Other"}, ServerError, "was refused"),
    ],
)
async def test_refusals(status: int, body: Any, expected: type[ApiError], words: str) -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        if isinstance(body, bytes):
            await answer.raw(body, status)
        else:
            await answer.json(body, status)

    async with canned(respond) as server, server.client() as client:
        with pytest.raises(expected, match=words) as caught:
            await client.get(CONFIGMAPS, "a", "default")
    assert caught.value.code == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1"])
async def test_answers_that_are_no_objects(body: bytes) -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.raw(body)

    async with canned(respond) as server, server.client() as client:
        with pytest.raises(UnreadableAnswer):
            await client.get(CONFIGMAPS, "a", "default")


async def test_too_many_requests_waits_as_told_and_gives_up_at_last() -> None:
    answers = 0

    async def respond(seen: Seen, answer: Answer) -> None:
        nonlocal answers
        answers += 1
        if answers == 2:
            await answer.json(configmap("a", 1))
        else:
            await answer.json(failure(429, "TooManyRequests"), 429, Retry_After="0")

    async with canned(respond) as server, server.client() as client:
        await client.get(CONFIGMAPS, "a", "default")
        assert answers == 2
        with pytest.raises(TooManyRequests):
            await client.get(CONFIGMAPS, "a", "default")
        assert answers == 6


async def test_every_request_has_a_timeout() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.hang()

    async with canned(respond) as server, Client(ClusterConfig(server.url), timeout=0.2) as client:
        with pytest.raises(RequestTimeout, match=r"0\.2 s"):
            await client.get(CONFIGMAPS, "a", "default")
        with pytest.raises(RequestTimeout):
            await client.request("POST", "/x", body=b"y", timeout=0.1)


async def test_nobody_there_and_cut_in_the_middle() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.chunk(b'{"a":')
        answer.cut()

    async with canned(respond) as server, server.client() as client:
        with pytest.raises(Unreachable):
            await client.get(CONFIGMAPS, "a", "default")
    async with server.client() as client:
        with pytest.raises(Unreachable, match=server.url):
            await client.get(CONFIGMAPS, "a", "default")


async def test_answers_have_a_largest_size() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        if seen.path == "/known":
            await answer.raw(b"x" * 1000)
        else:
            await answer.start()
            for _ in range(10):
                await answer.chunk(b"x" * 100)
            await answer.end()

    async with canned(respond) as server, server.client() as client:
        assert len((await client.request("GET", "/unknown")).body) == 1000
        transport = client._transport
        for path in ("/known", "/unknown"):
            with pytest.raises(UnreadableAnswer, match="999"):
                await transport.send(Request("GET", path), 5.0, limit=999)


async def test_raw_requests_raise_nothing_and_keep_the_path() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.raw(b"no", 404, X_Thing="1", x_thing="2")

    async with canned(respond) as server, server.client() as client:
        got = await client.request("PUT", "/a%2Fb/c?d=%20e", body={"x": 1}, headers={"Content-Type": "text/x"})
        assert (got.status, got.body, got.headers["x-thing"]) == (404, b"no", "1, 2")
        seen = server.seen[0]
        assert (seen.target, seen.body, seen.header("content-type")) == ("/a%2Fb/c?d=%20e", b'{"x":1}', ["text/x"])
        await client.request("GET", "/p", query=[("a", "1"), ("a", "x&y")])
        assert server.seen[1].target == "/p?a=1&a=x%26y"


async def test_streams_arrive_piece_by_piece() -> None:
    go_on = asyncio.Event()

    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.start()
        await answer.chunk(b"one")
        await go_on.wait()
        await answer.chunk(b"two")
        await answer.end()

    async with canned(respond) as server, server.client() as client:
        async with client.stream("GET", "/log") as stream:
            pieces = stream.chunks()
            assert await anext(pieces) == b"one"
            go_on.set()
            assert [piece async for piece in pieces] == [b"two"]
        assert stream.status == 200
        go_on.clear()
        async with client.stream("GET", "/log", idle=0.2) as stream:
            pieces = stream.chunks()
            assert await anext(pieces) == b"one"
            with pytest.raises(RequestTimeout):
                await anext(pieces)


async def test_impersonation_shares_connections_and_nothing_else() -> None:
    async with canned(echo) as server, server.client(token="t") as client:
        view = client.impersonate("jane", ["g1", "g2"], uid="7", extra={"Scopes/x": ["a", "b"]})
        await view.get(NAMESPACES, "n")
        await client.get(NAMESPACES, "n")
        first, second = server.seen
        assert first.header("impersonate-user") == ["jane"]
        assert first.header("impersonate-group") == ["g1", "g2"]
        assert first.header("impersonate-uid") == ["7"]
        assert first.header("impersonate-extra-scopes%2fx") == ["a", "b"]
        assert first.header("authorization") == second.header("authorization") == ["Bearer t"]
        assert second.header("impersonate-user") == []
        with pytest.raises(ConfigError, match="control characters"):
            client.impersonate("jane\r\nX: y")
        with pytest.raises(ConfigError, match="no user"):
            client.impersonate("", ["g"])


async def test_impersonation_of_the_kubeconfig() -> None:
    async with canned(echo) as server, server.client(impersonate_user="jane", impersonate_groups=("g",)) as client:
        await client.get(NAMESPACES, "n")
        assert server.seen[0].header("impersonate-group") == ["g"]


async def test_requests_are_observed() -> None:
    told: list[tuple[str, str, int]] = []
    async with canned(echo) as server:
        observer = lambda method, path, status, seconds: told.append((method, path, status))  # noqa: E731
        async with Client(ClusterConfig(server.url), observer=observer) as client:
            await client.get(NAMESPACES, "n")
    async with Client(ClusterConfig(server.url), observer=observer) as client:
        with pytest.raises(Unreachable):
            await client.get(NAMESPACES, "n")
    assert told == [("GET", "/api/v1/namespaces/n", 200), ("GET", "/api/v1/namespaces/n", 0)]


async def test_a_closed_connection_of_the_pool_costs_nothing() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.json(configmap("a", 1))
        answer.cut()

    async with canned(respond) as server, server.client() as client:
        for _ in range(20):
            await client.get(CONFIGMAPS, "a", "default")
