"""Half an hour of mixed load with failing upstreams: the worker's memory and descriptors stay flat.

    python bench/soak_gateway.py [--seconds 1800] [--clients 24]

Prints what was answered and, as the last line, one JSON object. Ends with 1 when an answer was wrong, or when the
worker held more at the end than after its first fifth, in which its stores fill.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from pathlib import Path

import uvloop
from gateway import dovetail
from gateway.processes import Actor, allow_descriptors, free_port, running
from gateway.soak import Backend, Seen, Soak

from dovetail.gateway.publisher import Publisher
from dovetail.gateway.reports import ReportServer, beside

GROWTH_MIB = 6.0
GROWTH_SHORT_MIB = 16.0
"""In a run of less than five minutes the stores fill all the time."""
GROWTH_DESCRIPTORS = 64
"""More than come and go with the clients of the moment."""


async def soak(seconds: float, clients: int, directory: Path) -> Seen:
    """One run with a worker of its own."""
    socket, backend, port = directory / "snapshot.sock", Backend(), free_port()
    publisher, reports = Publisher(socket), ReportServer(beside(socket))
    tasks = [asyncio.create_task(each) for each in (publisher.run(), reports.run(), backend.run())]
    await publisher.publish(Soak(publisher, Actor(port), backend.port).snapshot(1))
    manager = running(None, dovetail.command(port, socket), port)
    process = await asyncio.to_thread(manager.__enter__)
    try:
        return await Soak(publisher, Actor(port, (process.pid,)), backend.port).run(seconds, clients)
    finally:
        await asyncio.to_thread(manager.__exit__, None, None, None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def figures(seen: Seen, seconds: float) -> dict[str, float]:
    """The worker after its first fifth and at the end, as medians of a fifth of the run."""
    fifth = max(len(seen.samples) // 5, 1)
    early, late = seen.samples[fifth : 2 * fifth], seen.samples[-fifth:]
    return {
        "seconds": round(seconds), "requests": sum(seen.answers.values()), "wrong": len(seen.wrong),
        "mib_early": round(statistics.median(mib for mib, _ in early), 1),
        "mib_late": round(statistics.median(mib for mib, _ in late), 1),
        "descriptors_early": statistics.median(count for _, count in early),
        "descriptors_late": statistics.median(count for _, count in late),
    }  # fmt: skip


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--clients", type=int, default=24)
    arguments = parser.parse_args()
    allow_descriptors()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        seen = uvloop.run(soak(arguments.seconds, arguments.clients, Path(name)))
    found = figures(seen, arguments.seconds)
    for what, count in sorted(seen.answers.items()):
        print(f"{count:>9} {what}")
    for sentence in seen.wrong[:20]:
        print("wrong:", sentence)
    tenth = max(len(seen.samples) // 10, 1)
    print("MiB:", " ".join(f"{mib:.1f}" for mib, _ in seen.samples[::tenth]))
    print(json.dumps(found))
    most = GROWTH_MIB if arguments.seconds >= 300 else GROWTH_SHORT_MIB
    grown = found["mib_late"] - found["mib_early"] > most
    leaks = found["descriptors_late"] - found["descriptors_early"] > GROWTH_DESCRIPTORS
    return 1 if seen.wrong or grown or leaks or not found["requests"] else 0


if __name__ == "__main__":
    sys.exit(main())
