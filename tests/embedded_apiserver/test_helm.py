"""The real Helm 4 SDK against the server: its server-side apply, its storage, and impersonation."""

import json
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest

from .charts import write_chart
from .conftest import Server


@pytest.fixture
def chart(tmp_path: Path) -> str:
    return str(write_chart(tmp_path / "demo"))


def state(server: Server, namespace: str) -> dict[str, Any]:
    found = server.kubectl(
        "-n", namespace, "get", "deploy/demo", "cm/demo", "gadgets.gadgets.example.dev/demo", "-o", "json"
    )
    deploy, config, gadget = json.loads(found)["items"]
    pod = deploy["spec"]["template"]["spec"]
    return {
        "replicas": deploy["spec"]["replicas"],
        "size": config["data"]["size"],
        "gadget": gadget["spec"]["size"],
        "containers": [c["name"] for c in pod["containers"]],
        "image": pod["containers"][0]["image"],
    }


FIRST = {"replicas": 1, "size": "1", "gadget": 1, "containers": ["c", "sidecar"], "image": "nginx:1"}
SECOND = {"replicas": 3, "size": "2", "gadget": 2, "containers": ["c"], "image": "nginx:2"}


def cycle(server: Server, namespace: str, chart: str, **config: Any) -> None:
    with helm.Config(kubeconfig_path=str(server.kubeconfig), namespace=namespace, **config) as client:
        client.install(chart, "demo", {})
        assert state(server, namespace) == FIRST
        client.upgrade(chart, "demo", {"size": 2, "replicas": 3, "sidecar": False})
        assert state(server, namespace) == SECOND
        client.rollback("demo", version=1)
        assert state(server, namespace) == FIRST
        assert [entry["status"] for entry in client.history("demo")] == ["superseded", "superseded", "deployed"]
        client.uninstall("demo")
    left = server.kubectl(
        "-n", namespace, "get", "deploy,cm,svc,sa,role,gadgets.gadgets.example.dev,secret", "-o", "name"
    )
    assert "demo" not in left


def test_the_life_of_a_release(server: Server, namespace: str, chart: str) -> None:
    cycle(server, namespace, chart)


def test_a_release_as_a_user_with_rights_in_one_namespace(server: Server, namespace: str, chart: str) -> None:
    server.kubectl("apply", "-f", f"{chart}/crds/gadgets.yaml")
    as_user = {"kube_as_user": "dev", "kube_as_groups": ["devs"]}
    with (
        helm.Config(kubeconfig_path=str(server.kubeconfig), namespace=namespace, **as_user) as client,
        pytest.raises(helm.HelmError, match='User "dev" cannot'),
    ):
        client.install(chart, "demo", {})
    server.kubectl("-n", namespace, "create", "rolebinding", "dev", "--clusterrole=admin", "--user=dev")
    name = f"gadgets-{namespace}"
    rules = ["--verb=*", "--resource=gadgets.gadgets.example.dev"]
    server.kubectl("-n", namespace, "create", "role", name, *rules)
    server.kubectl("-n", namespace, "create", "rolebinding", name, f"--role={name}", "--user=dev")
    definition = ["--verb=get,list,create,patch", "--resource=customresourcedefinitions.apiextensions.k8s.io"]
    server.kubectl("create", "clusterrole", name, *definition)
    server.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", "--user=dev")
    cycle(server, namespace, chart, **as_user)
    with (
        helm.Config(kubeconfig_path=str(server.kubeconfig), namespace="default", **as_user) as client,
        pytest.raises(helm.HelmError, match='User "dev" cannot'),
    ):
        client.install(chart, "demo", {})
