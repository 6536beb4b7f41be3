"""Extensions in figures: installing beside Helm's own command, synchronising, solving, and what many of them weigh.

What each figure means is said in `lifecycle/installing.py`, `lifecycle/synchronising.py` and `lifecycle/solver.py`.
The last line is one JSON object.

    python bench/bench_lifecycle.py [--only installing|synchronising|solver] [--rounds 15] [--many 500]
                                    [--packages 1000] [--versions 3] [--helm PROGRAM]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import orjson

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

GOALS = {
    "install_p50_s": "<= 1", "sync_s": "<= 20", "resync_s": "<= 0.2", "solver_p99_ms": "<= 200",
}  # fmt: skip
PARTS = ("installing", "synchronising", "solver")


def figures_of(part: str, given: argparse.Namespace) -> dict[str, float]:
    """Measure one part."""
    if part == "solver":
        from lifecycle.solver import measure as solve

        return solve()
    if part == "synchronising":
        from lifecycle.synchronising import measure as synchronise

        return synchronise(given.packages, given.versions)
    from helm_program import helm_program
    from lifecycle.installing import measure as install

    with tempfile.TemporaryDirectory(prefix="bench-helm-") as scratch:
        return install(given.rounds, given.many, helm_program(given.helm, Path(scratch)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--many", type=int, default=500)
    parser.add_argument("--packages", type=int, default=1000)
    parser.add_argument("--versions", type=int, default=3)
    parser.add_argument("--helm", default="")
    given = parser.parse_args()
    figures: dict[str, float] = {}
    for part in given.only or PARTS:
        print(f"{part}:", flush=True)
        found = figures_of(part, given)
        for name, value in found.items():
            print(f"  {name:<18}{value:10.3f}  {GOALS.get(name, '')}", flush=True)
        figures |= found
    if "helm_p50_s" in figures:
        figures["install_against_helm"] = figures["install_p50_s"] / figures["helm_p50_s"]
        print(f"  install, of the time of helm install: {figures['install_against_helm']:.2f}")
    print(orjson.dumps({name: round(value, 3) for name, value in figures.items()}).decode())


if __name__ == "__main__":
    main()
