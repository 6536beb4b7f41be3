"""A `dovetail kube` of the table's own, and the clients that talk to it."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e.demo.platform import BIN, ROOT, free_port

CLIENTS = ROOT / "build" / "clients"
START_SECONDS = 30.0


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Cluster:
    """The embedded cluster in a process of its own, on temporary data."""

    directory: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="dovetail-kube-")))
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "data" / "kubeconfig"

    def start(self) -> None:
        command = [str(BIN / "dovetail"), "kube", "--data-dir", str(self.directory / "data"), "--port", str(self.port)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError("dovetail kube did not start:\n" + (self.directory / "log").read_text()[-3000:])
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return self.kubeconfig.exists() and self.http("GET", "/readyz").code == 200
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL, as a machine that loses power would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(20)

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- clients

    def http(self, method: str, path: str, body: Any = None, token: str = "", **headers: str) -> Answer:
        """One request as the administrator, or with a token."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", data, method=method)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls("" if token else "admin"))
        )
        try:
            with opener.open(request, timeout=30) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def tls(self, client: str = "admin") -> ssl.SSLContext:
        pki = self.directory / "data" / "pki"
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        if client:
            context.load_cert_chain(pki / f"clients/{client}.crt", pki / f"clients/{client}.key")
        return context

    def kubectl(self, *arguments: str, stdin: Any = None, code: int | None = 0, program: str = "") -> str:
        """Run kubectl; its output and errors. `code` None accepts any end."""
        text = stdin if isinstance(stdin, str) or stdin is None else _text(stdin)
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [program or kubectl(), "--kubeconfig", str(self.kubeconfig), *arguments],
            input=text, capture_output=True, text=True, timeout=50, env={**os.environ, "HOME": str(home)},
        )  # fmt: skip
        output = done.stdout + done.stderr
        assert code is None or done.returncode == code, f"kubectl {' '.join(arguments)}: {done.returncode}\n{output}"
        return output

    def get(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def helm(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [str(CLIENTS / "helm"), "--kubeconfig", str(self.kubeconfig), *arguments],
            capture_output=True, text=True, timeout=50, env={**os.environ, "HOME": str(self.directory / "home")},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def python(self, program: str, *arguments: str) -> str:
        """Run a program with the clients of this environment: their warnings and threads stay out of pytest."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", program, str(self.kubeconfig), *arguments],
            capture_output=True, text=True, timeout=55,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def namespace(self) -> str:
        """A fresh namespace whose default account is there, as pods need it."""
        name = f"row-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        eventually(lambda: "default" in self.kubectl("-n", name, "get", "serviceaccounts", "-o", "name"))
        return name


def kubectl() -> str:
    """The newest kubectl there is: the fetched one, else the machine's."""
    fetched = CLIENTS / "kubectl"
    return str(fetched) if fetched.exists() else "kubectl"


def _text(stdin: Any) -> str:
    """JSON documents: YAML would read some keys and words as booleans."""
    documents: list[Any] = stdin if isinstance(stdin, list) else [stdin]
    return "\n".join(json.dumps(document) for document in documents)


def eventually(check: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
