"""`dovetail up --kubeconfig`: the platform on a Kubernetes API that it did not start and whose files it never sees.

The stand-in is a `dovetail kube` of its own, reached only over the wire.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.conftest import KubeApi, run_kube_api
from tests.e2e.demo.world import expect_status, wait
from tests.e2e.running import BUNDLE, GREETINGS, PROXIED, Up, install_greeter, uninstall, world_on

pytestmark = pytest.mark.e2e

ACCOUNT = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: dovetail, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: dovetail-is-admin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: dovetail, namespace: default}]
"""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeApi]:
    """A cluster that the platforms of this module are pointed at."""
    yield from run_kube_api(tmp_path_factory.mktemp("foreign"))


@pytest.fixture
def elsewhere(foreign: KubeApi, tmp_path: Path) -> Path:
    """The administrator's kubeconfig, copied to where a user would have it."""
    copy = tmp_path / "admin.kubeconfig"
    copy.write_bytes(foreign.kubeconfig.read_bytes())
    copy.chmod(stat.S_IRUSR | stat.S_IWUSR)
    assert str(foreign.data_dir) not in copy.read_text(), "the kubeconfig names files of the cluster's own"
    return copy


@pytest.fixture
def token_kubeconfig(foreign: KubeApi, elsewhere: Path) -> Path:
    """A kubeconfig whose only credential is a ServiceAccount's token."""
    applied = foreign.kubectl("apply", "-f", "-", stdin=ACCOUNT)
    assert applied.returncode == 0, applied.stderr
    made = foreign.kubectl("create", "token", "dovetail", "--duration", "1h")
    assert made.returncode == 0, made.stderr
    config = yaml.safe_load(elsewhere.read_text())
    config["users"][0]["user"] = {"token": made.stdout.strip()}
    elsewhere.write_text(yaml.safe_dump(config))
    return elsewhere


@pytest.mark.parametrize("credential", ["elsewhere", "token_kubeconfig"])
def test_an_extension_comes_and_goes(
    up: Up, foreign: KubeApi, credential: str, request: pytest.FixtureRequest, greeter_url: str
) -> None:
    kubeconfig: Path = request.getfixturevalue(credential)
    up.options = ("--kubeconfig", str(kubeconfig))
    forget_the_administrator(foreign)
    world = world_on(up)

    assert up.kubeconfig == kubeconfig
    assert "kube" not in up.pids()
    install_greeter(world, greeter_url)
    body = world.get(GREETINGS, "admin").json
    assert (body["user"], body["received"]["authorization"]) == ("admin", False)
    assert world.get(PROXIED, "admin").json["path"] == "/public/hello/world"
    assert "System.register" in world.get(BUNDLE).body.decode()
    assert world.get("/api/v1/namespaces", "admin").json["kind"] == "NamespaceList"
    expect_status(world.get(GREETINGS), 401, "Unauthorized")

    uninstall(world, "greeter")
    wait(lambda: world.get(GREETINGS, "admin").code == 404, "the API to go")
    wait(lambda: world.get(BUNDLE).code == 404, "the bundle to go")
    assert not (up.data / "kube").exists(), "a foreign cluster's state has no place here"
    assert not (up.data / "pki").exists()
    assert_holds_no_foreign_path(up, foreign)


def forget_the_administrator(foreign: KubeApi) -> None:
    """Let the next platform on the shared cluster make its administrator anew and so tell the password.

    No controllers are running, so nobody else takes the finalizer off.
    """
    free = '{"metadata": {"finalizers": null}}'
    foreign.kubectl("patch", "users.iam.kubesphere.io", "admin", "--type=merge", "-p", free)
    done = foreign.kubectl("delete", "users.iam.kubesphere.io", "admin", "--ignore-not-found")
    assert done.returncode == 0 or "the server doesn't have a resource type" in done.stderr, done.stderr


def assert_holds_no_foreign_path(up: Up, foreign: KubeApi) -> None:
    """No process of the platform has a file of the cluster's open, nor its path in the environment or arguments."""
    for name, pid in up.pids().items():
        opened = {os.readlink(link) for link in _links(pid)}
        assert not [path for path in opened if path.startswith(str(foreign.data_dir))], name
        words = Path(f"/proc/{pid}/cmdline").read_text() + Path(f"/proc/{pid}/environ").read_text()
        assert str(foreign.data_dir) not in words, name


def _links(pid: int) -> Iterator[Path]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if link.is_symlink():
            yield link
