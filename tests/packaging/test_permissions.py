"""permissions.yaml: all of it or nothing."""

import pytest

from dovetail.packaging.errors import InvalidPermissions
from dovetail.packaging.permissions import Rule, read_permissions

RULE = "{verbs: [get], apiGroups: [''], resources: [pods]}"


def test_documents_of_a_kind_are_put_together() -> None:
    text = (
        f"kind: ClusterRole\nrules: [{RULE}]\n---\nkind: Role\nrules: [{RULE}]\n---\n---\n"
        "kind: ClusterRole\nmetadata: {name: ignored}\nrules: [{verbs: [get], nonResourceURLs: [/x]}]\n"
    )
    permissions = read_permissions(text.encode())
    pods = Rule(verbs=("get",), api_groups=("",), resources=("pods",))
    assert permissions.cluster == (pods, Rule(verbs=("get",), non_resource_urls=("/x",)))
    assert permissions.namespace == (pods,)
    assert permissions.findings == ()


def test_no_file_means_no_rules() -> None:
    assert read_permissions(b"").cluster == ()


def test_other_kinds_are_told_and_ignored() -> None:
    permissions = read_permissions(b"kind: RoleBinding\nrules: []\n")
    assert [finding.code for finding in permissions.findings] == ["permissions-kind"]


@pytest.mark.parametrize(
    ("second", "place"),
    [
        ("kind: Role\nrules: [{verbs: [get\n", r"permissions\.yaml:"),
        ("kind: Role\nrules: {verbs: [get]}\n", r"permissions\.yaml:5"),
        (f"kind: Role\nrules: [{RULE}, all]\n", r"permissions\.yaml:5"),
        ("kind: Role\nrules: [{verbs: '*', apiGroups: [''], resources: [pods]}]\n", r"permissions\.yaml:5"),
        ("rules: []\n", r"permissions\.yaml:4"),
        ("kind: Role\nrules: [{apiGroups: [''], resources: [pods]}]\n", r"permissions\.yaml:5"),
        ("kind: Role\nrules: [{verbs: [get], resources: [pods]}]\n", r"permissions\.yaml:5"),
        ("just text\n", r"permissions\.yaml:4"),
    ],
)
def test_a_fault_anywhere_refuses_the_whole_file(second: str, place: str) -> None:
    first = f"kind: ClusterRole\nrules: [{RULE}]\n---\n"
    with pytest.raises(InvalidPermissions, match=f"^{place}"):
        read_permissions((first + second).encode())
