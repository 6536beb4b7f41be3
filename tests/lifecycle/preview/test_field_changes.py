"""Helm's three-way merge, read: what changes in a live object, and what is left to others."""

from typing import Any

import pytest

from dovetail.lifecycle.preview.field_changes import field_changes, patch_of

Object = dict[str, Any]


def deployment(**spec: Any) -> Object:
    container = {"name": "web", "image": "web:1", **spec.pop("container", {})}
    pod = {"containers": [container, *spec.pop("more", [])]}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod}, **spec}}


def live(**spec: Any) -> Object:
    """As the API server gives it back: with defaults, status and fields of others."""
    obj = deployment(**spec)
    obj["spec"].setdefault("replicas", 3)
    obj["spec"]["template"]["spec"]["containers"][0].setdefault("imagePullPolicy", "IfNotPresent")
    return {**obj, "metadata": {"name": "x", "resourceVersion": "9", "uid": "u"}, "status": {"readyReplicas": 1}}


def said(old: Object | None, new: Object, there: Object) -> list[str]:
    signs = {"added": "+", "changed": "~", "removed": "-"}
    return [f"{signs[one.change]} {one.path}" for one in field_changes(old, new, there)]


IMAGE = "spec.template.spec.containers[name=web].image"
CASES: list[tuple[str, Object | None, Object, Object, list[str]]] = [
    ("nothing", deployment(), deployment(), live(), []),
    ("an image", deployment(), deployment(container={"image": "web:2"}), live(), [f"~ {IMAGE}"]),
    ("changed by hand", deployment(), deployment(), live(container={"image": "hand"}), [f"~ {IMAGE}"]),
    ("scaled by others", deployment(), deployment(), live(replicas=7), []),
    ("a field more", deployment(), deployment(paused=True), live(), ["+ spec.paused"]),
    ("a field less", deployment(replicas=3), deployment(), live(), ["- spec.replicas"]),
    ("a field less that had its default", deployment(replicas=1), deployment(), live(replicas=1), []),
    ("a field less that is gone", deployment(paused=True), deployment(), live(), []),
    ("a container more", deployment(), deployment(more=[{"name": "b", "image": "b"}]), live(),
     ["+ spec.template.spec.containers[name=b]"]),
    ("a container less", deployment(more=[{"name": "b", "image": "b"}]), deployment(),
     live(more=[{"name": "b", "image": "b"}]), ["- spec.template.spec.containers[name=b]"]),
    ("a sidecar of others", deployment(), deployment(), live(more=[{"name": "sidecar", "image": "s"}]), []),
    ("a quantity in another spelling", deployment(), deployment(container={"resources": {"limits": {"cpu": 0.5}}}),
     live(container={"resources": {"limits": {"cpu": "500m"}}}), []),
    ("another quantity", deployment(), deployment(container={"resources": {"limits": {"cpu": "1"}}}),
     live(container={"resources": {"limits": {"cpu": "500m"}}}),
     ["~ spec.template.spec.containers[name=web].resources.limits.cpu"]),
    ("a list of arguments", deployment(), deployment(container={"args": ["a", "b"]}),
     live(container={"args": ["a"]}), ["~ spec.template.spec.containers[name=web].args"]),
    ("empty and null are nothing", deployment(), deployment(strategy=None, container={"env": [], "args": {}}), live(),
     []),
    ("a list of a custom resource is one value",
     {"apiVersion": "x.example.org/v1", "spec": {"containers": [{"name": "a"}]}},
     {"apiVersion": "x.example.org/v1", "spec": {"containers": [{"name": "a"}, {"name": "b"}]}},
     {"apiVersion": "x.example.org/v1", "spec": {"containers": [{"name": "a"}]}}, ["~ spec.containers"]),
    ("stringData and data", None, {"kind": "Secret", "apiVersion": "v1", "stringData": {"a": "x"}},
     {"kind": "Secret", "apiVersion": "v1", "data": {"a": "eA=="}}, []),
    ("stringData that differs", None, {"kind": "Secret", "apiVersion": "v1", "stringData": {"a": "y"}},
     {"kind": "Secret", "apiVersion": "v1", "data": {"a": "eA=="}}, ["~ data.a"]),
    ("stringData less stays", {"kind": "Secret", "apiVersion": "v1", "stringData": {"a": "x"}, "data": {"b": "eA=="}},
     {"kind": "Secret", "apiVersion": "v1"},
     {"kind": "Secret", "apiVersion": "v1", "data": {"a": "eA==", "b": "eA=="}}, ["- data.b"]),
    ("an annotation with a slash", {"metadata": {"annotations": {"a.b/c": "1"}}},
     {"metadata": {"annotations": {"a.b/c": "2"}}}, {"metadata": {"annotations": {"a.b/c": "1"}}},
     ['~ metadata.annotations["a.b/c"]']),
    ("a whole map less", {"data": {"a": "1"}}, {}, {"data": {"a": "1", "b": "others"}}, ["- data.a"]),
    ("true is not 1", {}, {"data": {"a": True}}, {"data": {"a": 1}}, ["~ data.a"]),
    ("ports of a Service", None, {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}},
     {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 3}]}}, []),
    ("a port more", None, {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}, {"port": 81}]}},
     {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}},
     ["+ spec.ports[port=81]"]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "there", "wanted"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_what_changes(old: Object | None, new: Object, there: Object, wanted: list[str]) -> None:
    assert said(old, new, there) == wanted


def test_before_and_after_are_told() -> None:
    (one,) = field_changes(deployment(), deployment(container={"image": "web:2"}), live())
    assert (one.before, one.after) == ("web:1", "web:2")


def test_as_a_patch_what_only_the_former_had_is_taken_away() -> None:
    probe = {"httpGet": {"port": 80}}
    old = deployment(replicas=3, container={"livenessProbe": probe}, more=[{"name": "b"}])
    new = deployment(container={"livenessProbe": {"tcpSocket": {"port": 80}}, "args": ["x"]})
    spec = patch_of(old, new)["spec"]
    web, gone = spec["template"]["spec"]["containers"]
    assert spec["replicas"] is None
    assert web["livenessProbe"] == {"httpGet": None, "tcpSocket": {"port": 80}}
    assert (web["args"], web["name"]) == (["x"], "web")
    assert gone == {"$patch": "delete", "name": "b"}


def test_as_a_patch_a_list_of_a_custom_resource_is_replaced() -> None:
    kind = {"apiVersion": "x.example.org/v1"}
    old, new = {**kind, "spec": {"a": 1, "containers": [{"name": "a"}]}}, {**kind, "spec": {"containers": []}}
    assert patch_of(old, new) == {**kind, "spec": {"a": None, "containers": []}}
