"""Server-side apply as Kubernetes means it: whose field is what, after the tables of structured-merge-diff and the
field manager of apimachinery, in our words; and properties.
"""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver.apply.comparison import compare, field_set
from dovetail.embedded.apiserver.apply.entries import UPDATERS
from dovetail.embedded.apiserver.apply.managers import LAST_APPLIED, Writer, apply, record_update
from dovetail.embedded.apiserver.apply.merge import merge
from dovetail.embedded.apiserver.apply.typed import NotTyped, check_typed
from dovetail.embedded.apiserver.errors import ApplyConflict
from dovetail.embedded.apiserver.schema.builtin import definitions
from dovetail.embedded.apiserver.schema.conform import conform
from dovetail.embedded.apiserver.schema.structural import Structural

Object = dict[str, Any]

DEPLOYMENT = definitions().kind_node("apps", "v1", "Deployment")
SERVICE = definitions().kind_node("", "v1", "Service")
CONFIG_MAP = definitions().kind_node("", "v1", "ConfigMap")
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"


def writer(manager: str, now: str = EARLY, **more: Any) -> Writer:
    return Writer(manager, more.pop("api_version", "apps/v1"), more.pop("subresource", ""), now, **more)


def deployment(**spec: Any) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def containers(*items: Object) -> Object:
    return {"template": {"spec": {"containers": list(items)}}}


def with_record(obj: Object, record: list[Object]) -> Object:
    return {**obj, "metadata": {**obj["metadata"], "managedFields": record}}


def created(obj: Object, manager: str = "kubectl-create", node: Any = DEPLOYMENT, **more: Any) -> Object:
    sent = conform(node, obj, []) if node.go is not None else obj
    return with_record(sent, record_update(node, None, sent, writer(manager, **more)))


def updated(live: Object, new: Object, manager: str, node: Any = DEPLOYMENT, **more: Any) -> Object:
    sent = conform(node, new, []) if node.go is not None else new
    return with_record(sent, record_update(node, live, sent, writer(manager, **more)))


def applied(
    live: Object | None, wish: Object, manager: str = "one", node: Any = DEPLOYMENT, force: bool = False, **more: Any
) -> Object:
    merged, record = apply(node, live, wish, writer(manager, **more), force)
    sent = conform(node, merged, []) if node.go is not None else merged
    sent["metadata"].pop("managedFields", None)
    return with_record(sent, record)


def owned(obj: Object, manager: str, operation: str = "") -> Object:
    found = (
        entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields") or []
        if entry["manager"] == manager and operation in ("", entry["operation"])
    )
    return next(found, {})


def managers(obj: Object) -> list[str]:
    return [entry["manager"] for entry in obj["metadata"].get("managedFields") or []]


# -- what plain writes own


def test_a_creation_owns_what_it_states_as_kube_apiserver_writes_it() -> None:
    """The entry that every user of ``kubectl create deployment`` has seen."""
    obj = created(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "generateName": "w", "labels": {"app": "web"}},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"rollingUpdate": {"maxSurge": "25%"}, "type": "RollingUpdate"},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "nginx", "resources": {}}], "securityContext": {}},
                },
            },
        }
    )
    assert owned(obj, "kubectl-create") == {
        "f:metadata": {"f:generateName": {}, "f:labels": {".": {}, "f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
            "f:template": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {".": {}, "f:image": {}, "f:name": {}, "f:resources": {}},
                    },
                    "f:securityContext": {},
                },
            },
        },
    }


def test_ports_of_a_service_are_known_by_port_and_protocol() -> None:
    spec = {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "selector": {"a": "b"}, "type": "ClusterIP"}
    obj = created({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}, node=SERVICE)
    port = {".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}
    assert owned(obj, "kubectl-create")["f:spec"] == {
        "f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': port},
        "f:selector": {},
        "f:type": {},
    }


def test_a_config_map_is_owned_key_by_key() -> None:
    obj = created(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"x": "1"}}, "m", CONFIG_MAP
    )
    assert owned(obj, "m") == {"f:data": {".": {}, "f:x": {}}}
    more = updated(obj, {**obj, "data": {"x": "1", "y": "2"}}, "n", CONFIG_MAP)
    assert owned(more, "n") == {"f:data": {"f:y": {}}}
    assert owned(more, "m") == {"f:data": {".": {}, "f:x": {}}}


def test_an_update_takes_what_it_changes_and_what_it_removes_is_nobodys() -> None:
    live = created(deployment(replicas=1, paused=True, minReadySeconds=5))
    new = {**live, "spec": {**live["spec"], "replicas": 3}}
    new["spec"] = {k: v for k, v in new["spec"].items() if k != "paused"}
    after = updated(live, new, "scaler", now=LATE)
    assert owned(after, "kubectl-create")["f:spec"] == {"f:minReadySeconds": {}}
    assert owned(after, "scaler") == {"f:spec": {"f:replicas": {}}}
    assert [e["time"] for e in after["metadata"]["managedFields"]] == [EARLY, LATE]


def test_an_update_that_only_removes_leaves_the_time_alone() -> None:
    live = created(deployment(replicas=1, minReadySeconds=5), "m")
    after = updated(live, {**live, "spec": {**live["spec"], "minReadySeconds": 0}}, "m", now=LATE)
    assert after["metadata"]["managedFields"][0]["time"] == EARLY


def test_the_status_has_an_entry_of_its_own() -> None:
    live = created(deployment(replicas=1))
    condition = {"type": "Available", "status": "True", "lastUpdateTime": EARLY, "lastTransitionTime": EARLY}
    new = {**live, "status": {"replicas": 1, "conditions": [condition]}}
    reset = {"subresource": "status", "reset": ("spec", "metadata")}
    fields = ("f:lastTransitionTime", "f:lastUpdateTime", "f:status", "f:type")
    after = updated(live, new, "controller", **reset)
    entry = next(e for e in after["metadata"]["managedFields"] if e["manager"] == "controller")
    assert (entry["subresource"], entry["operation"]) == ("status", "Update")
    assert entry["fieldsV1"] == {
        "f:status": {
            "f:conditions": {".": {}, 'k:{"type":"Available"}': {".": {}, **{name: {} for name in fields}}},
            "f:replicas": {},
        }
    }


def test_clients_may_clear_the_record_and_it_stays_clear_until_the_next_apply() -> None:
    live = created(deployment(replicas=1))
    cleared = updated(live, with_record(live, [{}]), "m")
    assert cleared["metadata"]["managedFields"] == []
    again = updated(cleared, {**cleared, "spec": {"replicas": 2}}, "m")
    assert again["metadata"]["managedFields"] == []
    after = applied(again, deployment(paused=True), now=LATE)
    assert managers(after) == ["one", "before-first-apply"]
    assert owned(after, "before-first-apply")["f:spec"]["f:replicas"] == {}


def test_a_record_that_a_client_sends_is_the_base_when_it_can_be_read() -> None:
    live = created(deployment(replicas=1))
    mine = {**live["metadata"]["managedFields"][0], "manager": "renamed"}
    assert managers(updated(live, with_record(live, [mine]), "m")) == ["renamed"]
    broken = {**mine, "fieldsType": "FieldsV2"}
    assert managers(updated(live, with_record(live, [broken]), "m")) == ["kubectl-create"]


def test_the_oldest_of_many_updaters_become_ancient() -> None:
    live = created(deployment(replicas=0), "m00")
    for number in range(1, 14):
        new = {**live, "metadata": {**live["metadata"], "labels": {f"l{i}": "x" for i in range(number)}}}
        live = updated(live, new, f"m{number:02}", now=f"2026-01-01T00:{number:02}:00Z")
    names = managers(live)
    assert len(names) == UPDATERS
    assert names[0] == "ancient-changes"
    assert "m13" in names
    assert owned(live, "ancient-changes")["f:spec"] == {"f:replicas": {}}


# -- apply


def test_an_apply_owns_leaves_and_items_but_not_the_containers_that_the_schema_names() -> None:
    obj = applied(
        None, deployment(selector={"matchLabels": {"a": "b"}}, **containers({"name": "c", "env": [{"name": "X"}]}))
    )
    assert owned(obj, "one")["f:spec"] == {
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"c"}': {".": {}, "f:name": {}, "f:env": {'k:{"name":"X"}': {".": {}, "f:name": {}}}}
                }
            }
        },
    }


def test_a_key_with_a_default_needs_not_be_stated() -> None:
    live = applied(None, deployment(**containers({"name": "c", "ports": [{"containerPort": 80}]})))
    items = owned(live, "one")["f:spec"]["f:template"]["f:spec"]["f:containers"]
    port = {".": {}, "f:containerPort": {}}
    assert items['k:{"name":"c"}']["f:ports"] == {'k:{"containerPort":80,"protocol":"TCP"}': port}


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    wish = deployment(replicas=2, **containers({"name": "c", "image": "x"}))
    once = applied(None, wish)
    assert applied(once, wish, now=LATE) == once


def test_a_change_of_a_value_moves_the_time() -> None:
    once = applied(None, deployment(replicas=2))
    after = applied(once, deployment(replicas=3), now=LATE)
    assert after["metadata"]["managedFields"][0]["time"] == LATE


def test_what_an_updater_also_holds_stays_when_the_applier_drops_it() -> None:
    live = created(deployment(replicas=2, paused=True))
    live = applied(live, deployment(replicas=2, paused=True))
    after = applied(live, deployment(replicas=2))
    assert after["spec"]["paused"] is True
    assert owned(after, "kubectl-create")["f:spec"]["f:paused"] == {}


def test_a_container_goes_with_its_last_field() -> None:
    custom = Structural(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "inner": {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}},
                        "other": {"type": "string"},
                    },
                }
            },
        }
    ).node

    def thing(**spec: Any) -> Object:
        return {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": spec}

    live = applied(None, thing(inner={"a": "1"}, other="x"), node=custom)
    live["spec"]["inner"]["b"] = "defaulted"
    assert applied(live, thing(other="x"), node=custom)["spec"] == {"other": "x"}


def test_updates_of_custom_resources_own_the_containers_that_they_bring() -> None:
    node = Structural({"type": "object", "x-kubernetes-preserve-unknown-fields": True}).node
    obj = {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"a": {"b": [1]}, "e": {}}}
    assert owned(created(obj, "m", node), "m") == {"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:e": {}}}
    assert owned(applied(None, obj, node=node), "one") == {"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:e": {}}}


def test_a_set_is_owned_by_value_and_merged_in_order() -> None:
    node = Structural(
        {
            "type": "object",
            "properties": {"tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}},
        }
    ).node

    def thing(*tags: str) -> Object:
        return {"apiVersion": "x/v1", "kind": "Thing", "metadata": {"name": "t"}, "tags": list(tags)}

    live = applied(applied(None, thing("a", "b"), "one", node), thing("c", "b"), "two", node)
    assert owned(live, "one") == {"f:tags": {'v:"a"': {}, 'v:"b"': {}}}
    assert sorted(live["tags"]) == ["a", "b", "c"]
    assert sorted(applied(live, thing("a"), "one", node)["tags"]) == ["a", "b", "c"]
    assert sorted(applied(live, thing("c"), "two", node)["tags"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("live", "wish", "result"),
    [
        ("ab", "ab", "ab"), ("ab", "ba", "ba"), ("abc", "ca", "bca"), ("ab", "c", "abc"), ("abcd", "db", "acdb"),
        ("", "ab", "ab"), ("ab", "", "ab"), ("abc", "xb", "axbc"), ("1ab2", "ba", "1ba2"),
    ],
)  # fmt: skip
def test_keyed_lists_keep_the_wish_in_order(live: str, wish: str, result: str) -> None:
    node = DEPLOYMENT.fields["spec"].fields["template"].fields["spec"].fields["containers"]
    merged = merge(node, [{"name": n} for n in live], [{"name": n} for n in wish])
    names = "".join(item["name"] for item in merged)
    assert sorted(names) == sorted(result)
    assert [n for n in names if n in wish] == list(wish)


# -- conflicts


def test_one_conflict_is_told_in_one_line() -> None:
    live = created(deployment(replicas=1), "kubectl-client-side-apply")
    with pytest.raises(ApplyConflict) as caught:
        applied(live, deployment(replicas=3))
    text = 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas'
    assert caught.value.status() == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": text,
        "reason": "Conflict", "code": 409,
        "details": {
            "causes": [
                {
                    "reason": "FieldManagerConflict", "field": ".spec.replicas",
                    "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
                }
            ]
        },
    }  # fmt: skip


def test_several_conflicts_are_told_by_manager() -> None:
    live = applied(None, deployment(replicas=1, **containers({"name": "c", "image": "a"})), "two")
    live = updated(live, {**live, "spec": {**live["spec"], "paused": True}}, "three", subresource="")
    with pytest.raises(ApplyConflict) as caught:
        applied(live, deployment(replicas=2, paused=False, **containers({"name": "c", "image": "b"})))
    assert caught.value.message == (
        'Apply failed with 3 conflicts: conflicts with "three" using apps/v1:\n- .spec.paused\nconflicts with "two":\n'
        '- .spec.replicas\n- .spec.template.spec.containers[name="c"].image'
    )


def test_the_same_name_conflicts_with_itself_between_update_and_apply() -> None:
    live = created(deployment(replicas=1), "same")
    with pytest.raises(ApplyConflict, match='conflict with "same" using apps/v1'):
        applied(live, deployment(replicas=2), "same")


def test_the_status_of_another_subresource_is_named() -> None:
    live = created(deployment(replicas=1))
    live = updated(live, {**live, "status": {"replicas": 1}}, "c", subresource="status", reset=("spec", "metadata"))
    wish = {**deployment(), "status": {"replicas": 2}}
    with pytest.raises(
        ApplyConflict, match=r'conflict with "c" with subresource "status" using apps/v1: \.status\.rep'
    ):
        applied(live, wish, "d", subresource="status")


def test_kubectl_takes_over_what_it_applied_from_the_clients_side() -> None:
    file = deployment(replicas=1, minReadySeconds=5)
    annotated = {**file, "metadata": {"name": "web", "annotations": {LAST_APPLIED: orjson.dumps(file).decode()}}}
    live = created(annotated, "kubectl-client-side-apply")
    after = applied(live, deployment(replicas=2, minReadySeconds=5), "kubectl")
    assert after["spec"]["replicas"] == 2
    assert owned(after, "kubectl") == {"f:spec": {"f:minReadySeconds": {}, "f:replicas": {}}}
    text = after["metadata"]["annotations"][LAST_APPLIED]
    assert text.endswith("}\n")
    assert orjson.loads(text) == deployment(replicas=2, minReadySeconds=5)
    with pytest.raises(ApplyConflict):
        applied(live, deployment(replicas=2), "other")


def test_kubectl_does_not_take_over_what_somebody_changed_since() -> None:
    file = deployment(replicas=1)
    annotated = {**file, "metadata": {"name": "web", "annotations": {LAST_APPLIED: orjson.dumps(file).decode()}}}
    live = created(annotated, "kubectl-client-side-apply")
    live = updated(live, {**live, "spec": {**live["spec"], "replicas": 7}}, "scaler")
    with pytest.raises(ApplyConflict, match='conflict with "scaler"'):
        applied(live, deployment(replicas=2), "kubectl")


# -- patches that the schema cannot read


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"bogus": 1}, ".spec.bogus: field not declared in schema"),
        ({"replicas": "x"}, ".spec.replicas: expected numeric (int or float), got string"),
        ({"paused": "x"}, ".spec.paused: expected boolean, got &{x}"),
        ({"selector": "x"}, ".spec.selector: expected map, got &{x}"),
        (containers({"image": "x"}), ".spec.template.spec.containers: element 0: associative list with keys has an "
         'element that omits key field "name" (and doesn\'t have default value)'),
        (containers({"name": "a"}, {"name": "a"}),
         '.spec.template.spec.containers: duplicate entries for key [name="a"]'),
        (containers({"name": 1}), ".spec.template.spec.containers[name=1].name: expected string, got "
         "&value.valueUnstructured{Value:1}"),
        ({"bogus": 1, "replicas": {}}, ".spec.bogus: field not declared in schema"),
        ({"replicas": [], "paused": 1}, "errors:\n  .spec.replicas: expected numeric (int or float), got []interface {}"
         "\n  .spec.paused: expected boolean, got &{1}"),
    ],
)  # fmt: skip
def test_a_patch_that_does_not_fit_its_schema(spec: Object, text: str) -> None:
    with pytest.raises(NotTyped) as caught:
        check_typed(DEPLOYMENT, deployment(**spec))
    status = caught.value.status()
    assert status["message"] == f"failed to create typed patch object (/web; apps/v1, Kind=Deployment): {text}"
    assert (status["code"], "reason" in status) == (500, False)


# -- laws

values = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2"]), max_size=4)


def config_map(data: Object) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


some_values = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2"]), min_size=1, max_size=4)


@given(some_values, some_values)
def test_disjoint_managers_never_conflict(mine: Object, theirs: Object) -> None:
    theirs = {f"other-{key}": value for key, value in theirs.items()}
    live = applied(None, config_map(mine), "one", CONFIG_MAP)
    live = applied(live, config_map(theirs), "two", CONFIG_MAP)
    assert live.get("data", {}) == {**mine, **theirs}
    live = applied(live, config_map({}), "one", CONFIG_MAP)
    assert live.get("data", {}) == theirs


@given(values, values)
def test_applying_and_then_nothing_leaves_what_was_there(before: Object, mine: Object) -> None:
    live = created(config_map(before), "m", CONFIG_MAP)
    own = {f"own-{key}": value for key, value in mine.items()}
    after = applied(applied(live, config_map(own), "one", CONFIG_MAP), config_map({}), "one", CONFIG_MAP)
    assert after.get("data", {}) == before


@given(values, values)
def test_a_comparison_says_what_to_add_and_what_is_gone(old: Object, new: Object) -> None:
    changed, removed = compare(CONFIG_MAP, {"data": old}, {"data": new})
    wanted = {f"f:{key}" for key, value in new.items() if old.get(key) != value}
    assert {key for key in changed.get("f:data", {}) if key != "."} == wanted
    assert {key for key in removed.get("f:data", {}) if key != "."} == {f"f:{key}" for key in old.keys() - new.keys()}
    assert compare(CONFIG_MAP, {"data": new}, {"data": new}) == ({}, {})


@given(values)
def test_what_is_stated_is_what_is_there(data: Object) -> None:
    members = field_set(CONFIG_MAP, {"data": data})
    assert set(members.get("f:data", {})) == {f"f:{key}" for key in data}
