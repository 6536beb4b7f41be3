"""The store against a model: present, past, watches from any revision, compaction, failed commits, foreign files."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dovetail.embedded.apiserver.errors import Expired, InternalError, StateDamaged, StateLocked
from dovetail.embedded.apiserver.storage import history as history_module
from dovetail.embedded.apiserver.storage import hub as hub_module
from dovetail.embedded.apiserver.storage.database import Database
from dovetail.embedded.apiserver.storage.history import History
from dovetail.embedded.apiserver.storage.hub import Hub
from dovetail.embedded.apiserver.storage.records import DELETED, ObjectKey
from dovetail.embedded.apiserver.storage.store import Store

RESOURCE = "/things"
State = dict[tuple[str, str], bytes]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "state.db")
    yield opened
    opened.close()


def write(store: Store, name: str, value: bytes | None, namespace: str = "n") -> None:
    key = ObjectKey(RESOURCE, namespace, name)
    before = store.latest(key)
    if value is not None:
        store.put(key, value, before)
    elif before is not None:
        store.remove(key, before.value, before)


def as_state(records: list[object]) -> State:
    return {(r.namespace, r.name): r.value for r in records}  # type: ignore[attr-defined]


steps = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from("wxyz"), st.none() | st.binary(max_size=2)), max_size=25
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.integers(1, 3), st.booleans())
def test_every_retained_revision_can_be_listed_and_watched_from(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[str, str, bytes | None]], limit: int, compact: bool
) -> None:
    asyncio.run(_compare(tmp_path_factory.mktemp("db") / "state.db", found, limit, compact))


async def _compare(path: Path, found: list[tuple[str, str, bytes | None]], limit: int, compact: bool) -> None:
    database, clock = Database(path), Clock()
    try:
        store = Store(database, clock)
        history = History(database, store, clock)
        hub = Hub(store, history)
        store.on_commit.append(hub.publish)
        model: State = {}
        states = {store.rev: dict(model)}
        for namespace, name, value in found:
            write(store, name, value, namespace)
            if value is None:
                model.pop((namespace, name), None)
            else:
                model[namespace, name] = value
            store.flush()
            states[store.rev] = dict(model)
            clock.now += 1
        if compact:
            history.compact(keep_seconds=5, keep_rows=100)
        for rev, state in states.items():
            if rev < history.compacted:
                with pytest.raises(Expired):
                    hub.cursor(RESOURCE, rev)
                continue
            assert _paged(history, rev, limit) == state
            assert _watched(hub, rev, state) == model
        assert as_state(list(store.list(RESOURCE).records)) == model
    finally:
        database.close()


def _paged(history: History, rev: int, limit: int) -> State:
    """All pages of a list at a revision, put together."""
    state: State = {}
    after = None
    while True:
        page = history.page_at(RESOURCE, "", rev, after, limit)
        assert len(page.records) <= limit
        state |= as_state(list(page.records))
        after = page.more
        if after is None:
            return state


def _watched(hub: Hub, rev: int, state: State) -> State:
    """A state brought up to date by the changes since its revision."""
    state, cursor = dict(state), hub.cursor(RESOURCE, rev)
    while changes := cursor.take():
        for change in changes:
            place = (change.key.namespace, change.key.name)
            assert change.before == state.get(place)
            if change.event == DELETED:
                del state[place]
            else:
                state[place] = change.value
    return state


async def test_writes_of_one_tick_are_one_commit_and_seen_only_after_it(database: Database) -> None:
    store = Store(database)
    commits: list[int] = []
    store.on_commit.append(lambda changes: commits.append(len(changes)))
    for number in range(5):
        write(store, f"t{number}", b"{}")
    assert store.list(RESOURCE).records == []
    assert store.latest(ObjectKey(RESOURCE, "n", "t4")) is not None
    await store.committed()
    assert commits == [5]
    assert len(store.list(RESOURCE).records) == 5


async def test_when_a_commit_fails_nobody_is_told_it_succeeded(database: Database, tmp_path: Path) -> None:
    store = Store(database)
    write(store, "kept", b"{}")
    await store.committed()
    rev = store.rev
    write(store, "lost", b"{}")
    waiting = asyncio.ensure_future(store.committed())
    database.writer.execute("ROLLBACK")  # what a full disk does to the open transaction
    with pytest.raises(InternalError, match="durable"):
        await waiting
    assert store.rev == rev
    assert [r.name for r in store.list(RESOURCE).records] == ["kept"]
    write(store, "next", b"{}")
    await store.committed()
    assert store.rev == rev + 1


async def test_a_watcher_is_called_after_the_commit_and_after_the_writers(database: Database) -> None:
    store = Store(database)
    hub = Hub(store, History(database, store))
    store.on_commit.append(hub.publish)
    cursor = hub.cursor(RESOURCE, store.rev)
    seen: list[str] = []
    cursor.listen(listener := lambda: seen.extend(change.key.name for change in cursor.take()))
    write(store, "a", b"{}")
    write(store, "b", b"{}")
    assert seen == []
    await store.committed()
    await asyncio.sleep(0)
    assert seen == ["a", "b"]
    cursor.forget(listener)
    write(store, "c", b"{}")
    await store.committed()
    await asyncio.sleep(0)
    assert seen == ["a", "b"]


async def test_hundreds_of_watchers_are_called_in_turns_and_nobody_is_left_out(database: Database) -> None:
    store = Store(database)
    hub = Hub(store, History(database, store))
    store.on_commit.append(hub.publish)
    seen = [0] * 220
    for number in range(220):

        def listener(number: int = number) -> None:
            seen[number] += 1

        hub.cursor(RESOURCE, store.rev).listen(listener)
    write(store, "a", b"{}")
    store.flush()
    await asyncio.sleep(0)
    assert 0 < sum(seen) < 220
    write(store, "b", b"{}")  # while the first round is under way
    store.flush()
    for _ in range(12):
        await asyncio.sleep(0)
    assert set(seen) == {2}


async def test_compaction_in_steps_keeps_what_a_write_in_between_needs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "STEP", 3)
    clock = Clock()
    store = Store(database, clock)
    history = History(database, store, clock)
    for number in range(20):
        write(store, f"t{number % 5}", str(number).encode())
        store.flush()
    start = store.rev
    clock.now += 1000
    steps = history.compaction(keep_seconds=10)
    next(steps)
    write(store, "t4", b"new")  # its predecessor was present when the compaction began
    store.flush()
    assert sum(steps) > 0
    assert history.compacted == start
    changes = history.since(RESOURCE, start, 10)
    assert [(change.key.name, change.value, change.before) for change in changes] == [("t4", b"new", b"19")]
    assert as_state(list(history.page_at(RESOURCE, "", start, None, 0).records))["n", "t4"] == b"19"


async def test_a_slow_watcher_reads_from_the_log_what_the_ring_has_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "RING", 4)
    monkeypatch.setattr(hub_module, "BATCH", 3)
    store = Store(database)
    hub = Hub(store, History(database, store))
    store.on_commit.append(hub.publish)
    cursor = hub.cursor(RESOURCE, store.rev)
    for number in range(20):
        write(store, f"t{number}", b"{}")
    store.flush()
    names: list[str] = []
    while changes := cursor.take():
        names += [change.key.name for change in changes]
    assert names == [f"t{number}" for number in range(20)]


async def test_the_revision_never_goes_back_even_when_all_rows_are_compacted(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", Clock()
    database = Database(path)
    store = Store(database, clock)
    write(store, "a", b"{}")
    store.flush()
    write(store, "a", None)
    store.flush()
    rev = store.rev
    clock.now += 1000
    assert History(database, store, clock).compact() == 2
    database.close()
    database = Database(path)
    assert Store(database).rev == rev
    database.close()


def test_a_database_in_use_is_refused(database: Database) -> None:
    with pytest.raises(StateLocked, match="in use by another process"):
        Database(database.path)


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"this is not a database" * 100)
    with pytest.raises(StateDamaged, match="cannot be used: it is not a database"):
        Database(path)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    with pytest.raises(StateDamaged, match="another program"):
        Database(path)
    path.unlink()
    Database(path).close()  # the refusal held no lock
