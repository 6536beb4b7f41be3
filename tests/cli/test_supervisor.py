"""The supervisor: readiness, restarts, and nobody left behind, with real processes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.cli.errors import ProcessFailed, first_of
from dovetail.cli.supervisor import ProcessSpec, Supervisor, pause_before_restart

FAKE = Path(__file__).parent / "fake_process.py"


class FakeProcesses(Supervisor):
    """The real supervisor, whose processes run a script instead of `dovetail`."""

    command = (sys.executable, str(FAKE))


@given(st.integers(0, 100), st.floats(0, 1e6))
def test_pauses_grow_to_a_limit_and_are_forgotten(failures: int, lived: float) -> None:
    pause, remembered = pause_before_restart(failures, lived)

    assert 0 < pause <= 10
    assert remembered == (1 if lived >= 30 else failures + 1)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(holds, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_starts_all_and_stops_all(tmp_path: Path) -> None:
    states: list[tuple[str, str]] = []
    supervisor = FakeProcesses(tmp_path, on_change=lambda name, state: states.append((name, state)))
    await supervisor.start([ProcessSpec("a", ("serve",)), ProcessSpec("b", ("serve",))])
    pids = supervisor.pids

    assert set(pids) == {"a", "b"}
    assert ("a", "ready") in states
    assert all(alive(pid) for pid in pids.values())

    await supervisor.stop()

    assert not any(alive(pid) for pid in pids.values())


async def test_what_drains_is_over_before_the_others_are_told_to_stop(tmp_path: Path) -> None:
    order = tmp_path / "order"
    supervisor = FakeProcesses(tmp_path)
    specs = [ProcessSpec(name, ("slow", str(order), name), drains=name == "worker") for name in ("backend", "worker")]
    await supervisor.start(specs)

    await supervisor.stop()

    assert order.read_text().split() == ["worker", "backend"]


async def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    supervisor = FakeProcesses(tmp_path)
    await supervisor.start([ProcessSpec("a", ("serve",))])
    first = supervisor.pids["a"]
    os.kill(first, signal.SIGKILL)

    await until(lambda: supervisor.pids.get("a", first) != first)

    await supervisor.stop()


async def test_a_process_that_fails_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    supervisor = FakeProcesses(tmp_path)
    with pytest.raises(ExceptionGroup) as caught:
        await supervisor.start([ProcessSpec("broken", ("fail",))])
    await supervisor.stop()

    error = first_of(caught.value)
    assert isinstance(error, ProcessFailed)
    assert "broken did not start (exit code 3)" in str(error)
    assert "the reason why" in str(error)


async def test_a_process_that_is_never_ready_is_told(tmp_path: Path) -> None:
    supervisor = FakeProcesses(tmp_path)
    with pytest.raises(ExceptionGroup) as caught:
        await supervisor.start([ProcessSpec("mute", ("mute",), ready_timeout=0.5)])
    pids = supervisor.pids
    await supervisor.stop()

    assert "not ready within" in str(first_of(caught.value))
    assert not any(alive(pid) for pid in pids.values())


async def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dovetail.cli.supervisor.STOP_GRACE_SECONDS", -1.5)
    supervisor = FakeProcesses(tmp_path)
    await supervisor.start([ProcessSpec("deaf", ("deaf",))])
    pid = supervisor.pids["deaf"]
    await supervisor.stop()

    assert not alive(pid)


def test_children_go_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves no chance to clean up: the lifeline does it."""
    script = f"""
import asyncio, sys
from pathlib import Path
from tests.cli.test_supervisor import FakeProcesses, ProcessSpec
async def main():
    supervisor = FakeProcesses(Path({str(tmp_path)!r}))
    await supervisor.start([ProcessSpec("a", ("tied",))])
    print(supervisor.pids["a"], flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    deadline = time.monotonic() + 15
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert not alive(child)
