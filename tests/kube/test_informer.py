"""An informer's cache and its handlers agree with the server, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dovetail.kube import CONFIGMAPS, Client, ClusterConfig, Informer, NotSynced, key_of
from tests.kube.canned import Answer, Seen, canned, configmap, eventually, failure, listing

Watcher = Callable[[Answer], Awaitable[None]]


class Script:
    """Answers lists and watches in the order given; the last watch of all stays open."""

    def __init__(self, lists: list[Any], watches: list[Watcher]) -> None:
        self.lists, self.watches = lists, watches
        self.versions: list[str] = []

    async def __call__(self, seen: Seen, answer: Answer) -> None:
        if not seen.is_watch:
            body = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            await answer.json(body, body.get("code", 200))
            return
        self.versions.append(seen.query.get("resourceVersion", ""))
        if self.watches:
            await self.watches.pop(0)(answer)
        else:
            await answer.start()
            await answer.hang()


def events(*told: tuple[str, Any], end: str = "end") -> Watcher:
    async def watch(answer: Answer) -> None:
        await answer.start()
        for type_, obj in told:
            await answer.event(type_, obj)
        if end == "cut":
            await asyncio.sleep(0.05)
            answer.cut()
        elif end == "truncate":
            await answer.chunk(b'{"type":')
            await answer.end()
        elif end == "hang":
            await answer.hang()
        else:
            await answer.end()

    return watch


class Told:
    """A handler that remembers."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, str, str]] = []

    def __call__(self, type: str, old: Any, new: Any) -> None:
        assert (old is None) == (type == "ADDED")
        self.changes.append((type, key_of(new).name, new["metadata"]["resourceVersion"]))


@asynccontextmanager
async def running(
    script: Callable[[Seen, Answer], Awaitable[None]], **options: Any
) -> AsyncIterator[tuple[Informer, Told]]:
    async with canned(script) as server, server.client() as client:
        informer, told = Informer(client, CONFIGMAPS, **options), Told()
        informer.add_handler(told)
        task = asyncio.create_task(informer.run())
        try:
            yield informer, told
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def names(informer: Informer) -> set[str]:
    return {key_of(obj).name for obj in informer.lister}


async def test_list_then_watch_then_watch_again_from_the_last_version() -> None:
    first = events(("ADDED", configmap("b", 6)), ("MODIFIED", configmap("a", 7)), ("DELETED", configmap("b", 8)))
    bookmark = events(("BOOKMARK", {"metadata": {"resourceVersion": "20"}}))
    script = Script([listing(5, configmap("a", 1))], [first, bookmark])
    async with running(script) as (informer, told):
        await informer.wait_synced(5)
        await eventually(lambda: len(script.versions) == 3)
        assert script.versions == ["5", "8", "20"]
        assert told.changes == [("ADDED", "a", "1"), ("ADDED", "b", "6"), ("MODIFIED", "a", "7"), ("DELETED", "b", "8")]
        assert names(informer) == {"a"}
        assert informer.problem is None


@pytest.mark.parametrize("end", ["cut", "truncate"])
async def test_a_broken_watch_goes_on_without_a_new_list(end: str) -> None:
    script = Script([listing(5), failure(500, "InternalError")], [events(("ADDED", configmap("a", 6)), end=end)])
    async with running(script) as (_, told):
        await eventually(lambda: len(script.versions) == 2)
        assert script.versions == ["5", "6"]
        assert told.changes == [("ADDED", "a", "6")]


async def test_410_lists_again_and_tells_what_was_missed() -> None:
    lists = [
        listing(5, configmap("kept", 1), configmap("gone", 2), configmap("changed", 3), configmap("again", 4, uid="1")),
        listing(
            50, configmap("kept", 1), configmap("changed", 40), configmap("new", 41), configmap("again", 42, uid="2")
        ),
    ]
    script = Script(lists, [events(("ERROR", failure(410, "Expired")))])
    async with running(script) as (informer, told):
        await eventually(lambda: len(script.versions) == 2)
        assert script.versions == ["5", "50"]
        assert set(told.changes[4:]) == {
            ("DELETED", "gone", "2"), ("MODIFIED", "changed", "40"), ("ADDED", "new", "41"),
            ("DELETED", "again", "4"), ("ADDED", "again", "42"),
        }  # fmt: skip
        assert names(informer) == {"kept", "changed", "new", "again"}


async def test_a_server_whose_data_was_replaced_is_listed_again() -> None:
    lists = [listing(50, configmap("a", 40)), listing(9, configmap("b", 8))]
    script = Script(lists, [events(("BOOKMARK", {"metadata": {"resourceVersion": "9"}}), end="hang")])
    async with running(script) as (informer, _):
        await eventually(lambda: script.versions == ["50", "9"])
        assert names(informer) == {"b"}


async def test_an_event_that_cannot_be_read_leads_to_a_new_list() -> None:
    async def garbage(answer: Answer) -> None:
        await answer.start()
        await answer.chunk(b"what?\n")
        await answer.end()

    script = Script([listing(5), listing(9, configmap("a", 8))], [garbage])
    async with running(script) as (informer, _):
        await eventually(lambda: script.versions == ["5", "9"])
        assert names(informer) == {"a"}


async def test_until_the_first_list_succeeds_it_is_not_synced() -> None:
    script = Script([failure(500, "InternalError"), failure(403, "Forbidden"), listing(5, configmap("a", 1))], [])
    async with running(script) as (informer, _):
        with pytest.raises(NotSynced, match="configmaps"):
            await informer.wait_synced(0.01)
        assert not informer.synced
        await informer.wait_synced(10)
        assert names(informer) == {"a"}


async def test_a_resource_that_does_not_exist_yet_and_then_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.kube.informer.ABSENT_POLL", 0.02)
    missing = failure(404, "NotFound")
    stages: list[Any] = [missing]
    watching = asyncio.Event()

    async def respond(seen: Seen, answer: Answer) -> None:
        body = stages[0]
        if "code" in body:
            await answer.json(body, body["code"])
        elif seen.is_watch:
            watching.set()
            await answer.start()
            while stages[0] is body:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await answer.end()
        else:
            await answer.json(body)

    async with running(respond, optional=True) as (informer, told):
        await informer.wait_synced(5)
        assert names(informer) == set()
        stages[0] = listing(5, configmap("a", 1))
        await eventually(lambda: names(informer) == {"a"})
        await watching.wait()
        stages[0] = missing
        await eventually(lambda: names(informer) == set())
        assert [change[0] for change in told.changes] == ["ADDED", "DELETED"]
        assert informer.problem is None


async def test_a_missing_resource_that_is_not_optional_is_a_problem() -> None:
    async with running(Script([failure(404, "NotFound")], [])) as (informer, _):
        await eventually(lambda: informer.problem is not None)
        assert not informer.synced


async def test_a_failing_handler_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    script = Script([listing(5, configmap("a", 1))], [events(("ADDED", configmap("b", 6)), end="hang")])
    async with canned(script) as server, server.client() as client:
        informer, told = Informer(client, CONFIGMAPS), Told()
        informer.add_handler(lambda *_: 1 / 0)
        informer.add_handler(told)
        task = asyncio.create_task(informer.run())
        await eventually(lambda: len(told.changes) == 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert "a handler failed on ADDED ConfigMap" in caplog.text


async def test_a_late_handler_hears_of_what_is_there() -> None:
    async with running(Script([listing(5, configmap("a", 1))], [])) as (informer, _):
        await informer.wait_synced(5)
        late = Told()
        informer.add_handler(late)
        assert late.changes == [("ADDED", "a", "1")]


async def test_transform_and_managed_fields(caplog: pytest.LogCaptureFixture) -> None:
    def managed() -> Any:
        obj = configmap("a", 1, x="y")
        obj["metadata"]["managedFields"] = [{}]
        return obj

    async with running(Script([listing(5, managed())], [])) as (informer, _):
        await informer.wait_synced(5)
        assert "managedFields" not in informer.lister.list()[0]["metadata"]
    async with running(Script([listing(5, managed())], []), transform=None) as (informer, _):
        await informer.wait_synced(5)
        assert "managedFields" in informer.lister.list()[0]["metadata"]
    async with running(Script([listing(5, managed())], []), transform=lambda obj: obj["no"]) as (informer, _):
        await informer.wait_synced(5)
        assert informer.lister.list()[0]["data"] == {"x": "y"}
    assert "the transform of configmaps failed on default/a" in caplog.text


async def test_metadata_only() -> None:
    script = Script([listing(5, configmap("a", 1, x="y"))], [events(("ADDED", configmap("b", 6, x="y")), end="hang")])
    async with running(script, metadata_only=True) as (informer, _):
        await eventually(lambda: names(informer) == {"a", "b"})
        assert {tuple(obj) for obj in informer.lister} == {("apiVersion", "kind", "metadata")}


async def test_a_server_that_ends_every_watch_at_once_is_not_hammered() -> None:
    script = Script([listing(5)], [events() for _ in range(1000)])
    async with running(script):
        await asyncio.sleep(1.0)
    assert len(script.versions) <= 8


async def test_resync_reports_everything_again() -> None:
    async with running(Script([listing(5, configmap("a", 1))], []), resync=0.05) as (informer, told):
        await eventually(lambda: len(told.changes) >= 3)
        assert told.changes[1:3] == [("MODIFIED", "a", "1")] * 2
        assert names(informer) == {"a"}


async def test_a_server_that_goes_and_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody listens for a while; the same port then answers with another state."""
    async with canned(Script([listing(5, configmap("a", 1))], [])) as server:
        client = Client(ClusterConfig(server.url))
        informer = Informer(client, CONFIGMAPS)
        task = asyncio.create_task(informer.run())
        await informer.wait_synced(5)
    await eventually(lambda: informer.problem is not None)
    assert names(informer) == {"a"}
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()
