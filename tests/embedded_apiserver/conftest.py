"""A running API server for this room's tests: the room alone, without controllers."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

START_SECONDS = 30
SOON = 20.0
"""Seconds for what must end at all: far more than a loaded machine needs, far less than what has no bound takes."""


@dataclass
class Server:
    """``python -m dovetail.embedded.apiserver`` on a data directory."""

    data_dir: Path
    process: "subprocess.Popen[str] | None" = None
    port: int = 0
    options: tuple[str, ...] = ()

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "kubeconfig"

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "dovetail.embedded.apiserver",
            "--data-dir",
            str(self.data_dir),
            "--port",
            str(self.port),
            *self.options,
        ]
        with (self.data_dir / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            pytest.fail("the server did not start:\n" + (self.data_dir / "log").read_text()[-3000:])
        self.port = int(self.url.rpartition(":")[2])

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        assert self.process.stdout is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(20)
        self.process.stdout.close()
        return code

    @property
    def url(self) -> str:
        return self.config["clusters"][0]["cluster"]["server"]

    @property
    def config(self) -> Any:
        return yaml.safe_load(self.kubeconfig.read_text())

    def tls(self, client: str = "admin") -> ssl.SSLContext:
        """TLS as ``client`` (a name below pki/clients), or as nobody with ""."""
        pki = self.data_dir / "pki"
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        if client:
            context.load_cert_chain(pki / f"clients/{client}.crt", pki / f"clients/{client}.key")
        return context

    def kubectl(self, *arguments: str, stdin: Any = None, code: int | None = 0) -> str:
        """Run the real kubectl; its output (with errors). ``stdin`` may be an object. ``code`` None accepts any."""
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        home = self.data_dir / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=50,
            env={**os.environ, "HOME": str(home)},
        )
        output = done.stdout + done.stderr
        assert code is None or done.returncode == code, output
        return output


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("apiserver"))
    running.start()
    yield running
    assert running.end() == 0
    assert "Traceback" not in (running.data_dir / "log").read_text()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server of a test's own, to kill."""
    running = Server(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.end()


@pytest.fixture
def namespace(server: Server) -> str:
    """A namespace with the account that pods run as, which a controller makes elsewhere."""
    name = f"t{uuid.uuid4().hex[:8]}"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
    itself = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    server.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": [itself, account]})
    return name


@dataclass
class Http:
    """Requests as one user. Answers are (code, JSON, or text where it is plain text)."""

    server: Server
    session: aiohttp.ClientSession

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
        if data is not None:
            sent.setdefault("content-type", "application/json")
        async with self.session.request(method, self.server.url + path, data=data, headers=sent) as response:
            if response.content_type == "text/plain":
                return response.status, await response.text()
            return response.status, await response.json(content_type=None)


@asynccontextmanager
async def connected(
    server: Server, client: str = "admin", context: ssl.SSLContext | None = None
) -> AsyncIterator[Http]:
    """Requests as ``client``; the connections are really closed at the end (aiohttp leaves TLS ones to the loop)."""
    connector = aiohttp.TCPConnector(ssl=context or server.tls(client))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Http(server, session)
    await asyncio.sleep(0.05)


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Http]:
    """Requests as the administrator."""
    async with connected(server) as found:
        yield found


@pytest.fixture
async def nobody(server: Server) -> AsyncIterator[Http]:
    """Requests without a client certificate."""
    async with connected(server, "") as found:
        yield found


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(name: str, **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    whole = {"selector": {"matchLabels": labels}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": whole}
