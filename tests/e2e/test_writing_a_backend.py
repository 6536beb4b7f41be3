"""docs/writing-a-backend.md, run: the sample and both examples believe the gateway and nobody else."""

import base64
import json
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from dovetail.iam.assertions import HEADER, AssertionKey, AssertionSigner
from dovetail.iam.policy import Identity
from tests.conftest import free_port
from tests.e2e.certificates import Certificate, make_certificate
from tests.e2e.demo.platform import ROOT
from tests.e2e.demo.web import Answer
from tests.e2e.demo.world import World, wait
from tests.e2e.echo import echo
from tests.e2e.running import SAMPLES, answers

pytestmark = pytest.mark.e2e

API = "/kapis/greeter.dovetail.dev/v1alpha1/greetings"
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "writing-a-backend.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def trust(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ConfigMap as a pod of the extension has it mounted."""
    found = config_map(world, "extension-greeter")
    assert found == config_map(world, "kubesphere-system")
    directory = tmp_path_factory.mktemp("trust")
    for key, text in found.items():
        (directory / key).write_text(text)
    return directory


def config_map(world: World, namespace: str) -> dict[str, str]:
    arguments = ("get", "configmap", "dovetail-gateway", "-n", namespace, "-o", "json")
    wait(lambda: "dovetail-gateway" in world.kubectl("get", "configmaps", "-n", namespace), f"{namespace}'s ConfigMap")
    return json.loads(world.kubectl(*arguments))["data"]


@contextmanager
def sample(*options: str | Path) -> Iterator[int]:
    """The sample's backend; its port."""
    command = [sys.executable, str(SAMPLES / "greeter" / "backend" / "server.py"), "--port", "0", *map(str, options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@contextmanager
def proxied(world: World, name: str, upstream: dict[str, Any]) -> Iterator[str]:
    """A ReverseProxy to a backend, which answers; its path."""
    proxy = {
        "apiVersion": "extensions.kubesphere.io/v1alpha1",
        "kind": "ReverseProxy",
        "metadata": {"name": name},
        "spec": {
            "matcher": {"path": f"/proxy/{name}/*", "method": "*"},
            "upstream": upstream,
            "directives": {"stripPathPrefix": f"/proxy/{name}", "authProxy": True},
        },
    }
    world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(proxy))
    try:
        wait(lambda: answers(lambda: world.get(f"/proxy/{name}/healthz", "admin")), "the proxy")
        yield f"/proxy/{name}"
    finally:
        world.kubectl("delete", "reverseproxies.extensions.kubesphere.io", name)


def signer(world: World, issuer: str) -> AssertionSigner:
    """With the key of the gateway itself, as only its workers have it."""
    arguments = ("get", "secret", "dovetail-assertion-keys", "-n", "kubesphere-system", "-o", "json")
    (stored,) = json.loads(base64.b64decode(json.loads(world.kubectl(*arguments))["data"]["entries.json"]))
    return AssertionSigner(issuer, AssertionKey(stored["kid"], stored["private"]))


def overheard(world: World) -> str:
    """An assertion that another backend got."""
    with echo() as url, proxied(world, "overheard", {"url": url}) as path:
        said = dict(world.get(f"{path}/x", "admin").json["headers"])
    return said[HEADER.lower()]


def test_the_sample_believes_the_assertion_and_nothing_else(world: World) -> None:
    with sample("--gateway", world.url) as port:
        own = f"127.0.0.1:{port}"

        def told(**headers: str) -> Answer:
            """Straight to the backend, past the gateway."""
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return world.web.call("GET", f"http://{own}{API}", headers=sent)

        with proxied(world, "trusting", {"url": f"http://{own}"}) as path:
            greeted = world.get(path + API, "admin")
            assert (greeted.code, greeted.json["user"]) == (200, "admin"), greeted
            assert "system:authenticated" in greeted.json["groups"]
            assert HEADER.lower() in greeted.json["received"]["headers"]
            lies = {"X-Remote-User": "root", HEADER: "forged"}
            again = world.web.call("GET", world.url + path + API, token=world.tokens["admin"], headers=lies)
            assert again.json["user"] == "admin"
        ours = signer(world, world.url)
        alice = Identity(name="alice")
        now = time.time()
        assert told(X_Dovetail_Assertion=ours.sign(alice, own, now)).json["user"] == "alice", "the key is the right one"
        for bad in (
            "", "forged", overheard(world), world.tokens["admin"], ours.sign(alice, own, now - 300),
            ours.sign(alice, "127.0.0.1:1", now), ours.sign(alice, own, now)[:-6] + "AAAAAA",
            signer(world, "https://elsewhere").sign(alice, own, now),
        ):  # fmt: skip
            assert told(X_Remote_User="root", X_Dovetail_Assertion=bad).code == 401, bad


def test_the_sample_takes_connections_of_the_gateway_only(world: World, trust: Path, tmp_path: Path) -> None:
    own = make_certificate(tmp_path)
    port = free_port()
    options = ("--trust", trust, "--audience", f"localhost:{port}", "--tls-cert", own.chain, "--tls-key", own.key)
    with sample(*options, "--port", str(port)):
        upstream = {"url": f"https://localhost:{port}", "caBundle": own.base64}
        with proxied(world, "private", upstream) as path:
            greeted = world.get(path + API, "admin")
            assert (greeted.code, greeted.json["user"]) == (200, "admin"), greeted
        stranger_is_refused(own, port)


def stranger_is_refused(own: Certificate, port: int) -> None:
    """Not even /healthz, neither without a certificate nor with one of somebody else's authority."""
    with_theirs = own.client_context()
    with_theirs.load_cert_chain(own.chain, own.key)
    for context in (own.client_context(), with_theirs):
        with pytest.raises(OSError) as caught:  # noqa: PT011 - an alert or a reset, as the handshake goes
            urllib.request.urlopen(f"https://localhost:{port}/healthz", context=context, timeout=10)
        assert not isinstance(caught.value, urllib.error.HTTPError), "it was answered"


def test_the_first_example(world: World, trust: Path) -> None:
    scope: dict[str, Any] = {}
    exec(EXAMPLES[0].replace("/etc/dovetail", str(trust)), scope)
    caller: Callable[[str], dict[str, Any]] = scope["caller"]
    ours, audience = signer(world, (trust / "issuer").read_text()), "greeter-backend.extension-greeter.svc:8080"
    alice, now = Identity(name="alice", uid="u", groups=("g",)), time.time()
    said = caller(ours.sign(alice, audience, now))
    assert (said["sub"], said["uid"], said["groups"], said["extra"]) == ("alice", "u", ["g"], {})
    for bad in (ours.sign(alice, audience, now - 300), ours.sign(alice, "x", now), overheard(world), "", "a.b.c"):
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a backend makes of it, it is not believed
            caller(bad)
    keys = json.loads((trust / "jwks.json").read_text())["keys"]
    published = world.get("/oauth/keys").json["keys"]
    assert all(key in published and "d" not in key for key in keys)
    assert len(published) == len(keys) + 1, "the key of tokens is there, too, and in no backend's trust"


def test_the_second_example(world: World, trust: Path, tmp_path: Path) -> None:
    own, port = make_certificate(tmp_path), free_port()
    (tmp_path / "tls.crt").write_bytes(own.chain.read_bytes())
    (tmp_path / "tls.key").write_bytes(own.key.read_bytes())
    (tmp_path / "healthz").write_text("ok")
    program = EXAMPLES[1].replace("/etc/dovetail", str(trust)).replace("8443", str(port))
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        with proxied(world, "second", {"url": f"https://localhost:{port}", "caBundle": own.base64}) as path:
            assert world.get(f"{path}/healthz", "admin").body == b"ok"
        stranger_is_refused(own, port)
    finally:
        process.terminate()
        process.wait(10)


def test_the_private_half_stays_private(world: World) -> None:
    run = world.platform.directory / "data" / "run"
    (file,) = run.glob("gateway-client.pem")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY" in file.read_text()
    context = ssl.create_default_context()
    context.load_cert_chain(file)
    for name in ("dovetail-assertion-keys", "dovetail-gateway-authority"):
        assert world.get(f"/api/v1/namespaces/kubesphere-system/secrets/{name}").code == 401
