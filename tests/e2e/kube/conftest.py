"""One embedded cluster for the whole table; rows work in namespaces of their own."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.e2e.demo.platform import ROOT
from tests.e2e.kube.cluster import CLIENTS, Cluster


@pytest.fixture(scope="session")
def clients() -> None:
    """kubectl 1.35 and Helm 4 as published, fetched once; rows that need them fail without."""
    if not (CLIENTS / "helm").exists():
        CLIENTS.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, str(ROOT / "scripts" / "fetch_kubectl.py"), str(CLIENTS)], check=True)


@pytest.fixture(scope="session")
def cluster(clients: None) -> Iterator[Cluster]:
    running = Cluster()
    try:
        running.start()
        yield running
        assert running.stop() == 0
        assert "Traceback" not in (running.directory / "log").read_text()
    finally:
        running.remove()
