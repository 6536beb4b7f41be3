"""The seed document's YAML, applied with kubectl to a running platform, does what the document says.

Only the hosts are changed, to backends that answer here; TLS is verified with the authority that the examples leave
room for.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.apis.documents import seed_examples, shape_examples
from tests.e2e.certificates import Certificate, make_certificate
from tests.e2e.demo.world import World, expect_status, wait
from tests.e2e.echo import echo
from tests.e2e.running import answers, tiny_extension
from tests.own_address import own_address

pytestmark = pytest.mark.e2e

Object = dict[str, Any]


@pytest.fixture(params=[seed_examples, shape_examples], ids=["seed", "shape"])
def examples(request: pytest.FixtureRequest) -> dict[str, Object]:
    return copy.deepcopy(request.param())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("echo-tls"))


@pytest.fixture(scope="module")
def secure_echo(certificate: Certificate) -> Iterator[str]:
    with echo(certificate) as url:
        yield url


@pytest.fixture
def applied(world: World) -> Iterator[Any]:
    """Apply objects, delete them at the end."""
    made: list[Object] = []

    def apply(obj: Object) -> None:
        made.append(obj)
        world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(obj))

    yield apply
    for obj in reversed(made):
        world.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=yaml.safe_dump(obj))


def header(facts: Object, name: str) -> list[str]:
    return [value for key, value in facts["headers"] if key == name]


def test_api_service(world: World, examples, applied, secure_echo: str, certificate: Certificate) -> None:
    obj = examples["APIService"]
    spec = obj["spec"]
    path = f"/kapis/{spec['group']}/{spec['version']}/pipelines?limit=3"
    spec |= {"url": secure_echo, "caBundle": certificate.base64, "nonResourceURLs": ["/devops-login/*", "/devops-ping"]}
    applied(obj)

    wait(lambda: answers(lambda: world.get(path, "admin")), "the API", also=lambda: state(world, obj))
    facts = world.get(path, "admin").json
    assert facts["path"] == path
    assert header(facts, "x-remote-user") == ["admin"]
    assert not header(facts, "authorization")
    expect_status(world.get(path), 401, "Unauthorized")
    assert world.get("/devops-login/a/b", "admin").json["path"] == "/devops-login/a/b"
    assert world.get("/devops-ping", "admin").json["path"] == "/devops-ping"
    expect_status(world.get("/devops-login/a/b"), 401, "Unauthorized")

    world.kubectl("delete", kind_of(obj), obj["metadata"]["name"])
    wait(lambda: world.get(path, "admin").code == 404, "the API to go")


def test_api_service_with_an_authority_that_is_not_the_backends(
    world: World, examples, applied, secure_echo: str, tmp_path: Path
) -> None:
    obj = examples["APIService"]
    path = f"/kapis/{obj['spec']['group']}/{obj['spec']['version']}/pipelines"
    obj["spec"] |= {"url": secure_echo, "caBundle": make_certificate(tmp_path, "other").base64}
    applied(obj)

    wait(
        lambda: world.get(path, "admin").code in (502, 503), "the refusal", also=lambda: repr(world.get(path, "admin"))
    )
    assert world.get(path, "admin").json["kind"] == "Status"

    obj["spec"] |= {"insecureSkipTLSVerify": True}
    applied(obj)
    wait(lambda: answers(lambda: world.get(path, "admin")), "the API without verification")


def test_api_service_by_service(world: World, examples, applied, secure_echo: str) -> None:
    """The commented half of the example: `service` with a path, on endpoints that the cluster knows."""
    host = own_address()
    with echo(host=host) as url:
        obj = examples["APIService"]
        spec = obj["spec"]
        for key in ("url", "caBundle", "insecureSkipTLSVerify"):
            spec.pop(key, None)
        namespace = "kubesphere-devops-system"
        spec["service"] = {"namespace": namespace, "name": "ks-devops", "path": "/v1alpha1", "port": 80}
        applied({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        applied(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "ks-devops", "namespace": namespace},
                "spec": {"ports": [{"port": 80}]},
            }
        )
        applied(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "ks-devops-1",
                    "namespace": namespace,
                    "labels": {"kubernetes.io/service-name": "ks-devops"},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
                "ports": [{"port": int(url.rpartition(":")[2])}],
            }
        )
        applied(obj)
        path = f"/kapis/{spec['group']}/{spec['version']}/pipelines"
        wait(lambda: answers(lambda: world.get(path, "admin")), "the API", also=lambda: state(world, obj))
        assert world.get(path, "admin").json["path"] == "/v1alpha1" + path


def test_reverse_proxy(world: World, examples, applied, secure_echo: str, certificate: Certificate) -> None:
    obj = examples["ReverseProxy"]
    obj["spec"]["upstream"] |= {"backend": secure_echo, "caBudle": certificate.base64, "insecureSkipVerify": False}
    obj["spec"]["matcher"].append({"path": "/old-prefix/*", "method": "GET"})
    applied(obj)

    as_printed = "/res/devops.kubesphere.io/images/logo%20big.png?v=1"
    wait(lambda: answers(lambda: world.get(as_printed, "admin")), "the proxy", also=lambda: state(world, obj))
    answer = world.get(as_printed, "admin")
    assert answer.json["path"] == as_printed
    assert header(answer.json, "foo") == ["Bar"]
    assert {key.lower(): value for key, value in answer.headers.items()}["foo"] == "Bar"
    assert not header(answer.json, "authorization")

    rewritten = world.get("/old-prefix/a?b=c", "admin")
    assert rewritten.json["path"] == "/new-prefix/old-prefix/a?b=c"
    assert world.send("POST", "/old-prefix/a", "admin", {}).code in (404, 405), "only GET is matched"
    expect_status(world.get("/old-prefix/a"), 401, "Unauthorized")


def test_js_bundle_by_config_map(world: World, examples, applied) -> None:
    obj = examples["JSBundle"]
    namespace = "kubesphere-devops-system"
    applied({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "devops", "namespace": namespace},
        "data": {"index.js": "System.register([], () => ({execute() {}})); // first"},
    }
    obj["spec"] = {"rawFrom": {"configMapKeyRef": {"name": "devops", "key": "index.js", "namespace": namespace}}}
    applied(obj)
    applied(config_map)
    link = "/dist/devops/index.js"  # from the Helm release's name, without its version

    wait(lambda: b"// first" in world.get(link).body, "the bundle", also=lambda: state(world, obj))
    config_map["data"]["index.js"] += "\n// second"
    applied(config_map)
    wait(lambda: b"// second" in world.get(link).body, "the changed bundle")
    world.kubectl("delete", kind_of(obj), obj["metadata"]["name"])
    wait(lambda: world.get(link).code == 404, "the bundle to go")


def test_js_bundle_by_url(world: World, examples, applied, secure_echo: str, certificate: Certificate) -> None:
    obj = examples["JSBundle"]
    path = "/dist/devops.kubesphere.io/v1alpha1/index.js"
    obj["spec"]["rawFrom"] = {"url": secure_echo + path, "caBundle": certificate.base64}
    applied(obj)

    link = "/dist/devops/index.js"
    wait(lambda: answers(lambda: world.get(link)), "the bundle", also=lambda: state(world, obj))
    facts = world.get(link).json
    assert facts["path"] == path
    assert not header(facts, "authorization")


def test_subscription(world: World, examples, tmp_path: Path) -> None:
    obj = examples["Subscription"]
    wanted = obj["spec"]["extension"]
    source = tiny_extension(tmp_path, wanted["name"], version=wanted["version"], value="foo")
    world.ksbuilder("publish", source)
    name, namespace = obj["metadata"]["name"], obj["spec"]["targetNamespace"]
    try:
        world.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(obj))
        wait(lambda: bool(plan_state(world, wanted["name"])), "the plan's state")
        wait(lambda: plan_state(world, wanted["name"]) in ("Installed", "InstallFailed"), "the plan's end")
        world.wait_installed(wanted["name"], wanted["version"])
        assert said_in(world, namespace, wanted["name"]) == ["bar"], "the config should reach the templates"
        jsonpath = ("subscriptions.kubesphere.io", name, "-o", "jsonpath={.status.state}")
        wait(lambda: world.kubectl("get", *jsonpath) == "Installed", "the Subscription to say so")
    finally:
        world.kubectl("delete", "subscriptions.kubesphere.io", name, "--ignore-not-found")
        wait(lambda: not world.plan_status(wanted["name"]), "the installation to go with its Subscription")
        wait(lambda: not said_in(world, namespace, wanted["name"]), "its objects to go")
        world.ksbuilder("unpublish", wanted["name"])


def plan_state(world: World, name: str) -> str:
    return str(world.plan_status(name).get("state", ""))


def said_in(world: World, namespace: str, extension: str) -> list[str]:
    """What the ConfigMaps of the tiny extension say."""
    selector = f"kubesphere.io/extension-ref={extension}"
    found = json.loads(world.kubectl("get", "configmaps", "-n", namespace, "-l", selector, "-o", "json"))
    return [item["data"]["said"] for item in found["items"]]


def kind_of(obj: Object) -> str:
    return f"{obj['kind'].lower()}.{obj['apiVersion'].partition('/')[0]}"


def state(world: World, obj: Object) -> str:
    return world.kubectl("get", kind_of(obj), obj["metadata"]["name"], "-o", "jsonpath={.status}")
