"""The actors: the API server, a bare endpoint on uvicorn, etcd; each a process pinned to the first core."""

import contextlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from processes import SERVER_CORE, free_port, pinned, running

_BARE = """
import sys, uvicorn
body = open(sys.argv[1], "rb").read()
large = open(sys.argv[2], "rb").read()
async def app(scope, receive, send):
    found = large if scope["path"] == "/large" else body
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(found)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": found})
uvicorn.run(app, port=int(sys.argv[3]), http="httptools", loop="uvloop", lifespan="off", access_log=False,
            log_level="error", ssl_certfile=sys.argv[4], ssl_keyfile=sys.argv[5])
"""


@dataclass
class ApiServer:
    """``python -m dovetail.embedded.apiserver`` on a data directory."""

    data_dir: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> float:
        """Seconds from the start of the process until it says that it is ready."""
        module = ["-m", "dovetail.embedded.apiserver", "--data-dir", str(self.data_dir), "--port", "0"]
        begin = time.perf_counter()
        with (self.data_dir / "log").open("ab") as log:
            self.process = subprocess.Popen(
                pinned(SERVER_CORE, sys.executable, *module), stdout=subprocess.PIPE, stderr=log
            )
        assert self.process.stdout is not None
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError((self.data_dir / "log").read_text()[-2000:])
        return time.perf_counter() - begin

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)

    @property
    def port(self) -> int:
        config = yaml.safe_load((self.data_dir / "kubeconfig").read_text())
        return int(config["clusters"][0]["cluster"]["server"].rpartition(":")[2])

    def tls(self, *, admin: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.data_dir / "pki/ca.crt")
        if admin:
            context.load_cert_chain(self.data_dir / "pki/clients/admin.crt", self.data_dir / "pki/clients/admin.key")
        return context

    def memory(self) -> dict[str, float]:
        """MiB, by the kernel: resident, and proportional (shared pages divided)."""
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        return {
            line.split(":")[0].lower(): int(line.split()[1]) / 1024 for line in lines if line[:4] in ("Rss:", "Pss:")
        }


@contextlib.contextmanager
def bare_endpoint(folder: Path, pki: Path, body: bytes, large: bytes) -> Iterator[int]:
    """uvicorn (httptools, uvloop) with our certificate, answering the same bytes from memory."""
    (folder / "body").write_bytes(body)
    (folder / "large").write_bytes(large)
    port = free_port()
    files = [str(folder / "body"), str(folder / "large"), str(port), str(pki / "server.crt"), str(pki / "server.key")]
    with running(pinned(SERVER_CORE, sys.executable, "-c", _BARE, *files), port):
        yield port


@contextlib.contextmanager
def etcd(folder: Path) -> Iterator[int | None]:
    """Debian's etcd with its JSON gateway; None when it is not installed."""
    if shutil.which("etcd") is None:
        yield None
        return
    port, peer = free_port(), free_port()
    client, other = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    command = pinned(
        SERVER_CORE, "etcd", "--data-dir", str(folder / "etcd"), "--listen-client-urls", client,
        "--advertise-client-urls", client, "--listen-peer-urls", other, "--initial-advertise-peer-urls", other,
        "--initial-cluster", f"default={other}", "--logger", "zap", "--log-level", "error",
    )  # fmt: skip
    environment = os.environ.pop("ETCD_UNSUPPORTED_ARCH", None)
    try:
        with running(command, port):
            time.sleep(1.0)  # it elects itself
            yield port
    finally:
        if environment is not None:
            os.environ["ETCD_UNSUPPORTED_ARCH"] = environment


def config_map(name: str, size: int = 2048) -> bytes:
    """A ConfigMap that is about ``size`` bytes when it comes back (the server adds some 300)."""
    data = {f"key-{number}": "value " * 15 for number in range(max(size - 400, 0) // 105)}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}).encode()
