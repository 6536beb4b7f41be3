"""2,000 worlds by seed: whatever users, crashes and networks do, the platform comes to what is right, and to rest.

A failing seed is run again, with everything that happened in it, by the command that the failure prints. More seeds:
`make simulate SEEDS=100000`.
"""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.simulation.mutants import BOUND, MUTANTS

SEEDS = 2000
PARTS = 6


def _command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        capture_output=True, text=True, timeout=300, check=False, env=environment,
    )  # fmt: skip


def _report(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert done.stdout, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.timeout(300)  # 15 s of one core; nobody knows who else is at work
@pytest.mark.parametrize("part", range(PARTS))
def test_every_seed_comes_to_what_is_right(part: int) -> None:
    seeds = range(SEEDS)[part * SEEDS // PARTS : (part + 1) * SEEDS // PARTS]
    size = len(seeds)
    done = _command("--seeds", f"{seeds.start}:{seeds.stop}", "--jobs", "1")
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    report = _report(done)
    assert report["seeds"] == size
    assert report["wedges"] == 0
    assert report["kills"] > size / 2, "hardly anybody was killed: the scenarios have lost their teeth"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_hazard_is_found(mutant: str) -> None:
    done = _command("--mutant", mutant, "--until-found", "--seeds", f"0:{BOUND}", "--jobs", "1")
    assert _report(done)["wedges"] == 1, f"{mutant} was not found within {BOUND} seeds: {done.stdout[-1000:]}"


def test_what_was_found_before_stays_mended() -> None:
    report = _report(_command("--found"))
    assert report["wrong"] == {}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", ["24", "116"])
def test_a_seed_is_the_same_in_every_run(seed: str) -> None:
    first, second = (_command("--seed", seed).stdout for _ in range(2))
    assert "controllers-1 POST" in first, first
    assert first == second
