"""The commands fail well: one sentence with the way out, exit code, nothing half-done."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dovetail.cli.layout import Address


def dovetail(*arguments: str | Path, timeout: float = 40) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "dovetail.cli.dovetail", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def refused(*arguments: str | Path) -> str:
    done = dovetail(*arguments)
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert "--port" in refused("up", "--data-dir", tmp_path, "--port", str(port), "--kube-port", "0")
        assert "--kube-port" in refused("up", "--data-dir", tmp_path, "--port", "0", "--kube-port", str(port))


def test_a_locked_data_directory(tmp_path: Path) -> None:
    from dovetail.cli.datadir import DataDirectory

    lock = DataDirectory(tmp_path).lock()
    assert "in use by process" in refused("up", "--data-dir", tmp_path, "--port", "0", "--kube-port", "0")
    lock.release()


def test_an_open_address_without_tls(tmp_path: Path) -> None:
    assert "--tls-cert" in refused("up", "--data-dir", tmp_path, "--bind", "0.0.0.0")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not: [yaml", "kubeconfig"),
        ("{}", "kubeconfig"),
        (
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "a",
                    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
                    "users": [{"name": "a", "user": {"token": "t"}}],
                }
            ),
            "127.0.0.1",
        ),
    ],
)
def test_a_bad_kubeconfig(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    sentence = refused("init", "--kubeconfig", path)

    assert says in sentence
    assert "kubectl cluster-info" in sentence


def test_a_missing_kubeconfig_is_a_usage_error(tmp_path: Path) -> None:
    done = dovetail("up", "--kubeconfig", tmp_path / "none")

    assert done.returncode == 2
    assert "none" in done.stderr


def test_help_names_every_command_and_is_quick_to_import() -> None:
    done = dovetail("--help")
    assert done.returncode == 0
    for command in ("up", "init", "kube", "apiserver", "controller-manager", "console", "crds", "reset-password"):
        assert f"\n  {command} " in done.stdout


def test_crds_prints_what_kubectl_takes() -> None:
    documents = list(yaml.safe_load_all(dovetail("crds").stdout))

    assert {d["kind"] for d in documents} == {"CustomResourceDefinition"}
    assert "installplans.kubesphere.io" in {d["metadata"]["name"] for d in documents}


@pytest.mark.parametrize(
    ("host", "tls", "url"),
    [
        ("127.0.0.1", False, "http://127.0.0.1:8080"),
        ("0.0.0.0", True, "https://127.0.0.1:8080"),
        ("::1", False, "http://[::1]:8080"),
        ("console.example.org", True, "https://console.example.org:8080"),
    ],
)
def test_the_address_that_is_announced(host: str, tls: bool, url: str) -> None:
    pem = Path("x.pem") if tls else None

    assert Address(host, 8080, pem, pem).url == url
