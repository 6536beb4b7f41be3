"""ksbuilder's package and lint beside Helm's, on the largest package at hand, in one run.

The largest source tree of the corpus is packed and linted as whole commands, start of the process included, by
`ksbuilder package`, `helm package`, `ksbuilder lint`, `helm lint --with-subcharts` and `ksbuilder check`, in turn;
medians count. Helm needs a Chart.yaml, so it gets the tree that our package unpacks to. `build` alone is timed inside
of a process. The last line is one JSON object; ratios are ours over Helm's (below 1: ours is quicker).

Mind what is compared: our lint renders each release of the package twice and looks at every object, Helm's renders the
chart once for itself and once for every sub-chart.

    python bench/bench_ksbuilder.py [--rounds 7] [--corpus DIR] [--helm PROGRAM]
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from helm_program import helm_program

ROOT = Path(__file__).resolve().parents[1]
KSBUILDER = [sys.executable, "-m", "dovetail.cli.ksbuilder"]


def largest(corpus: Path, scratch: Path) -> Path:
    """The directory of the largest source tree; our sample if there is no corpus."""
    archives = sorted(corpus.glob("*.source.tar.gz"))
    for archive in archives:
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
            tar.extractall(scratch / "sources", filter="data")
    if not archives:
        return ROOT / "samples" / "extensions" / "greeter"
    return max((path.parent for path in (scratch / "sources").glob("*/extension.yaml")), key=size_of)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def timed(command: list[str], scratch: Path) -> Callable[[], float]:
    """A function that runs the command and says how many milliseconds that took."""
    homes = {f"HELM_{what}_HOME": str(scratch / what) for what in ("CACHE", "CONFIG", "DATA")}

    def run() -> float:
        begun = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, cwd=scratch, env={**os.environ, **homes}, timeout=120, check=False
        )
        took = (time.perf_counter() - begun) * 1000
        if done.returncode != 0:
            sys.exit(f"{command} failed: {done.stdout[-500:]!r} {done.stderr[-500:]!r}")
        return took

    return run


def build_alone(source: Path) -> Callable[[], float]:
    from dovetail.packaging import build, read_directory

    def run() -> float:
        begun = time.perf_counter()
        build(read_directory(source))
        return (time.perf_counter() - begun) * 1000

    return run


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--corpus", type=Path, default=ROOT.parent / "shared" / "corpus")
    options.add_argument("--helm", default="")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.corpus, given.helm, given.rounds)


def measure(scratch: Path, corpus: Path, helm: str, rounds: int) -> None:
    from dovetail.packaging import build, read_directory

    source = largest(corpus, scratch)
    archive = build(read_directory(source))
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as tar:
        tar.extractall(scratch / "unpacked", filter="data")
    chart = str(scratch / "unpacked" / archive.metadata.name)
    program = helm_program(helm, scratch)
    jobs = {
        "build_alone": build_alone(source),
        "ksbuilder_package": timed([*KSBUILDER, "package", str(source), "-d", str(scratch / "out")], scratch),
        "ksbuilder_lint": timed([*KSBUILDER, "lint", str(source)], scratch),
        "ksbuilder_check": timed([*KSBUILDER, "check", str(source)], scratch),
    }
    if program is not None:
        jobs["helm_package"] = timed([program, "package", chart, "-d", str(scratch / "out")], scratch)
        jobs["helm_lint"] = timed([program, "lint", "--with-subcharts", chart], scratch)
    took: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            took[name].append(job())
    medians = {name: round(statistics.median(times), 1) for name, times in took.items()}
    report: dict[str, object] = {
        "package": archive.name, "bytes": size_of(source), "rounds": rounds, "milliseconds": medians,
    }  # fmt: skip
    for what in ("package", "lint"):
        if f"helm_{what}" in medians:
            report[f"{what}_ratio"] = round(medians[f"ksbuilder_{what}"] / medians[f"helm_{what}"], 2)
    for name, value in medians.items():
        print(f"{name:20} {value:8.1f} ms")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
