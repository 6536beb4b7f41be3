"""What cannot work is refused in one sentence that says the way out, and leaves nothing behind."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.e2e.certificates import make_certificate
from tests.e2e.demo.platform import BIN, free_port
from tests.e2e.demo.world import World
from tests.e2e.running import GREETINGS, Up, processes_of, tiny_extension

pytestmark = pytest.mark.e2e


def refused(*arguments: str | Path, environment: dict[str, str] | None = None) -> str:
    """Run a command that must refuse: exit code 1, no traceback. What it said."""
    done = subprocess.run(
        [str(BIN / arguments[0]), *map(str, arguments[1:])],
        capture_output=True, text=True, timeout=50, env=environment,
    )  # fmt: skip
    assert done.returncode == 1, done
    assert done.stdout == "" or arguments[0] == "ksbuilder", done.stdout  # which says what it begins
    assert "Traceback" not in done.stderr, done.stderr
    return done.stderr.strip()


def up_refused(up: Up, *options: str | Path) -> str:
    """Refused by `dovetail up` on the data of `up`; nothing runs afterwards."""
    said = refused("dovetail", "up", "--data-dir", up.data, *options)
    assert not processes_of(up.directory), processes_of(up.directory)
    assert not (up.data / "run" / "platform.json").exists()
    return said


def ports(port: int = 0, kube_port: int = 0) -> tuple[str, ...]:
    return "--port", str(port), "--kube-port", str(kube_port)


def test_a_second_platform_on_the_same_data(world: World) -> None:
    data = world.scratch / "data"
    before = world.platform.pids()
    said = refused("dovetail", "up", "--data-dir", data, *ports())

    assert f"in use by process {before['supervisor']}" in said
    assert "--data-dir" in said
    assert len(said.splitlines()) == 1
    assert world.platform.pids() == before
    assert world.get(GREETINGS, "admin").code == 200


def test_a_second_platform_on_the_same_ports(world: World, up: Up) -> None:
    """The workers share their port among themselves, and with nobody else."""
    said = up_refused(up, *ports(port=world.platform.port))
    taken = f"Port {world.platform.port} on 127.0.0.1 is taken by another program."
    assert said == f"{taken} Stop it, or choose another port with --port."
    assert "--kube-port" in up_refused(up, *ports(kube_port=world.platform.kube_port))
    assert world.get(GREETINGS, "admin").code == 200


@pytest.fixture
def kubeconfig(world: World, tmp_path: Path):
    """Write a variation of the good kubeconfig."""
    good = yaml.safe_load(world.platform.kubeconfig.read_text())

    def write(**changes: object) -> Path:
        cluster, user = good["clusters"][0]["cluster"], good["users"][0]["user"]
        for key, value in changes.items():
            key = key.replace("_", "-")
            (user if key in ("token",) else cluster)[key] = value
            if key == "token":
                user.pop("client-certificate-data", None)
                user.pop("client-key-data", None)
        path = tmp_path / "bad.kubeconfig"
        path.write_text(yaml.safe_dump(good))
        return path

    return write


def test_a_cluster_that_is_not_there(up: Up, kubeconfig) -> None:
    path = kubeconfig(server=f"https://127.0.0.1:{free_port()}")
    assert one_sentence(up_refused(up, *ports(), "--kubeconfig", path), path)


def test_a_cluster_that_refuses_the_credentials(up: Up, kubeconfig) -> None:
    path = kubeconfig(token="not-a-token")
    said = up_refused(up, *ports(), "--kubeconfig", path)
    assert one_sentence(said, path)
    assert "not-a-token" not in said


def test_a_cluster_with_another_authority(up: Up, kubeconfig, tmp_path: Path) -> None:
    path = kubeconfig(certificate_authority_data=make_certificate(tmp_path).base64)
    said = up_refused(up, *ports(), "--kubeconfig", path)
    assert one_sentence(said, path)
    assert "certificate" in said.lower()


def test_a_kubeconfig_that_is_none(up: Up, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(b"\x00\x01 not yaml: [")
    assert one_sentence(up_refused(up, *ports(), "--kubeconfig", path), path)


def one_sentence(said: str, path: Path) -> bool:
    assert len(said.splitlines()) == 1, said
    assert str(path) in said
    assert "kubectl cluster-info" in said
    return True


def test_a_damaged_state(up: Up) -> None:
    (up.data / "kube").mkdir(parents=True)
    (up.data / "kube" / "state.db").write_bytes(b"this is not a database, it only looks like one" * 100)
    said = up_refused(up, *ports())
    assert said.startswith("kube did not start")
    assert str(up.data / "logs" / "kube.log") in said
    assert "state.db" in said, said


def test_a_key_that_is_not_the_certificates(up: Up, tmp_path: Path) -> None:
    ours, theirs = make_certificate(tmp_path, "ours"), make_certificate(tmp_path, "theirs")
    said = up_refused(up, *ports(), "--tls-cert", ours.chain, "--tls-key", theirs.key)
    assert str(theirs.key) in said, said
    assert len(said.splitlines()) == 1, said


def test_a_certificate_that_is_none(up: Up, tmp_path: Path) -> None:
    made, text = make_certificate(tmp_path), tmp_path / "cert.pem"
    text.write_text("hello")
    said = up_refused(up, *ports(), "--tls-cert", text, "--tls-key", made.key)
    assert str(text) in said, said
    assert len(said.splitlines()) == 1, said


@pytest.mark.parametrize(
    ("name", "content"),
    [("broken-1.0.0.tgz", b"\x1f\x8b but no archive"), ("empty-1.0.0.tgz", b""), ("missing-1.0.0.tgz", None)],
)
def test_an_unreadable_package(world: World, tmp_path: Path, name: str, content: bytes | None) -> None:
    before = catalogue(world)
    archive = tmp_path / name
    if content is not None:
        archive.write_bytes(content)
    environment = {**os.environ, "KUBECONFIG": str(world.platform.kubeconfig)}
    said = refused("ksbuilder", "publish", archive, environment=environment)

    assert name in said or "The archive cannot be read" in said
    assert len(said.splitlines()) == 1, said
    assert catalogue(world) == before


def test_a_cut_off_package(world: World, tmp_path: Path) -> None:
    before = catalogue(world)
    whole = world.package(tiny_extension(tmp_path, "cut-off"))
    archive = tmp_path / whole.name
    archive.write_bytes(whole.read_bytes()[:300])
    environment = {**os.environ, "KUBECONFIG": str(world.platform.kubeconfig)}
    said = refused("ksbuilder", "publish", archive, environment=environment)

    assert "cut short" in said
    assert catalogue(world) == before


def catalogue(world: World) -> list[str]:
    """Everything that publishing could leave."""
    kinds = "extensions,extensionversions,categories.kubesphere.io,configmaps"
    found = json.loads(world.kubectl("get", kinds, "-A", "-o", "json"))
    return sorted(f"{item['kind']}/{item['metadata']['name']}" for item in found["items"])
