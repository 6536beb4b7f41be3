"""A real OCI registry (Debian's docker-registry) for a test: on a free port, with or without a password."""

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest

from tests.e2e.demo.platform import free_port

PROGRAM = shutil.which("docker-registry")
needs_registry = pytest.mark.skipif(PROGRAM is None, reason="docker-registry is not installed (prepare_machine.sh)")


@contextmanager
def registry(directory: Path, *, user: str = "", password: str = "") -> Iterator[str]:
    """A running registry; its host and port."""
    host = f"127.0.0.1:{free_port()}"
    lines = [
        "version: 0.1", "log: {level: error, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {directory / 'registry'}}}, delete: {{enabled: true}}}}",
        f"http: {{addr: '{host}'}}",
    ]  # fmt: skip
    if user:
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$")
        (directory / "htpasswd").write_text(f"{user}:{hashed}\n")
        lines.append(f"auth: {{htpasswd: {{realm: test, path: {directory / 'htpasswd'}}}}}")
    config = directory / "registry.yml"
    config.write_text("\n".join(lines))
    with (directory / "registry.log").open("wb") as log:
        process = subprocess.Popen([str(PROGRAM), "serve", str(config)], stdout=log, stderr=log)
    try:
        _await(host, process)
        yield host
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(host: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the registry ended"
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=2):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the registry did not start")
