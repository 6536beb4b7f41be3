"""Acknowledged means durable: the server is killed with -9 under load, again and again, and nothing acknowledged is
lost; a watcher that resumes from what it saw last misses nothing and sees nothing twice.

`make crash ROUNDS=300` runs the same for longer.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .conftest import SOON, Http, Server, config_map, connected

ROUNDS = int(os.environ.get("DOVETAIL_CRASH_ROUNDS", "8"))
WORKERS = 8
PATH = "/api/v1/namespaces/default/configmaps"


class Ledger:
    """What was acknowledged, per name; and what was under way when the server died (either outcome is right)."""

    def __init__(self) -> None:
        self.sure: dict[str, str | None] = {}
        self.open: dict[str, set[str | None]] = {}
        self.written = 0

    def begin(self, name: str, value: str | None) -> None:
        self.open.setdefault(name, {self.sure.get(name)}).add(value)

    def acknowledge(self, name: str, value: str | None) -> None:
        self.sure[name] = value
        self.open.pop(name, None)

    def check(self, found: dict[str, str]) -> None:
        for name in {*self.sure, *self.open, *found}:
            allowed = self.open.get(name, {self.sure.get(name)})
            assert found.get(name) in allowed, name
            self.acknowledge(name, found.get(name))


async def worker(http: Http, ledger: Ledger, number: int, chooser: random.Random) -> None:
    """Create, change and delete its own objects until the server is gone."""
    count = 0
    while True:
        count += 1
        name, value = f"w{number}-{chooser.randrange(6)}", f"{number}.{count}"
        if ledger.sure.get(name) is None:
            ledger.begin(name, value)
            code, _ = await http("POST", PATH, config_map(name, v=value))
            assert code == 201
        elif chooser.random() < 0.3:
            ledger.begin(name, value := None)
            code, _ = await http("DELETE", f"{PATH}/{name}")
            assert code == 200
        else:
            ledger.begin(name, value)
            change: Any = {"data": {"v": value}}
            code, _ = await http("PATCH", f"{PATH}/{name}", change, content_type="application/merge-patch+json")
            assert code == 200
        ledger.acknowledge(name, value)
        ledger.written += 1


async def progress(ledger: Ledger, writes: int) -> None:
    """Until so many more writes are acknowledged, however slow the machine is."""
    wanted = ledger.written + writes
    async with asyncio.timeout(SOON):
        while ledger.written < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


class Follower:
    """A watcher that lists once and from then on only resumes, whatever happens to the server."""

    def __init__(self) -> None:
        self.state: dict[str, str] = {}
        self.rev = 0
        self.events = 0

    def start(self, listed: Any) -> None:
        self.state = {item["metadata"]["name"]: item["data"]["v"] for item in listed["items"]}
        self.rev = int(listed["metadata"]["resourceVersion"])

    async def follow(self, http: Http) -> None:
        query = f"watch=1&resourceVersion={self.rev}&allowWatchBookmarks=true&timeoutSeconds=60"
        async with http.session.get(f"{http.server.url}{PATH}?{query}") as answer:
            async for line in answer.content:
                self.take(json.loads(line))

    def take(self, event: Any) -> None:
        kind, obj = event["type"], event["object"]
        assert kind != "ERROR", event
        rev = int(obj["metadata"]["resourceVersion"])
        assert rev >= self.rev
        if kind == "BOOKMARK":
            self.rev = rev
            return
        name = obj["metadata"]["name"]
        assert rev > self.rev, "an event came twice"
        assert (kind == "ADDED") == (name not in self.state), (event, self.state)
        if kind == "DELETED":
            del self.state[name]
        else:
            self.state[name] = obj["data"]["v"]
        self.rev, self.events = rev, self.events + 1

    async def catch_up(self, http: Http, rev: int) -> None:
        """Everything that was committed up to ``rev`` of this resource."""
        task = asyncio.create_task(self.follow(http))
        async with asyncio.timeout(20):
            while self.rev < rev and not task.done():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        task.cancel()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        assert not isinstance(end, AssertionError), end


def newest(listed: Any, follower: Follower) -> int:
    """The revision that a follower must reach: of the newest object that is there."""
    return max([int(item["metadata"]["resourceVersion"]) for item in listed["items"]] + [follower.rev])


@pytest.mark.timeout(60 + 5 * ROUNDS)
async def test_kill_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """With compaction going on all the time, and a watcher that lives through all of it."""
    server = Server(tmp_path, options=("--upkeep-seconds", "0.05", "--keep-seconds", "5"))
    await asyncio.to_thread(server.start)
    ledger, follower, chooser = Ledger(), Follower(), random.Random(11)
    last = 0
    try:
        for turn in range(ROUNDS):
            async with connected(server) as http:
                listed = (await http("GET", PATH))[1]
                ledger.check({item["metadata"]["name"]: item["data"]["v"] for item in listed["items"]})
                assert int(listed["metadata"]["resourceVersion"]) >= last
                last = int(listed["metadata"]["resourceVersion"])
                if turn == 0:
                    follower.start(listed)
                following = asyncio.create_task(follower.follow(http))
                workers = [asyncio.create_task(worker(http, ledger, n, chooser)) for n in range(WORKERS)]
                await progress(ledger, chooser.randrange(2, 80))
                await asyncio.to_thread(server.end, signal.SIGKILL)
                results = await asyncio.gather(following, *workers, return_exceptions=True)
                assert all(isinstance(result, (aiohttp.ClientError, OSError)) for result in results[1:]), results
                assert results[0] is None or isinstance(results[0], (aiohttp.ClientError, OSError)), results
            await asyncio.to_thread(server.start)
        async with connected(server) as http:
            listed = (await http("GET", PATH))[1]
            ledger.check(found := {item["metadata"]["name"]: item["data"]["v"] for item in listed["items"]})
            await http("POST", PATH, config_map("end", v="end"))
            await follower.catch_up(http, newest((await http("GET", PATH))[1], follower))
            assert follower.state == found | {"end": "end"}
            assert follower.events > ROUNDS
    finally:
        await asyncio.to_thread(server.end)
    assert "Traceback" not in (tmp_path / "log").read_text()


async def test_a_watch_resumes_after_a_restart_and_definitions_are_served_again(own_server: Server) -> None:
    async with connected(own_server) as http:
        start = (await http("GET", PATH))[1]["metadata"]["resourceVersion"]
        names = {"plural": "toys", "kind": "Toy"}
        versions = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]
        spec = {"group": "a.example", "scope": "Cluster", "names": names, "versions": versions}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "toys.a.example"},
            "spec": spec,
        }
        assert (await http("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd))[0] == 201
        await http("POST", PATH, config_map("a"))
    config = own_server.kubeconfig.read_text()
    await asyncio.to_thread(own_server.end, signal.SIGKILL)
    await asyncio.to_thread(own_server.start)
    assert own_server.kubeconfig.read_text() == config
    async with connected(own_server) as http:
        assert (
            await http(
                "POST",
                "/apis/a.example/v1/toys",
                {"apiVersion": "a.example/v1", "kind": "Toy", "metadata": {"name": "t"}},
            )
        )[0] == 201
        async with http.session.get(
            f"{own_server.url}{PATH}?watch=1&resourceVersion={start}&timeoutSeconds=5"
        ) as watch:
            assert b'"name":"a"' in await watch.content.readline()


@pytest.mark.parametrize("same", ["data", "port"])
def test_a_second_server_says_why_it_cannot_start(own_server: Server, tmp_path: Path, same: str) -> None:
    folder = own_server.data_dir if same == "data" else tmp_path / "other"
    folder.mkdir(exist_ok=True)
    port = "0" if same == "data" else str(own_server.port)
    command = [sys.executable, "-m", "dovetail.embedded.apiserver", "--data-dir", str(folder), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    told = "is in use by another process" if same == "data" else f"cannot listen on 127.0.0.1:{own_server.port}"
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    if same == "port":
        assert not (folder / "kubeconfig").exists()
