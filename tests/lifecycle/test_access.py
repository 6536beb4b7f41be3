"""The account of an extension: exactly the declared rights, and the minimum in its own namespace."""

import pytest

from dovetail.apis import labels
from dovetail.lifecycle.access import access_objects, account_user, is_protected, namespace_object
from dovetail.packaging.permissions import read_permissions

PERMISSIONS = b"""\
kind: ClusterRole
rules:
- {verbs: ["*"], apiGroups: [extensions.kubesphere.io], resources: ["*"]}
---
kind: Role
rules:
- {verbs: [get], apiGroups: [example.test], resources: [things]}
"""


def test_rules_of_permissions_yaml_and_the_minimum() -> None:
    objects = {obj["kind"]: obj for _, obj in access_objects("greeter", "here", read_permissions(PERMISSIONS))}
    assert list(objects) == ["ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"]
    assert objects["ClusterRole"]["rules"] == [
        {"verbs": ["*"], "apiGroups": ["extensions.kubesphere.io"], "resources": ["*"]}
    ]
    declared, minimum = objects["Role"]["rules"]
    assert declared == {"verbs": ["get"], "apiGroups": ["example.test"], "resources": ["things"]}
    assert minimum["resources"] == ["*"]
    assert "extensions.kubesphere.io" not in minimum["apiGroups"]
    assert objects["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "helm-executor.greeter", "namespace": "here"}
    ]
    assert all(obj["metadata"]["labels"][labels.EXTENSION_REF] == "greeter" for obj in objects.values())


def test_no_permissions_file_means_no_rights_in_the_cluster() -> None:
    objects = {obj["kind"]: obj for _, obj in access_objects("greeter", "here", read_permissions(b""))}
    assert objects["ClusterRole"]["rules"] == []


def test_an_upgrade_keeps_the_old_rights_until_it_is_through() -> None:
    old = {"verbs": ["*"], "apiGroups": ["old.test"], "resources": ["*"]}
    same = {"verbs": ["*"], "apiGroups": ["extensions.kubesphere.io"], "resources": ["*"]}
    found = access_objects("greeter", "here", read_permissions(PERMISSIONS), {"ClusterRole": [old, same]})
    rules = next(obj["rules"] for _, obj in found if obj["kind"] == "ClusterRole")
    assert rules == [same, old]


def test_helm_acts_as_the_account() -> None:
    assert account_user("greeter", "here") == "system:serviceaccount:here:helm-executor.greeter"


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kubesphere-system", "kube-x"])
def test_namespaces_of_the_platform_are_out_of_bounds(name: str) -> None:
    assert is_protected(name)


def test_a_namespace_of_an_extension() -> None:
    assert not is_protected("extension-greeter")
    assert not is_protected("kubesphere-devops-system")  # the seed's own example
    assert namespace_object("greeter", "extension-greeter")["metadata"]["labels"] == {
        "kubesphere.io/extension-ref": "greeter",
        "kubesphere.io/workspace": "system-workspace",
        "kubesphere.io/managed": "true",
    }
