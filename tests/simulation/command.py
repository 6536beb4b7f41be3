"""The command: many seeds on all cores, or one with its trace.

    python -m tests.simulation --seeds 0:2000          every seed of a range; fails when one does
    python -m tests.simulation --seed 17               that one, with everything that happened
    python -m tests.simulation --seeds 0:500 --mutants all hazards planted one by one, too

The last line is one JSON object. Hashes of texts are fixed (PYTHONHASHSEED), so that a seed is the same in every run.
"""

import argparse
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

_CHUNK = 25


def main() -> None:
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
                  {**os.environ, "PYTHONHASHSEED": "0"})  # fmt: skip
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", help="a range, first:end")
    parser.add_argument("--seed", type=int, help="one seed, with its trace")
    parser.add_argument("--mutant", default="", help="plant this hazard")
    parser.add_argument("--mutants", action="store_true", help="plant every hazard, one by one, until it is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--until-found", action="store_true", help="stop at the first seed that fails")
    parser.add_argument("--found", action="store_true", help="what was found before, played again")
    options = parser.parse_args()
    if options.found:
        sys.exit(_found())
    if options.seed is not None:
        sys.exit(_one(options.seed, options.mutant))
    first, _, end = (options.seeds or "0:1000").partition(":")
    sys.exit(_many(range(int(first), int(end)), options))


def _prepare(mutant: str) -> None:
    from tests.simulation import seams

    logging.disable(logging.CRITICAL)
    seams.install()
    if mutant:
        from tests.simulation import mutants

        mutants.plant(mutant)
    gc.collect()
    gc.freeze()
    gc.disable()


def _one(seed: int, mutant: str) -> int:
    _prepare(mutant)
    from tests.simulation.run import run

    verdict = run(seed, trace=True)
    print("\n".join(verdict.trace))
    print(f"\nseed {seed}: {verdict.violation or 'all is well'}")
    print(f"{verdict.requests} requests, {verdict.steps} steps, {verdict.kills} kills")
    print(f"settled {verdict.seconds:.0f} s after the input stopped")
    return bool(verdict.violation)


def _found() -> int:
    _prepare("")
    from tests.simulation.found import FOUND
    from tests.simulation.run import run

    played = [(happens, seed) for happens in FOUND for seed in range(3)]
    verdicts = {f"{happens.__name__}, {seed}": run(seed, happens=happens).violation for happens, seed in played}
    wrong = {name: violation for name, violation in verdicts.items() if violation}
    print(json.dumps({"played": len(verdicts), "wedges": len(wrong), "wrong": wrong}))
    return bool(wrong)


def _some(seeds: list[int]) -> list[tuple[int, str, int, int, float, float]]:
    from tests.simulation.run import run

    found: list[tuple[int, str, int, int, float, float]] = []
    for seed in seeds:
        began = time.process_time()
        verdict = run(seed)
        cost = time.process_time() - began
        found.append((seed, verdict.violation, verdict.requests, verdict.kills, verdict.seconds, cost))
    gc.collect()
    return found


def _results(seeds: range, jobs: int, mutant: str) -> Iterator[tuple[int, str, int, int, float, float]]:
    chunks = [list(seeds[at : at + _CHUNK]) for at in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        _prepare(mutant)
        for chunk in chunks:
            yield from _some(chunk)
        return
    with ProcessPoolExecutor(jobs, initializer=_prepare, initargs=(mutant,)) as pool:
        for result in pool.map(_some, chunks):
            yield from result


def _many(seeds: range, options: argparse.Namespace) -> int:
    began, told = time.monotonic(), time.monotonic()
    done = wedges = requests = kills = 0
    cpu = longest = 0.0
    for seed, violation, asked, killed, seconds, cost in _results(seeds, options.jobs, options.mutant):
        done, requests, kills, cpu = done + 1, requests + asked, kills + killed, cpu + cost
        longest = max(longest, seconds)
        if violation:
            wedges += 1
            again = f"--mutant {options.mutant} " if options.mutant else ""
            print(f"seed {seed}: {violation}\n  again: python -m tests.simulation {again}--seed {seed}", flush=True)
            if options.until_found:
                break
        if time.monotonic() - told > 10:
            told = time.monotonic()
            rate = done / (told - began)
            print(f"{done} of {len(seeds)} seeds, {wedges} wedges, {rate:.0f} a second", file=sys.stderr, flush=True)
    report: dict[str, Any] = {
        "seeds": done, "wedges": wedges, "requests": requests, "kills": kills, "longest_s": round(longest),
        "cpu_ms_per_seed": round(1000 * cpu / max(done, 1), 1), "wall_s": round(time.monotonic() - began, 1),
    }  # fmt: skip
    if options.mutants:
        from tests.simulation import mutants

        found = mutants.hunt()
        report |= {
            "mutants": len(found),
            "mutants_found": sum(seed is not None for seed in found.values()),
            "found_at": found,
        }
    print(json.dumps(report))
    return bool(wedges) or report.get("mutants") != report.get("mutants_found")
