"""Fixtures shared by all rooms: a real Kubernetes-compatible API in a process of its own."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

# looptime asks for a loop even in plain tests, and Python 3.11 would make one that nobody closes.
asyncio.set_event_loop(None)

# A deadline would measure a shared machine, not our code.
settings.register_profile("dovetail", deadline=None)
# CI judges a change by the same examples each time; whoever runs the tests elsewhere goes on searching.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("DOVETAIL_HYPOTHESIS", "dovetail"))


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class KubeApi:
    """A running `dovetail kube`; `restart` ends it with SIGKILL and starts it again on the same data and port."""

    data_dir: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "kubeconfig"

    def client(self):
        from dovetail.kube import Client, ClusterConfig

        return Client(ClusterConfig.load(self.kubeconfig))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the real kubectl against this API."""
        home = self.data_dir / "home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments],
            input=stdin, capture_output=True, text=True, timeout=50, env={**os.environ, "HOME": str(home)},
        )  # fmt: skip

    def start(self) -> None:
        ready_read, ready_write = os.pipe()
        command = [
            sys.executable, "-m", "dovetail.cli.dovetail", "kube", "--data-dir", str(self.data_dir),
            "--port", str(self.port), "--ready-fd", str(ready_write),
        ]  # fmt: skip
        log = (self.data_dir / "kube.log").open("ab")
        with log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=(ready_write,))
        os.close(ready_write)
        with os.fdopen(ready_read, "rb") as ready:
            if not ready.readline():
                self.process.wait(10)
                pytest.fail("dovetail kube did not start:\n" + (self.data_dir / "kube.log").read_text()[-3000:])

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


def run_kube_api(directory: Path) -> Iterator[KubeApi]:
    """Start an API on fresh data, yield it, stop it."""
    api = KubeApi(directory, free_port())
    api.start()
    try:
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="session")
def kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """One API for the whole run; tests take namespaces of their own."""
    yield from run_kube_api(tmp_path_factory.mktemp("kube"))


@pytest.fixture
def own_kube_api(tmp_path: Path) -> Iterator[KubeApi]:
    """An API of a test's own, for tests that kill it or look at all of it."""
    yield from run_kube_api(tmp_path)


def install_crds(api: KubeApi) -> None:
    """Our resource kinds, applied as a user would, and waited for."""
    import json

    from dovetail.apis.crds import crds

    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": crds()})
    applied = api.kubectl("apply", "--server-side", "-f", "-", stdin=manifest)
    assert applied.returncode == 0, applied.stderr
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if api.kubectl("get", "installplans.kubesphere.io").returncode == 0:
            return
        time.sleep(0.1)
    pytest.fail("our kinds are not served")


@pytest.fixture(scope="session")
def platform_crds(kube_api: KubeApi) -> KubeApi:
    """The session's API with our kinds installed."""
    install_crds(kube_api)
    return kube_api
