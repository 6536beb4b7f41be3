"""Acknowledged means durable: the server is killed with -9 under load, again and again, and nothing acknowledged is
lost.
"""

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .conftest import Http, Server, config_map, connected

ROUNDS = 8
PATH = "/api/v1/namespaces/default/configmaps"


class Ledger:
    """What was acknowledged, per name; and what was under way when the server died (either outcome is right)."""

    def __init__(self) -> None:
        self.sure: dict[str, str | None] = {}
        self.open: dict[str, set[str | None]] = {}

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


async def test_kill_nine_loses_nothing_that_was_acknowledged(own_server: Server) -> None:
    ledger, chooser = Ledger(), random.Random(11)
    written = last = 0
    for _ in range(ROUNDS):
        async with connected(own_server) as http:
            listed = (await http("GET", PATH))[1]
            ledger.check({item["metadata"]["name"]: item["data"]["v"] for item in listed["items"]})
            assert int(listed["metadata"]["resourceVersion"]) >= last
            workers = [asyncio.create_task(worker(http, ledger, n, chooser)) for n in range(8)]
            await asyncio.sleep(chooser.uniform(0.02, 0.25))
            await asyncio.to_thread(own_server.end, signal.SIGKILL)
            results = await asyncio.gather(*workers, return_exceptions=True)
            assert all(isinstance(result, (aiohttp.ClientError, OSError)) for result in results), results
            written += len(ledger.sure)
            last = int(listed["metadata"]["resourceVersion"])
        await asyncio.to_thread(own_server.start)
    assert written > ROUNDS
    async with connected(own_server) as http:
        listed = (await http("GET", PATH))[1]
    ledger.check({item["metadata"]["name"]: item["data"]["v"] for item in listed["items"]})


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
