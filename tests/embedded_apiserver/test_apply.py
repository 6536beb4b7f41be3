"""Field sets and server-side apply: the algebra by property, the ownership rules by example."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.apply import fields as f
from dovetail.embedded.apiserver.apply.managers import Writer, apply, record_update
from dovetail.embedded.apiserver.errors import ApplyConflict
from dovetail.embedded.apiserver.schema.builtin import definitions

DEPLOYMENT = definitions().kind_node("apps", "v1", "Deployment")
CONFIG_MAP = definitions().kind_node("", "v1", "ConfigMap")

Object = dict[str, Any]

sets = st.recursive(
    st.just({}),
    lambda inner: st.dictionaries(st.sampled_from(["f:a", "f:b", "f:c", "."]), inner, max_size=3),
    max_leaves=8,
)


def members(fieldset: Object, prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """A set as plain paths: the model against which the algebra is checked."""
    found: set[tuple[str, ...]] = set()
    for key, entry in fieldset.items():
        if key != ".":
            if f.is_member(entry):
                found.add((*prefix, key))
            found |= members(entry, (*prefix, key))
    return found


@given(sets, sets)
def test_the_algebra_of_field_sets_is_that_of_sets_of_paths(left: Object, right: Object) -> None:
    a, b = members(left), members(right)
    assert members(f.union(left, right)) == a | b
    assert members(f.intersection(left, right)) == a & b
    assert members(f.difference(left, right)) == a - b
    below = {path for path in a if any(path[: len(gone)] == gone for gone in b)}
    assert members(f.without(left, right)) == a - below


def writer(manager: str, subresource: str = "") -> Writer:
    return Writer(manager, "apps/v1", subresource, "2026-01-01T00:00:00Z")


def deployment(**spec: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def applied(live: Object | None, wish: Object, manager: str, force: bool = False, node: Any = DEPLOYMENT) -> Object:
    merged, managed = apply(node, live, wish, writer(manager), force)
    return {**merged, "metadata": {**merged["metadata"], "managedFields": managed}}


def owned(obj: Object, manager: str) -> Object:
    return next((e["fieldsV1"] for e in obj["metadata"]["managedFields"] if e["manager"] == manager), {})


def container(name: str, **fields: Any) -> Object:
    return {"containers": [{"name": name, **fields}]}


def test_what_a_manager_applies_it_owns() -> None:
    obj = applied(None, deployment(replicas=2, template={"spec": container("a", image="x")}), "one")
    assert owned(obj, "one") == {
        "f:spec": {
            "f:replicas": {},
            "f:template": {"f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}, "f:name": {}}}}},
        }
    }


def test_a_field_no_longer_wished_goes() -> None:
    obj = applied(None, deployment(replicas=2, paused=True), "one")
    assert applied(obj, deployment(replicas=2), "one")["spec"] == {"replicas": 2}


def test_a_field_no_longer_wished_stays_while_another_manager_has_it() -> None:
    obj = applied(None, deployment(replicas=2, paused=True), "one")
    obj = applied(obj, deployment(paused=True), "two")
    obj = applied(obj, deployment(replicas=2), "one")
    assert obj["spec"] == {"replicas": 2, "paused": True}
    assert owned(obj, "one") == {"f:spec": {"f:replicas": {}}}


def test_an_item_of_a_keyed_list_goes_with_its_only_owner() -> None:
    obj = applied(None, deployment(template={"spec": container("a", image="x")}), "one")
    obj = applied(obj, deployment(template={"spec": container("b", image="y")}), "two")
    names = [c["name"] for c in obj["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["a", "b"]
    obj = applied(obj, deployment(replicas=1), "one")
    assert [c["name"] for c in obj["spec"]["template"]["spec"]["containers"]] == ["b"]


def test_an_item_stays_while_another_manager_has_a_field_of_it() -> None:
    obj = applied(None, deployment(template={"spec": container("a", image="x", tty=True)}), "one")
    obj = applied(obj, deployment(template={"spec": container("a", stdin=True)}), "two")
    obj = applied(obj, deployment(replicas=1), "one")
    assert obj["spec"]["template"]["spec"]["containers"] == [{"name": "a", "stdin": True}]


def test_another_value_for_another_managers_field_is_a_conflict() -> None:
    obj = applied(None, deployment(replicas=2), "one")
    with pytest.raises(ApplyConflict) as caught:
        applied(obj, deployment(replicas=3), "two")
    assert caught.value.status()["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.replicas"}
    ]
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "one": .spec.replicas'


def test_force_takes_the_field_over() -> None:
    obj = applied(None, deployment(replicas=2, paused=True), "one")
    obj = applied(obj, deployment(replicas=3), "two", force=True)
    assert obj["spec"]["replicas"] == 3
    assert owned(obj, "one") == {"f:spec": {"f:paused": {}}}
    assert owned(obj, "two") == {"f:spec": {"f:replicas": {}}}


def test_the_same_value_is_shared_without_conflict() -> None:
    obj = applied(applied(None, deployment(replicas=2), "one"), deployment(replicas=2), "two")
    assert owned(obj, "one") == owned(obj, "two") == {"f:spec": {"f:replicas": {}}}


def test_a_plain_write_takes_what_it_changes_and_conflicts_with_a_later_apply() -> None:
    obj = applied(None, deployment(replicas=2), "one")
    scaled = {**obj, "spec": {"replicas": 5}}
    scaled["metadata"] = {**obj["metadata"], "managedFields": record_update(DEPLOYMENT, obj, scaled, writer("scaler"))}
    assert owned(scaled, "one") == {}
    assert owned(scaled, "scaler") == {"f:spec": {"f:replicas": {}}}
    with pytest.raises(ApplyConflict, match=r'conflict with "scaler" using apps/v1: \.spec\.replicas'):
        applied(scaled, deployment(replicas=2), "one")


def test_a_default_key_of_a_port_identifies_it() -> None:
    port = {"containerPort": 80}
    wish = deployment(template={"spec": container("a", ports=[port])})
    obj = applied(None, wish, "one")
    obj["spec"]["template"]["spec"]["containers"][0]["ports"] = [{**port, "protocol": "TCP"}]
    again = applied(obj, wish, "one")
    assert again["spec"]["template"]["spec"]["containers"][0]["ports"] == [{**port, "protocol": "TCP"}]


data = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2"]))


@given(st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), data), max_size=6))
def test_after_any_applies_the_object_is_what_its_managers_wish(steps: list[tuple[str, dict[str, str]]]) -> None:
    live: Object | None = None
    wishes: dict[str, dict[str, str]] = {}
    for manager, wish in steps:
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": wish}
        live = applied(live, obj, manager, force=True, node=CONFIG_MAP)
        for other, theirs in wishes.items():
            wishes[other] = {k: v for k, v in theirs.items() if k not in wish or wish[k] == v}
        wishes[manager] = wish
        expected = {key: value for theirs in wishes.values() for key, value in theirs.items()}
        assert live.get("data", {}) == expected
        assert applied(live, obj, manager, node=CONFIG_MAP) == live  # applying again changes nothing
