"""An extension brings a role template along: whoever views a project may view its things while it is installed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo.world import World, wait
from tests.e2e.running import create_user, tiny_extension, uninstall

pytestmark = pytest.mark.e2e

NAME = "roledemo"
USER = "rolanda"
PROJECT = "role-demo"
TEMPLATE = """apiVersion: iam.kubesphere.io/v1beta1
kind: RoleTemplate
metadata:
  name: namespace-view-things
  labels:
    iam.kubesphere.io/scope: namespace
    iam.kubesphere.io/aggregate-to-viewer: ""
spec:
  displayName: {en: Thing Viewing, zh: 查看}
  rules:
  - {verbs: [get, list, watch], apiGroups: [things.example.com], resources: [things]}
"""
PERMISSIONS = """---
kind: ClusterRole
rules:
- {verbs: ['*'], apiGroups: [iam.kubesphere.io], resources: [roletemplates]}
"""


def given(world: World, *objects: dict[str, Any]) -> None:
    world.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]}))


def test_a_template_comes_and_goes_with_its_extension(world: World, tmp_path: Path) -> None:
    create_user(world, USER)
    source = tiny_extension(tmp_path, NAME)
    (source / "templates" / "role.yaml").write_text(TEMPLATE)
    with (source / "permissions.yaml").open("a") as permissions:
        permissions.write(PERMISSIONS)
    api, reference = "iam.kubesphere.io/v1beta1", {"apiGroup": "iam.kubesphere.io", "kind": "Role", "name": "viewer"}
    labels = {"kubesphere.io/workspace": "system-workspace"}
    try:
        given(
            world,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PROJECT, "labels": labels}},
            {"apiVersion": api, "kind": "RoleBinding", "metadata": {"name": USER, "namespace": PROJECT},
             "subjects": [{"kind": "User", "name": USER}], "roleRef": reference},
        )  # fmt: skip
        pods = f"/api/v1/namespaces/{PROJECT}/pods"
        things = f"/kapis/things.example.com/v1/namespaces/{PROJECT}/things"
        wait(lambda: world.get(pods, USER).code == 200, "a viewer to see pods, through the gateway and below")
        assert world.get(f"/api/v1/namespaces/{PROJECT}/secrets", USER).code == 403
        assert world.get(things, USER).code == 403
        world.ksbuilder("publish", world.package(source))
        world.plan(NAME, "1.0.0")
        world.wait_installed(NAME, "1.0.0")
        wait(lambda: world.get(things, USER).code == 404, "what nobody serves to be found missing, not forbidden")
        assert world.send("POST", things, USER, {}).code == 403
        uninstall(world, NAME)
        wait(lambda: world.get(things, USER).code == 403, "the rule to go with the extension")
    finally:
        world.kubectl("delete", "installplans.kubesphere.io", NAME, "--ignore-not-found")
        world.ksbuilder("unpublish", NAME)
        world.kubectl("delete", "namespace", PROJECT, "--ignore-not-found", "--wait=false")
        world.kubectl("delete", "users.iam.kubesphere.io", USER, "--ignore-not-found")
