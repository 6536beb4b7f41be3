"""The parts of `ksbuilder dev` and `ksbuilder test` that need no platform."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from dovetail.cli.ksbuilder import development, processes
from dovetail.cli.ksbuilder.development import Development, Reporter, scripts_of
from dovetail.cli.ksbuilder.errors import DevelopmentFailed
from dovetail.kube import Client
from dovetail.packaging import Package, build, read_directory, read_package

from .command import SAMPLES, refusal

FALSE = [{"status": "False", "message": "the old fault", "lastTransitionTime": "1"}]


def status(state: str, target: str = "", digest: str = "") -> dict[str, Any]:
    """A plan's status."""
    return {"state": state, "operation": {"target": target, "digest": digest}, "conditions": FALSE}


class Plans:
    """A client that knows one plan, which goes through these states and stays at the last."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self._states = list(states)

    async def get(self, *_: object) -> dict[str, Any]:
        return {"status": self._states.pop(0) if len(self._states) > 1 else self._states[0]}


@pytest.fixture
def greeter() -> Package:
    return read_package(build(read_directory(SAMPLES / "greeter")).data)


async def wait(package: Package, failed: str, *states: dict[str, Any]) -> None:
    """Wait until the package is in force."""
    client = cast("Client", Plans(*states))
    session = Development(client, SAMPLES / "greeter", Reporter(as_json=True), None, None)
    await session._in_force(package, failed)  # pyright: ignore[reportPrivateUsage]


async def test_the_failure_of_the_last_try_is_not_that_of_this_one(greeter: Package) -> None:
    old, new = status("UpgradeFailed", "one"), status("Installed", "two", f"sha256:{greeter.digest}")
    await wait(greeter, "one", old, old, status("Upgrading", "two"), new)
    with pytest.raises(DevelopmentFailed, match="greeter UpgradeFailed: the old fault"):
        await wait(greeter, "one", old, status("UpgradeFailed", "two"))


async def test_a_failure_that_stays_is_told(greeter: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(development, "_NOTICED", 0.2)
    with pytest.raises(DevelopmentFailed, match="the old fault"):
        await wait(greeter, "one", status("UpgradeFailed", "one"))


def test_a_broken_package_json(tmp_path: Path) -> None:
    assert scripts_of(tmp_path) == {}
    (tmp_path / "frontend").mkdir()
    manifest = tmp_path / "frontend/package.json"
    for text in ("[]", "{}", '{"scripts": 1}'):
        manifest.write_text(text)
        assert scripts_of(tmp_path) == {}
    manifest.write_text("{")
    assert "package.json is not JSON" in refusal("test", tmp_path, "--no-install", cwd=tmp_path)


def lives(pid: int) -> bool:
    """Whether a process is there and not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_processes_end_with_their_children(tmp_path: Path) -> None:
    code = "import os, time; print(os.fork(), flush=True); time.sleep(600)"
    with (tmp_path / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=said, start_new_session=True)
    while b"\n0\n" not in b"\n" + (tmp_path / "said").read_bytes():  # noqa: ASYNC110, the child has no other way
        await asyncio.sleep(0.01)
    child = max(int(line) for line in (tmp_path / "said").read_text().split())
    await processes.end(process)
    while lives(child):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_process_that_does_not_listen_is_ended(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(600)"
    process = await processes.start(sys.executable, "-c", code, cwd=tmp_path)
    while not ready.exists():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    await processes.end(process, patience=0.1)
    assert process.returncode == -9


async def test_a_program_is_ended_with_who_runs_it(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    code = f"import os, time; open({str(ready)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.create_task(processes.run(sys.executable, "-c", code, cwd=tmp_path))
    while not (ready.exists() and ready.read_text()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(ready.read_text()), 0)
