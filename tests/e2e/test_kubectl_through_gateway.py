"""kubectl with the gateway as its server and a platform token as its credential: the user's own permissions, streamed.

Over HTTPS, since kubectl reads no credential from a kubeconfig whose server is plain HTTP.
"""

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.demo.world import World
from tests.e2e.running import certificate_of, create_user, kubeconfig_text

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def roleless(secure_world: World) -> str:
    """A user whom nobody has given a role."""
    create_user(secure_world, "nobody-in-particular")
    return "nobody-in-particular"


class Kubectl:
    """kubectl as one user, through the gateway."""

    def __init__(self, world: World, user: str, home: Path) -> None:
        self.home = home
        self.config = home / f"{user}.kubeconfig"
        certificate = certificate_of(world)
        self.config.write_text(f"""
apiVersion: v1
kind: Config
current-context: it
contexts: [{{name: it, context: {{cluster: it, user: it}}}}]
clusters: [{{name: it, cluster: {{server: "{world.url}", certificate-authority: {certificate.authority}}}}}]
users: [{{name: it, user: {{token: {world.tokens[user]}}}}}]
""")

    @property
    def _command(self) -> list[str]:
        return ["kubectl", "--kubeconfig", str(self.config)]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home)}

    def __call__(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*self._command, *arguments], input=stdin, capture_output=True, text=True, timeout=40, env=self._environment
        )

    def says(self, *arguments: str, stdin: str | None = None) -> str:
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def streaming(self, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
        process = subprocess.Popen(
            [*self._command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
            env=self._environment,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)
            if process.stdout is not None:
                process.stdout.close()


@pytest.fixture
def kubectl(secure_world: World, tmp_path: Path) -> Kubectl:
    return Kubectl(secure_world, "admin", tmp_path)


def test_reading(kubectl: Kubectl) -> None:
    assert "kubesphere-system" in kubectl.says("get", "ns")
    assert "platform-admin" in kubectl.says("get", "globalroles")
    assert "installplans" in kubectl.says("api-resources", "--api-group", "kubesphere.io")
    assert "yes" in kubectl.says("auth", "can-i", "create", "namespaces")


def test_writing(kubectl: Kubectl) -> None:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: by-kubectl, namespace: default}\ndata: {a: '%s'}\n"
    try:
        assert "created" in kubectl.says("apply", "-f", "-", stdin=manifest % 1)
        assert "configured" in kubectl.says("apply", "-f", "-", stdin=manifest % 2)
        assert "serverside-applied" in kubectl.says(
            "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=manifest % 3
        )
        assert kubectl.says("get", "configmap", "by-kubectl", "-o", "jsonpath={.data.a}") == "3"
        kubectl.says("label", "configmap", "by-kubectl", "kept=yes")
        assert "kept=yes" in kubectl.says("get", "configmap", "by-kubectl", "--show-labels")
    finally:
        kubectl("delete", "configmap", "by-kubectl", "--ignore-not-found")
    assert kubectl("get", "configmap", "by-kubectl").returncode == 1


def test_explain_and_validation_come_through(kubectl: Kubectl) -> None:
    assert "FIELDS" in kubectl.says("explain", "installplans.kubesphere.io.spec")
    wrong = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: wrong, namespace: default}\ndatta: {a: b}\n"
    done = kubectl("apply", "--validate=strict", "-f", "-", stdin=wrong)
    assert done.returncode != 0
    assert "datta" in done.stderr


def test_a_watch_streams_each_change_as_it_happens(kubectl: Kubectl) -> None:
    name = f"watched-{time.monotonic_ns()}"
    with kubectl.streaming("get", "configmaps", "-n", "default", "-w", "-o", "name") as watching:
        assert watching.stdout is not None
        time.sleep(0.5)
        kubectl.says("create", "configmap", name, "-n", "default")
        try:
            seen = lines_until(watching, name)
            assert f"configmap/{name}" in seen
        finally:
            kubectl("delete", "configmap", name, "-n", "default")


def lines_until(process: "subprocess.Popen[str]", text: str, seconds: float = 15) -> str:
    """What the process printed up to a line with this text."""
    assert process.stdout is not None
    deadline, seen = time.monotonic() + seconds, ""
    os.set_blocking(process.stdout.fileno(), False)
    while text not in seen and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.2)[0]:
            seen += process.stdout.read() or ""
        assert process.poll() is None, seen
    return seen


def test_a_user_without_a_role_is_refused_as_kubernetes_does(
    secure_world: World, roleless: str, tmp_path: Path
) -> None:
    kubectl = Kubectl(secure_world, roleless, tmp_path)
    for arguments in (("get", "secrets", "-A"), ("get", "ns"), ("get", "extensions"), ("create", "ns", "mine")):
        done = kubectl(*arguments)
        assert done.returncode == 1, done
        assert "Forbidden" in done.stderr, done.stderr
        assert roleless in done.stderr, done.stderr
    assert kubectl("auth", "can-i", "get", "secrets", "-A").returncode == 1


def test_over_plain_http_kubectl_sends_no_token_and_is_told_so(world: World, tmp_path: Path) -> None:
    config = tmp_path / "kubeconfig"
    config.write_text(kubeconfig_text(world.url, world.tokens["admin"]))
    done = subprocess.run(
        ["kubectl", "--kubeconfig", str(config), "get", "ns"],
        capture_output=True, text=True, timeout=40, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 1
    assert "You must be logged in" in done.stderr
