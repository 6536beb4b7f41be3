"""What is declared against what is needed, without a cluster: rule by rule, and the command on a file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dovetail.lifecycle.permissions_compared import EVERYTHING, compared, minimal, words
from dovetail.lifecycle.permissions_needed import Needed, RoleKey, needed, scopes
from dovetail.lifecycle.rendered import read
from dovetail.packaging.errors import InvalidPermissions
from dovetail.packaging.permissions import Rule, read_permissions
from tests.lifecycle.platform import package

ROLE = """\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get, list]}]
"""


def of(*texts: str, definitions: tuple[str, ...] = (), **existing: tuple[Rule, ...]) -> Needed:
    objects, made = read(texts), read(definitions)
    roles = {RoleKey("ClusterRole", "", name): rules for name, rules in existing.items()}
    return needed(objects, made, "here", scopes([*objects, *made]), roles)


def said(needs: Needed) -> list[str]:
    return [f"{'cluster' if one.cluster else 'here'}: {words(one.rule)}" for one in needs.wants]


def obj(kind: str, name: str, api_version: str = "v1", namespace: str = "", **annotations: str) -> str:
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    return yaml.safe_dump({"apiVersion": api_version, "kind": kind, "metadata": metadata})


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        (obj("ConfigMap", "c"), []),
        (obj("Namespace", "here"), []),
        (obj("Namespace", "there"), ["cluster: create namespaces", "cluster: get, patch, delete namespaces (there)"]),
        (obj("ConfigMap", "c", namespace="there"),
         ["cluster: create configmaps", "cluster: get, patch, delete configmaps (c)"]),
        (obj("JSBundle", "j", "extensions.kubesphere.io/v1alpha1"),
         ["cluster: create jsbundles.extensions.kubesphere.io",
          "cluster: get, patch, delete jsbundles.extensions.kubesphere.io (j)"]),
        (obj("Lease", "l", "coordination.k8s.io/v1"),
         ["here: create leases.coordination.k8s.io", "here: get, patch, delete leases.coordination.k8s.io (l)"]),
        (obj("Lease", "l", "coordination.k8s.io/v1", **{"helm.sh/resource-policy": "keep"}),
         ["here: create leases.coordination.k8s.io", "here: get, patch leases.coordination.k8s.io (l)"]),
        (obj("Lease", "l", "coordination.k8s.io/v1", **{"helm.sh/hook": "post-install"}),
         ["here: list, watch, create leases.coordination.k8s.io",
          "here: delete leases.coordination.k8s.io (l)"]),
        (obj("Lease", "l", "coordination.k8s.io/v1", **{"helm.sh/hook": "test"}), []),
        (ROLE, ["cluster: create clusterroles.rbac.authorization.k8s.io",
                "cluster: get, patch, delete clusterroles.rbac.authorization.k8s.io (reader)",
                "cluster: get, list nodes"]),
    ],
)  # fmt: skip
def test_what_an_object_takes(text: str, needs: list[str]) -> None:
    assert said(of(text)) == needs


def test_definitions_are_made_and_replaced() -> None:
    needs = of(definitions=(obj("CustomResourceDefinition", "x.example.org", "apiextensions.k8s.io/v1"),))
    resource = "customresourcedefinitions.apiextensions.k8s.io"
    assert said(needs) == [f"cluster: create {resource}", f"cluster: update {resource} (x.example.org)"]


def test_a_role_that_gathers_others_takes_the_right_to_hand_out_more() -> None:
    needs = of(ROLE.replace("rules:", "aggregationRule: {clusterRoleSelectors: []}\nrules:"))
    assert said(needs)[-1] == "cluster: escalate clusterroles.rbac.authorization.k8s.io"


def test_a_role_of_the_cluster_is_bound_by_right_or_by_holding_what_it_gives() -> None:
    binding = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: b}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lookers}\nsubjects: []\n"
    )
    bind = "cluster: bind clusterroles.rbac.authorization.k8s.io (lookers)"
    nodes = Rule(verbs=("get",), api_groups=("",), resources=("nodes",))
    assert bind in said(of(binding))
    assert bind in said(of(binding, lookers=(nodes,)))
    assert bind not in said(of(binding, ROLE, lookers=(nodes,)))


DECLARED = """\
kind: ClusterRole
rules:
- {verbs: ["*"], apiGroups: ["*"], resources: ["*"]}
- {verbs: [get, list], apiGroups: [""], resources: [nodes]}
- {verbs: [get], apiGroups: [""], resources: [secrets]}
- {verbs: [get, list, create, patch, delete, watch], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]}
---
kind: Role
rules:
- {verbs: [get], apiGroups: [""], resources: [pods]}
"""


def test_each_declared_rule_is_needed_wider_or_unused() -> None:
    found = compared(of(ROLE), DECLARED.encode())
    assert [(one.kind, one.use) for one in found.declared] == [
        ("ClusterRole", "wider"), ("ClusterRole", "needed"), ("ClusterRole", "unused"), ("ClusterRole", "wider"),
        ("Role", "unused"),
    ]  # fmt: skip
    assert found.declared[0].risks == (EVERYTHING,)
    assert found.declared[2].risks == ("read every Secret",)
    assert found.declared[3].beyond == ("verb list", "verb watch")
    assert [one.place for one in found.declared][:2] == ["permissions.yaml:3", "permissions.yaml:4"]
    assert found.missing == ()


def test_what_is_missing_is_told_with_its_parts() -> None:
    declared = "kind: ClusterRole\nrules:\n- {verbs: [create, get], apiGroups: ['*'], resources: [clusterroles]}\n"
    found = compared(of(ROLE), declared.encode())
    assert [[words(part) for part in one.parts] for one in found.missing] == [
        [
            "patch clusterroles.rbac.authorization.k8s.io (reader)",
            "delete clusterroles.rbac.authorization.k8s.io (reader)",
        ],
        ["get nodes", "list nodes"],
    ]
    more = declared.replace("create, get", "create, get, patch, delete, escalate")
    assert compared(of(ROLE), more.encode()).missing == (), "who may hand out more needs not hold it"


def test_the_least_file_is_enough_and_nothing_in_it_is_too_much() -> None:
    needs = of(ROLE, obj("Lease", "l", "coordination.k8s.io/v1"), obj("Deployment", "d", "apps/v1"))
    text = minimal(needs)
    assert read_permissions(text.encode()).cluster == needs.cluster
    found = compared(needs, text.encode())
    assert found.missing == ()
    assert found.excess == ()


def test_a_file_with_a_fault_is_refused() -> None:
    with pytest.raises(InvalidPermissions):
        compared(of(ROLE), b"kind: ClusterRole\nrules: [{verbs: []}]")


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    run = [sys.executable, "-m", "dovetail.cli.dovetail", "extension", "permissions", *arguments]
    return subprocess.run(run, capture_output=True, text=True, timeout=60)


def test_the_command_tells_of_a_file_and_writes_the_least(tmp_path: Path) -> None:
    first = tmp_path / "first.tgz"
    first.write_bytes(package("pc", "1.0.0", **{"templates__role.yaml": ROLE}))
    shown = command(str(first))
    assert shown.returncode == 2, shown
    assert "missing: create clusterroles.rbac.authorization.k8s.io" in shown.stdout
    least = command(str(first), "--output", "yaml")
    second = tmp_path / "second.tgz"
    second.write_bytes(package("pc", "1.0.0", **{"templates__role.yaml": ROLE, "permissions.yaml": least.stdout}))
    told = command(str(second), "--output", "json")
    assert told.returncode == 0, told
    assert {one["use"] for one in json.loads(told.stdout)["declared"]} == {"needed"}
