"""What a kubectl user does, with the real kubectl (1.32)."""

import json
import subprocess
import threading
from typing import Any

import pytest
import yaml

from .conftest import Server, config_map, deployment


def test_create_get_label_patch_scale_delete(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    k("create", "configmap", "a", "--from-literal=x=1")
    assert k("get", "cm", "a", "-o", "jsonpath={.data.x}") == "1"
    k("label", "cm", "a", "tier=front")
    k("annotate", "cm", "a", "note=yes")
    assert "a" in k("get", "cm", "-l", "tier in (front)", "-o", "name")
    assert "No resources found" in k("get", "cm", "-l", "tier=back")
    k("patch", "cm", "a", "--type=merge", "-p", '{"data":{"y":"2"}}')
    k("patch", "cm", "a", "--type=json", "-p", '[{"op":"remove","path":"/data/x"}]')
    assert json.loads(k("get", "cm", "a", "-o", "json"))["data"] == {"y": "2"}
    k("create", "deployment", "web", "--image=nginx", "--replicas=2")
    k("scale", "deployment", "web", "--replicas=3")
    k("set", "image", "deployment/web", "nginx=nginx:2")
    image = k("get", "deploy", "web", "-o", "jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}")
    assert image == "3 nginx:2"
    k("delete", "deployment/web", "cm/a")
    assert "NotFound" in k("get", "cm", "a", code=1)


def test_apply_is_idempotent_removes_what_it_set_and_leaves_the_rest(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    first = deployment("web", paused=True)
    assert "created" in k("apply", "-f", "-", stdin=first)
    assert "unchanged" in k("apply", "-f", "-", stdin=first)
    k("scale", "deploy/web", "--replicas=4")
    assert "configured" in k("apply", "-f", "-", stdin=deployment("web"))
    spec = json.loads(k("get", "deploy", "web", "-o", "json"))["spec"]
    assert spec["replicas"] == 4
    assert "paused" not in spec


def test_server_side_apply_conflicts_and_force(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    k("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=config_map("c", x="1"))
    told = k("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=config_map("c", x="2"), code=1)
    assert 'conflict with "one": .data.x' in told
    k(
        "apply",
        "--server-side",
        "--field-manager=two",
        "--force-conflicts",
        "-f",
        "-",
        stdin=config_map("c", x="2", y="3"),
    )
    k("apply", "--server-side", "--field-manager=two", "-f", "-", stdin=config_map("c", x="2"))
    assert json.loads(k("get", "cm", "c", "-o", "json"))["data"] == {"x": "2"}


def test_diff_replace_edit_like_round_trip_and_dry_run(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    k("apply", "-f", "-", stdin=config_map("c", x="1"))
    assert '+  x: "2"' in k("diff", "-f", "-", stdin=config_map("c", x="2"), code=1)
    assert 'x: "1"' in k("get", "cm", "c", "-o", "yaml")
    k("apply", "--dry-run=server", "-f", "-", stdin=config_map("c", x="9"))
    k("create", "configmap", "ghost", "--dry-run=server")
    assert "NotFound" in k("get", "cm", "ghost", code=1)
    fetched = yaml.safe_load(k("get", "cm", "c", "-o", "yaml"))
    fetched["data"]["x"] = "5"
    k("replace", "-f", "-", stdin=fetched)
    assert k("get", "cm", "c", "-o", "jsonpath={.data.x}") == "5"
    assert "Conflict" in k("replace", "-f", "-", stdin=fetched, code=1)


@pytest.mark.parametrize(
    ("obj", "told"),
    [
        (config_map("a") | {"dota": {}}, 'unknown field "dota"'),
        ({**config_map("b"), "metadata": {"name": "b", "labels": "a=b"}}, "metadata.labels"),
        (config_map("Bad_Name"), "a lowercase RFC 1123 subdomain must consist of"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}}, "spec.containers: Required value"),
        (
            deployment("d", replicas="three"),
            "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas",
        ),
        ({"apiVersion": "no.such/v1", "kind": "Thing", "metadata": {"name": "t"}}, 'no matches for kind "Thing"'),
    ],
)
def test_what_is_wrong_is_refused_with_the_reason(server: Server, namespace: str, obj: Any, told: str) -> None:
    assert told in server.kubectl("-n", namespace, "create", "-f", "-", stdin=obj, code=1)


def test_columns(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    k("run", "p", "--image=nginx")
    k("create", "service", "clusterip", "s", "--tcp=80")
    k("create", "secret", "generic", "x", "--from-literal=a=b")
    k("create", "deploy", "d", "--image=nginx")
    k("create", "role", "r", "--verb=get", "--resource=pods")
    k("create", "rolebinding", "rb", "--role=r", "--user=bob")
    expected = {
        "pods": "NAME READY STATUS RESTARTS AGE",
        "svc": "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE",
        "secrets": "NAME TYPE DATA AGE",
        "deploy": "NAME READY UP-TO-DATE AVAILABLE AGE",
        "roles": "NAME CREATED AT",
        "rolebindings": "NAME ROLE AGE",
        "ns": "NAME STATUS AGE",
    }
    for plural, header in expected.items():
        assert " ".join(k("get", plural).splitlines()[0].split()) == header
    assert k("get", "pods", "--no-headers").split()[:4] == ["p", "0/1", "Pending", "0"]
    assert "deployment.apps/d" in k("get", "all")


def test_describe_explain_and_discovery(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    k("create", "deploy", "d", "--image=nginx")
    assert "RollingUpdateStrategy:  25% max unavailable" in k("describe", "deploy", "d")
    assert "replicas\t<integer>" in k("explain", "deployment.spec")
    assert "Server Version: v1.36" in k("version")
    resources = k("api-resources")
    assert "deployments" in resources
    assert "customresourcedefinitions" in resources
    assert "apps/v1" in k("api-versions")


def test_wait_and_watch(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    k("create", "configmap", "c")
    watch = subprocess.Popen(
        ["kubectl", "--kubeconfig", str(server.kubeconfig), "-n", namespace, "get", "cm", "-w", "-o", "name"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "configmap/c\n"
        k("create", "configmap", "later")
        assert watch.stdout.readline() == "configmap/later\n"
    finally:
        watch.kill()
        watch.wait(10)
        watch.stdout.close()
    timer = threading.Timer(0.5, lambda: k("label", "cm", "c", "done=yes"))
    timer.start()
    k("wait", "cm/c", "--for=jsonpath={.metadata.labels.done}=yes", "--timeout=20s")
    timer.join()
    timer = threading.Timer(0.5, lambda: k("delete", "cm", "c"))
    timer.start()
    k("wait", "cm/c", "--for=delete", "--timeout=20s")
    timer.join()


def test_a_namespace_ends_when_its_finalizer_is_gone(server: Server, namespace: str) -> None:
    server.kubectl("delete", "namespace", namespace, "--wait=false")
    assert server.kubectl("get", "ns", namespace, "-o", "jsonpath={.status.phase}") == "Terminating"
    told = server.kubectl("-n", namespace, "create", "configmap", "late", code=1)
    assert "because it is being terminated" in told
    body = json.loads(server.kubectl("get", "ns", namespace, "-o", "json"))
    body["spec"]["finalizers"] = []
    server.kubectl("replace", "--raw", f"/api/v1/namespaces/{namespace}/finalize", "-f", "-", stdin=body)
    assert "NotFound" in server.kubectl("get", "ns", namespace, code=1)
    assert "may not be deleted" in server.kubectl("delete", "ns", "default", code=1)


def test_finalizers_hold_an_object_until_they_are_gone(server: Server, namespace: str) -> None:
    k = lambda *a, **o: server.kubectl("-n", namespace, *a, **o)  # noqa: E731
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.dev/hold"]
    k("create", "-f", "-", stdin=held)
    k("delete", "cm", "held", "--wait=false")
    assert k("get", "cm", "held", "-o", "jsonpath={.metadata.deletionTimestamp}")
    added = '{"metadata":{"finalizers":["example.dev/hold","example.dev/more"]}}'
    assert "no new finalizers can be added" in k("patch", "cm", "held", "--type=merge", "-p", added, code=1)
    k("patch", "cm", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "NotFound" in k("get", "cm", "held", code=1)
    k("create", "deploy", "d", "--image=nginx")
    k("delete", "deploy", "d", "--cascade=foreground", "--wait=false")
    assert k("get", "deploy", "d", "-o", "jsonpath={.metadata.finalizers}") == '["foregroundDeletion"]'


def test_a_large_manifest_of_many_kinds(server: Server, namespace: str) -> None:
    items = [config_map(f"c{n}", x="y" * 1000) for n in range(25)]
    server.kubectl("-n", namespace, "apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})
    names = server.kubectl("-n", namespace, "get", "cm", "-o", "name", "--chunk-size=7").split()
    assert len(names) == 25
    server.kubectl("-n", namespace, "delete", "cm", "--all")
    assert "No resources" in server.kubectl("-n", namespace, "get", "cm")
