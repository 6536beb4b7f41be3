"""A Helm repository for tests: index and packages below /sub/path, on a real HTTP server that can be told to fail."""

import base64
import contextlib
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, REPOSITORIES
from dovetail.kube import Client
from tests.lifecycle.platform import make, until


@dataclass
class Museum:
    """A static server below /sub/path; `asked` counts requests.

    `broken` paths answer 500, `slow` ones late, `cut` ones break off half-way; those in `held` answer when their event
    is set.
    """

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    broken: set[str] = field(default_factory=set[str])
    slow: set[str] = field(default_factory=set[str])
    cut: set[str] = field(default_factory=set[str])
    held: dict[str, threading.Event] = field(default_factory=dict[str, threading.Event])
    asked: dict[str, int] = field(default_factory=dict[str, int])
    password: str = ""
    url: str = ""

    def add(self, name: str, version: str, data: bytes, digest: str = "") -> None:
        self.files[f"{name}-{version}.tgz"] = data
        index = yaml.safe_load(self.files.get("index.yaml", b"entries: {}"))
        entry = {"name": name, "version": version, "urls": [f"{name}-{version}.tgz"]}
        entry["digest"] = digest or hashlib.sha256(data).hexdigest()
        index["entries"].setdefault(name, []).append(entry)
        self.files["index.yaml"] = yaml.safe_dump(index).encode()

    def drop(self, name: str, version: str) -> None:
        index = yaml.safe_load(self.files["index.yaml"])
        index["entries"][name] = [entry for entry in index["entries"][name] if entry["version"] != version]
        self.files["index.yaml"] = yaml.safe_dump(index).encode()

    def answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        name = path.removeprefix("/sub/path/")
        self.asked[name] = self.asked.get(name, 0) + 1
        wanted = base64.b64encode(f"reader:{self.password}".encode()).decode()
        if self.password and authorization != f"Basic {wanted}":
            return 401, b""
        if name in self.slow:
            time.sleep(4)
        if name in self.held:
            self.held[name].wait(60)
        if name in self.broken:
            return 500, b""
        return (200, self.files[name]) if name in self.files else (404, b"")


@contextlib.contextmanager
def serving() -> Iterator[Museum]:
    """A museum that is open."""
    content = Museum()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = content.answer(self.path, self.headers.get("Authorization"))
            length = len(body)
            if self.path.rpartition("/")[2] in content.cut:
                body = body[: length // 2]
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    content.url = f"http://127.0.0.1:{server.server_port}/sub/path"
    try:
        yield content
    finally:
        for event in content.held.values():
            event.set()
        server.shutdown()
        thread.join()
        server.server_close()


async def repository(client: Client, name: str, url: str, **spec: Any) -> None:
    wanted = {"url": url, "updateStrategy": {"registryPoll": {"interval": "10s"}, "timeout": "30s"}, **spec}
    await make(client, REPOSITORIES, name, spec=wanted)


async def until_synced(client: Client, name: str, reason: str = "Synced") -> dict[str, Any]:
    def done(obj: dict[str, Any]) -> bool:
        conditions = obj.get("status", {}).get("conditions", [])
        return any(condition["reason"] == reason for condition in conditions)

    return await until(lambda: client.get(REPOSITORIES, name), done, f"{name} {reason}")


async def resync(client: Client, name: str) -> None:
    before = (await client.get(REPOSITORIES, name))["metadata"]["resourceVersion"]
    await client.patch(REPOSITORIES, name, {"status": {"lastSyncTime": None}}, subresource="status")
    await until(
        lambda: client.get(REPOSITORIES, name),
        lambda obj: obj["metadata"]["resourceVersion"] != before and obj["status"].get("lastSyncTime"),
        "the next synchronisation",
    )


async def versions(client: Client, extension: str) -> set[str]:
    found = await client.list(EXTENSIONVERSIONS, label_selector=f"kubesphere.io/extension-ref={extension}")
    return {obj["spec"]["version"] for obj in found.items}
