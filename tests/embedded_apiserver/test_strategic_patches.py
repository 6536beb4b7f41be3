"""Strategic merge patch: the cases of Kubernetes' own table in our words, and real kubectl as the maker of patches."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.patching.rejected import PatchFailed, PatchMalformed
from dovetail.embedded.apiserver.patching.strategic import apply_strategic_patch
from dovetail.embedded.apiserver.schema.builtin import definitions

from .conftest import Server, deployment

POD = definitions().kind_node("", "v1", "Pod")
SERVICE = definitions().kind_node("", "v1", "Service")

Object = dict[str, Any]


def pod(**spec: Any) -> Object:
    return {"spec": spec}


def named(*names: str, **fields: Any) -> list[Object]:
    return [{"name": name, **fields} for name in names]


def order(*names: str) -> list[Object]:
    return named(*names)


CASES: dict[str, tuple[Object, Object, Object]] = {
    "keyed lists merge by key": (
        pod(containers=[{"name": "a", "image": "1"}, {"name": "b"}]),
        pod(containers=[{"name": "a", "image": "2"}]),
        pod(containers=[{"name": "a", "image": "2"}, {"name": "b"}]),
    ),
    "a new item stands in front": (
        pod(containers=named("a", "b")),
        pod(containers=named("c")),
        pod(containers=named("c", "a", "b")),
    ),
    "the patch's order wins over the object's": (
        pod(containers=named("a", "b", "c")),
        pod(containers=named("c", "a")),
        pod(containers=named("b", "c", "a")),
    ),
    "an item is deleted by its key": (
        pod(containers=named("a", "b")),
        pod(containers=[{"name": "a", "$patch": "delete"}]),
        pod(containers=named("b")),
    ),
    "deleting and adding in one list": (
        pod(containers=named("a", "b")),
        pod(containers=[{"name": "a", "$patch": "delete"}, {"name": "c"}]),
        pod(containers=named("c", "b")),
    ),
    "deleting what is not there changes nothing": (
        pod(containers=named("a")),
        pod(containers=[{"name": "z", "$patch": "delete"}]),
        pod(containers=named("a")),
    ),
    "a list is replaced": (
        pod(containers=named("a")),
        pod(containers=[{"name": "c"}, {"$patch": "replace"}]),
        pod(containers=named("c")),
    ),
    "a list is emptied": (
        pod(containers=named("a")),
        pod(containers=[{"$patch": "replace"}]),
        pod(containers=[]),
    ),
    "an atomic list is replaced without being asked": (
        pod(containers=[{"name": "a", "command": ["x", "y"]}]),
        pod(containers=[{"name": "a", "command": ["z"]}]),
        pod(containers=[{"name": "a", "command": ["z"]}]),
    ),
    "nested keyed lists merge": (
        pod(containers=[{"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}]),
        pod(containers=[{"name": "a", "env": [{"name": "X", "value": "3"}]}]),
        pod(containers=[{"name": "a", "env": [{"name": "X", "value": "3"}, {"name": "Y", "value": "2"}]}]),
    ),
    "a list of scalars that merges becomes a union": (
        {"metadata": {"finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b", "a"]}},
        {"metadata": {"finalizers": ["b", "a"]}},
    ),
    "scalars are deleted from such a list": (
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a", "z"]}},
        {"metadata": {"finalizers": ["b", "c"]}},
    ),
    "scalars are deleted and added": (
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}},
        {"metadata": {"finalizers": ["c", "b"]}},
    ),
    "an order for scalars": (
        {"metadata": {"finalizers": ["a", "b", "c"]}},
        {"metadata": {"$setElementOrder/finalizers": ["c", "b", "a"]}},
        {"metadata": {"finalizers": ["c", "b", "a"]}},
    ),
    "an order for items": (
        pod(containers=named("a", "b", "c")),
        pod(**{"$setElementOrder/containers": order("c", "b", "a")}),
        pod(containers=named("c", "b", "a")),
    ),
    "items of the server only go in front of what they stood in front of": (
        pod(containers=named("a", "server", "b")),
        pod(**{"$setElementOrder/containers": order("b", "a")}),
        pod(containers=named("server", "b", "a")),
    ),
    "an order with a new item": (
        pod(containers=named("a", "b")),
        pod(containers=named("c"), **{"$setElementOrder/containers": order("a", "c", "b")}),
        pod(containers=named("a", "c", "b")),
    ),
    "an order with a deleted item": (
        pod(containers=named("a", "b", "c")),
        pod(
            containers=[{"name": "b", "$patch": "delete"}],
            **{"$setElementOrder/containers": order("c", "a")},
        ),
        pod(containers=named("c", "a")),
    ),
    "an order for a list that is not there yet": (
        pod(),
        pod(containers=named("a"), **{"$setElementOrder/containers": order("a")}),
        pod(containers=named("a")),
    ),
    "an order for nothing": (pod(), pod(**{"$setElementOrder/containers": order("a")}), pod()),
    "one volume source gives way to another": (
        pod(volumes=[{"name": "v", "emptyDir": {}}]),
        pod(volumes=[{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]),
        pod(volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
    ),
    "a retained key stays as it is": (
        pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]),
        pod(volumes=[{"name": "v", "$retainKeys": ["name", "emptyDir"]}]),
        pod(volumes=[{"name": "v", "emptyDir": {"medium": "Memory"}}]),
    ),
    "null deletes a key": (
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"a": None}}},
        {"metadata": {"labels": {"b": "2"}}},
    ),
    "null of what is not there is nothing": (
        {"metadata": {}},
        {"metadata": {"labels": {"a": None, "b": "1"}}},
        {"metadata": {"labels": {"b": "1"}}},
    ),
    "null deletes a whole part": ({"spec": {"nodeName": "x"}}, {"spec": None}, {}),
    "a map is replaced": (
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "replace", "c": "3"}}},
        {"metadata": {"labels": {"c": "3"}}},
    ),
    "a map is emptied": (
        {"metadata": {"labels": {"a": "1"}}},
        {"metadata": {"labels": {"$patch": "delete"}}},
        {"metadata": {"labels": {}}},
    ),
    "directives of new parts fall away": (
        pod(),
        pod(volumes=[{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]),
        pod(volumes=[{"name": "v", "emptyDir": {}}]),
    ),
    "a value of another type replaces": (
        {"spec": {"nodeSelector": "odd"}},
        {"spec": {"nodeSelector": {"a": "b"}}},
        {"spec": {"nodeSelector": {"a": "b"}}},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_strategic_merge_patch(name: str) -> None:
    original, patch, result = CASES[name]
    before = copy.deepcopy((original, patch))
    assert apply_strategic_patch(original, patch, POD) == result
    assert (original, patch) == before


def test_items_that_are_kept_by_two_fields_are_told_apart_by_the_patch_key_only() -> None:
    """``ports`` of a Service have the patch key ``port``, though apply tells them apart by port and protocol."""
    original = {"spec": {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}}
    patched = apply_strategic_patch(original, {"spec": {"ports": [{"port": 53, "name": "dns"}]}}, SERVICE)
    assert patched["spec"]["ports"] == [
        {"port": 53, "protocol": "UDP", "name": "dns"},
        {"port": 53, "protocol": "TCP"},
    ]


@pytest.mark.parametrize(
    ("patch", "problem", "text"),
    [
        (
            pod(containers=[{"image": "x"}]),
            PatchFailed,
            "map: map[image:x] does not contain declared merge key: name",
        ),
        (
            pod(containers=[{"name": "a", "$patch": "paint"}]),
            PatchFailed,
            "unknown patch type: paint in map: map[$patch:paint name:a]",
        ),
        (pod(**{"$patch": "merge"}), PatchFailed, "unknown patch type: merge in map: map[$patch:merge]"),
        (pod(containers=[{"$patch": "merge"}]), PatchFailed, "merging lists cannot yet be specified in the patch"),
        (pod(**{"$retainKeys": ["x"], "nodeName": "n"}), PatchMalformed, "invalid patch format of retainKeys"),
        (
            pod(containers=named("b", "a"), **{"$setElementOrder/containers": order("a", "b")}),
            PatchFailed,
            "doesn't match $setElementOrder list",
        ),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}}, PatchMalformed, "primitive list"),
    ],
)
def test_a_patch_that_cannot_be(patch: Object, problem: type[Exception], text: str) -> None:
    original = {**pod(containers=named("a", "b")), "metadata": {"finalizers": ["x"]}}
    with pytest.raises(problem) as caught:
        apply_strategic_patch(original, patch, POD)
    assert text in str(caught.value)


items = st.lists(st.sampled_from("abcdef"), unique=True, max_size=5)


@given(items, items)
def test_merging_lists_keeps_everything_once_and_the_patch_in_order(original: list[str], patch: list[str]) -> None:
    merged = apply_strategic_patch(pod(containers=named(*original)), pod(containers=named(*patch)), POD)
    names = [item["name"] for item in merged["spec"]["containers"]]
    assert sorted(names) == sorted({*original, *patch})
    assert [name for name in names if name in patch] == patch
    left = [name for name in original if name not in patch]
    assert [name for name in names if name in left] == left


@given(items, items)
def test_a_patch_applied_again_changes_nothing(original: list[str], patch: list[str]) -> None:
    change = pod(containers=named(*patch, image="x"))
    once = apply_strategic_patch(pod(containers=named(*original)), change, POD)
    assert apply_strategic_patch(once, change, POD) == once


# -- patches made by kubectl


def test_what_kubectl_apply_sends_leads_to_what_the_file_says(server: Server, namespace: str) -> None:
    """kubectl computes the patch from the last applied, the live and the wanted object."""

    def apply(obj: Object) -> Object:
        import json

        server.kubectl("apply", "--validate=strict", "-n", namespace, "-f", "-", stdin=obj)
        return json.loads(server.kubectl("get", "deploy", "web", "-n", namespace, "-o", "json"))

    def web(*containers: Object, **spec: Any) -> Object:
        obj = deployment("web", **spec)
        obj["spec"]["template"]["spec"] = {"containers": list(containers)}
        return obj

    first = {"name": "a", "image": "nginx:1", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}
    second = {"name": "b", "image": "busybox", "ports": [{"containerPort": 80}, {"containerPort": 81}]}
    apply(web(first, second, replicas=2))
    server.kubectl("scale", "deploy/web", "-n", namespace, "--replicas=5")
    server.kubectl("set", "env", "deploy/web", "-n", namespace, "-c", "a", "ADDED=by-hand")

    changed = {**first, "image": "nginx:2", "env": [{"name": "Y", "value": "3"}]}
    live = apply(web({**second, "ports": [{"containerPort": 81}]}, changed))
    containers = live["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["b", "a"]
    assert containers[1]["image"] == "nginx:2"
    assert {e["name"]: e["value"] for e in containers[1]["env"]} == {"Y": "3", "ADDED": "by-hand"}
    assert [p["containerPort"] for p in containers[0]["ports"]] == [81]
    assert live["spec"]["replicas"] == 1  # dropped from the file: the default again

    live = apply(web({"name": "only", "image": "nginx"}))
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["only"]
