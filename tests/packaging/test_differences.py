"""What changes from one package to another."""

from dovetail.packaging.differences import Side, compare
from dovetail.packaging.manifests import ManifestReader
from dovetail.packaging.permissions import read_permissions

OLD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: d, labels: {helm.sh/chart: x-1}}
spec: {replicas: 1, template: {spec: {containers: [{name: c, image: "a:1"}]}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: gone}}
"""
NEW = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: fresh}}
---
kind: Deployment
apiVersion: apps/v1
metadata: {labels: {helm.sh/chart: x-2}, name: d}
spec: {template: {spec: {containers: [{image: 'a:2', name: c}]}}, replicas: 1}
"""


def side(manifest: str, permissions: str, values: dict[str, object]) -> Side:
    """One side with one release."""
    objects, _ = ManifestReader({}, "x").objects({"x/t.yaml": manifest})
    return Side("x", {"host": objects}, values, read_permissions(permissions.encode()))


def test_changes() -> None:
    rule = "kind: ClusterRole\nrules: [{verbs: [%s], apiGroups: [''], resources: [pods]}]\n"
    old = side(OLD, rule % "get, list", {"a": {"b": 1}, "c": "x"})
    new = side(NEW, rule % "list, delete", {"a": {"b": 2}, "d": []})
    found = compare(old, new)
    assert [(one.name, one.change) for one in found.objects] == [
        ("ConfigMap fresh", "added"), ("Deployment.apps d", "changed"), ("Secret gone", "removed"),
    ]  # fmt: skip
    (changed,) = (one for one in found.objects if one.change == "changed")
    lines = [line for line in changed.diff[2:] if line.startswith(("+", "-"))]
    assert [line.strip("+- ") for line in lines] == ["image: a:1", "image: a:2"]
    assert found.values == (("changed", "a.b: 1 -> 2"), ("removed", "c (was 'x')"), ("added", "d = []"))
    assert found.permissions == (("added", "ClusterRole: delete pods"), ("removed", "ClusterRole: get pods"))
    assert found.images == (("removed", "a:1"), ("added", "a:2"))


def test_another_spelling_is_no_change() -> None:
    same = "metadata:\n  name: gone\nkind: Secret\napiVersion: v1\n"
    one = side("{apiVersion: v1, kind: Secret, metadata: {name: gone}}", "", {})
    assert not compare(one, side(same, "", {}))
    assert not compare(Side("x", one.views), side(same, "kind: Role\nrules: []", {"a": 1}))
