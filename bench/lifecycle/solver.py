"""What the dependency solver takes on 500 extensions in 20 versions, of which about 200 are installed.

Each question is answered as users get it: with the best set of versions, or with a minimal contradiction and up to
three repairs. `solver_p99_ms` is over all of them, `solver_explained_p99_ms` over those without an answer, and
`solver_first_ms` is the first question to a catalogue that was just read. Time of the processor, not of the clock: one
process works, and nothing is waited for.
"""

import random
import time
from dataclasses import replace

from tests.lifecycle.dependencies.catalogues import large

from dovetail.lifecycle.dependencies.catalogue import Installed, Situation
from dovetail.lifecycle.dependencies.conflict import Conflict, answer
from dovetail.lifecycle.dependencies.demands import Goal, Request
from dovetail.lifecycle.dependencies.solver import Solution

QUESTIONS = 400
INSTALLED = 200


def measure(seed: int = 1) -> dict[str, float]:
    """Milliseconds of the processor."""
    chance = random.Random(seed)
    empty = large(chance)
    names = list(empty.catalogue)
    began = time.process_time()
    answer(empty, Request((Goal(chance.choice(names)),)))
    first = time.process_time() - began
    there = _grown(empty, names, chance)
    taken: list[tuple[float, bool]] = []
    for _ in range(QUESTIONS):
        request = Request(
            tuple(
                Goal(name, chance.choice(["", "", ">=3", "<2", ">=4"]))
                for name in chance.sample(names, chance.choice([1, 1, 2]))
            )
        )
        began = time.process_time()
        said = answer(there, request)
        taken.append((time.process_time() - began, isinstance(said, Conflict)))
    every, explained = sorted(one for one, _ in taken), sorted(one for one, conflict in taken if conflict)
    return {
        "solver_p50_ms": _percentile(every, 0.5),
        "solver_p99_ms": _percentile(every, 0.99),
        "solver_explained_p99_ms": _percentile(explained, 0.99),
        "solver_first_ms": first * 1000,
    }


def _grown(empty: Situation, names: list[str], chance: random.Random) -> Situation:
    """With a base of extensions installed one after the other, a few of them pinned."""
    there = empty
    for name in chance.sample(names, len(names)):
        said = answer(there, Request((Goal(name),)))
        if isinstance(said, Solution):
            held = {
                one: Installed(version, there.candidate(one, version).dependencies, chance.random() < 0.05)
                for one, version in said.chosen.items()
            }
            there = replace(there, installed=held)
        if len(there.installed) >= INSTALLED:
            break
    return there


def _percentile(ascending: list[float], share: float) -> float:
    return ascending[int(share * (len(ascending) - 1))] * 1000 if ascending else 0.0


if __name__ == "__main__":
    print(measure())
