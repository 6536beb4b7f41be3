"""The 2.x gateway's configuration on a running platform: imported by the command, applied with kubectl, in force."""

import json

import pytest

from tests.e2e.demo.platform import BIN, run
from tests.e2e.demo.world import World, expect_status, wait
from tests.e2e.echo import echo
from tests.e2e.running import answers, create_user
from tests.gateway_proxy.test_golden_vectors import CADDYFILE

pytestmark = pytest.mark.e2e

DEVOPS = "/kapis/devops.kubesphere.io"
ALERTING = "/kapis/alerting.kubesphere.io/v1"


def test_the_configuration_of_2x_is_in_force(world: World, tmp_path) -> None:
    create_user(world, "vector")
    with echo() as url:
        text = CADDYFILE.read_text()
        for host in ("ks-jenkins.kubesphere-devops-system.svc", "ks-devops.kubesphere-devops-system.svc",
                     "ks-apiserver.kubesphere-system.svc"):  # fmt: skip
            text = text.replace(f"http://{host}", url)
        text = text.replace("http://alerting-client-server.kubesphere-alerting-system.svc:9200", url)
        (tmp_path / "Caddyfile").write_text(text)
        objects = tmp_path / "objects"
        written = run(BIN / "dovetail", "gateway", "import", tmp_path / "Caddyfile", "--output-dir", objects)
        assert len(written.split()) == len(list(objects.iterdir())) == 15
        world.kubectl("apply", "-f", str(objects))
        try:
            _check(world)
        finally:
            world.kubectl("delete", "-f", str(objects))
    wait(lambda: world.get("/job/a/1", "admin").code == 404, "the routes to go")


def _check(world: World) -> None:
    wait(lambda: answers(lambda: world.get("/job/a/1", "admin")), "the routes", also=lambda: _states(world))

    def path(target: str, user: str = "admin") -> str:
        answer = world.get(target, user)
        assert answer.code == 200, (target, answer.code, answer.body)
        return answer.json["path"]

    assert path("/job/a/1") == "/job/a/1"
    assert path("/kapis/jenkins.kubesphere.io/blue/rest/x", "vector") == "/blue/rest/x"
    assert path(f"{DEVOPS}/v1alpha/projects", "vector") == "/api/v1alpha/projects"
    assert path(f"{DEVOPS}/v1alpha2/devops/d?x=1", "vector") == f"{DEVOPS}/v1alpha2/devops/d?x=1"
    assert path(f"{ALERTING}/nodes/alert") == "/api/v1/nodes/alert"
    expect_status(world.get("/job/a/1"), 401, "Unauthorized")
    expect_status(world.get("/job/a/1", "vector"), 403, "Forbidden")
    expect_status(world.get(f"{ALERTING}/nodes/alert", "vector"), 403, "Forbidden")
    assert world.get("/kapis/openpitrix.io/v1/apps").code == 200, "open to everybody, as it was"
    assert world.get("/kapis/openpitrix.io/v1/repos").code == 401
    # what the platform serves itself stays its own
    assert world.get("/api/v1/namespaces", "admin").json["kind"] == "NamespaceList"
    assert world.get("/kapis/iam.kubesphere.io/v1beta1/users", "admin").code == 200


def _states(world: World) -> str:
    items = json.loads(world.kubectl("get", "reverseproxies.extensions.kubesphere.io", "-o", "json"))["items"]
    return repr([(obj["metadata"]["name"], obj.get("status")) for obj in items])
