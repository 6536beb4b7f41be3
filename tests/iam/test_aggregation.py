"""What templates add to roles, and what is to be done about copies of built-in roles: pure, over values."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.labels import AGGREGATE_TO_PREFIX, AUTO_AGGREGATE, BUILTIN_ROLE, SCOPE, WORKSPACE
from dovetail.iam.aggregation import aggregate, merged, wish_of
from dovetail.iam.aggregation_controllers import status_of
from dovetail.iam.builtin_roles import builtin_roles, global_roles
from dovetail.iam.deleted_users import users_of, without_user
from dovetail.iam.instances import plan, wanted
from dovetail.iam.rbac_objects import subjects
from dovetail.iam.role_catalogue import templates as shipped_templates
from tests.iam.kubernetes_requests import RULES, Request, allows, requests

NOW = datetime(2026, 11, 21, tzinfo=UTC)
WORDS = ["a", "b"]
LABELS = st.dictionaries(st.sampled_from(["x", "y", AGGREGATE_TO_PREFIX + "r"]), st.sampled_from(WORDS))
SELECTORS = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(WORDS)),
        "matchExpressions": st.lists(
            st.fixed_dictionaries(
                {
                    "key": st.sampled_from(["x", "y"]),
                    "operator": st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
                    "values": st.just(["a"]),
                }
            ),
            max_size=2,
        ),
    },
)


@st.composite
def templates(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [
        {
            "metadata": {"name": name, "labels": {**draw(LABELS), SCOPE: draw(st.sampled_from(["global", "cluster"]))}},
            "spec": {"rules": draw(st.lists(RULES, max_size=2))},
        }
        for name in ("t0", "t1", "t2") if draw(st.booleans())
    ]  # fmt: skip


@st.composite
def roles(draw: st.DrawFn) -> dict[str, Any]:
    auto = {"annotations": {AUTO_AGGREGATE: "true"}} if draw(st.booleans()) else {}
    aggregation = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "templateNames": st.lists(st.sampled_from(["t0", "t1", "gone"]), unique=True),
                "roleSelector": SELECTORS,
            },
        )
    )
    return {"metadata": {"name": "r", **auto}, "aggregationRoleTemplates": aggregation, "rules": []}


@given(st.lists(RULES, max_size=5), requests(["n"]))
def test_fewer_rules_allow_the_same(rules: list[dict[str, Any]], request: Request) -> None:
    fewer = [*merged(rules)]
    assert len(fewer) <= len(rules)
    assert allows(fewer, request) == allows(rules, request)


@given(roles(), templates())
def test_a_template_that_counts_can_be_found_by_what_the_role_needs(
    role: dict[str, Any], there: list[dict[str, Any]]
) -> None:
    wish, added = wish_of(role), aggregate("GlobalRole", role, there)
    for template in there:
        labels, name = template["metadata"]["labels"], template["metadata"]["name"]
        if name not in added.templates:
            continue
        by_name = wish.selector is None and name in wish.names
        assert by_name or labels[SCOPE] == "global"
        assert by_name or wish.label in labels or wish.selector is not None
        if wish.selector is not None and wish.label not in labels:
            assert not wish.needed_label or wish.needed_label in labels
    assert ("gone" in added.problem) == (wish.selector is None and "gone" in wish.names)


@given(roles(), templates())
def test_once_is_enough(role: dict[str, Any], there: list[dict[str, Any]]) -> None:
    status = status_of(role, aggregate("GlobalRole", role, there), NOW)
    settled = {**role, "status": status or {}}
    assert status_of(settled, aggregate("GlobalRole", settled, there), NOW) is None


def test_a_label_of_the_role_itself_decides_nothing() -> None:
    """Whoever may write a role's labels would otherwise choose its templates unseen."""
    role = {"metadata": {"name": "mine", "labels": {BUILTIN_ROLE: "operator"}, "annotations": {AUTO_AGGREGATE: "true"}}}
    label = {SCOPE: "namespace", AGGREGATE_TO_PREFIX + "operator": ""}
    template = {"metadata": {"name": "t", "labels": label}, "spec": {"rules": []}}
    assert aggregate("Role", role, [template]).templates == ()


def test_templates_of_rego_are_kept_beside_each_other() -> None:
    from dovetail.apis.labels import REGO_OVERRIDE

    made = [
        {"metadata": {"name": name, "labels": {SCOPE: "global"}, "annotations": {REGO_OVERRIDE: f"package {name}"}}}
        for name in ("z", "a")
    ]
    role = {"metadata": {"name": "r"}, "aggregationRoleTemplates": {"templateNames": ["z", "a"]}}
    assert aggregate("GlobalRole", role, made).rego == ("package a", "package z")


def foreign(name: str, group: str, *, rego: str = "", **more: Any) -> dict[str, Any]:
    labels = {SCOPE: "global", AGGREGATE_TO_PREFIX + "authenticated": ""}
    marks = {"annotations": {"iam.kubesphere.io/rego-override": rego}} if rego else {}
    rule = {"verbs": ["*"], "apiGroups": [group], "resources": ["*"], **more}
    return {"metadata": {"name": name, "labels": labels, **marks}, "spec": {"rules": [rule]}}


EVERYBODY = next(role for role in global_roles() if role["metadata"]["name"] == "authenticated")
NOT_THEIRS = ["*", "", "apps", "rbac.authorization.k8s.io", "iam.kubesphere.io", "kubesphere.io", "metrics.k8s.io"]


@pytest.mark.parametrize("group", NOT_THEIRS)
def test_who_may_write_templates_cannot_give_everything_to_everybody(group: str) -> None:
    for name in ("evil", "global-view-users"):
        added = aggregate("GlobalRole", EVERYBODY, [foreign(name, group, rego="package authz\nallow = true")])
        assert added.rules == ()
        assert added.rego == ()
        assert name in added.problem


def test_what_an_extension_brings_along_counts() -> None:
    added = aggregate("GlobalRole", EVERYBODY, [foreign("shop", "shop.example.com")])
    assert [rule["apiGroups"] for rule in added.rules] == [["shop.example.com"]]
    assert not added.problem


def test_a_template_that_a_role_names_counts_whole_unless_it_is_one_of_ours_and_altered() -> None:
    role = {"metadata": {"name": "r"}, "aggregationRoleTemplates": {"templateNames": ["mine", "global-view-users"]}}
    ours = next(one for one in shipped_templates() if one["metadata"]["name"] == "global-view-users")
    altered = {**ours, "spec": {"rules": [*ours["spec"]["rules"], foreign("x", "*")["spec"]["rules"][0]]}}
    added = aggregate("GlobalRole", role, [foreign("mine", "", rego="package a"), altered])
    assert added.rego == ("package a",)
    assert {group for rule in added.rules for group in rule["apiGroups"]} == {"", "iam.kubesphere.io"}
    assert "global-view-users" in added.problem


@pytest.mark.parametrize(("path", "counts"), [("/proxy/shop/*", True), ("*", False), ("/proxy/../api", False)])
def test_paths_of_extensions_count(path: str, counts: bool) -> None:
    made = foreign("shop", "shop.example.com")
    made["spec"]["rules"] = [{"verbs": ["get"], "nonResourceURLs": [path]}]
    assert bool(aggregate("GlobalRole", EVERYBODY, [made]).rules) == counts


PLACE = {"metadata": {"name": "n", "labels": {WORKSPACE: "w"}}}


@given(st.lists(st.sampled_from(["admin", "viewer", "other", "stale"]), unique=True), st.booleans())
def test_one_step_makes_a_place_whole(there: list[str], drifted: bool) -> None:
    should = wanted("namespace", PLACE, builtin_roles())
    by_name = {role["metadata"]["name"]: role for role in should}
    assert set(by_name) == {"admin", "operator", "viewer"}
    present = [by_name.get(name, {"metadata": {"name": name, "namespace": "n"}}) for name in there]
    for role in present:
        if role["metadata"]["name"] == "stale":
            role["metadata"]["labels"] = {BUILTIN_ROLE: "stale"}
    if drifted:
        present = [
            {**role, "rules": [{"verbs": ["get"]}]} if "labels" in role["metadata"] else role for role in present
        ]
    after = {role["metadata"]["name"]: role for role in present}
    for action in plan(should, present):
        name = action.role["metadata"]["name"]
        if action.do == "delete":
            assert name == "stale"
            del after[name]
        else:
            assert action.do in {"create", "update"}
            after[name] = action.role
    assert plan(should, after.values()) == []
    assert ("other" in after) == ("other" in there)


def test_nothing_is_made_where_nothing_stays() -> None:
    leaving = {"metadata": {**PLACE["metadata"], "deletionTimestamp": "now"}}
    assert wanted("namespace", leaving, builtin_roles()) == []
    assert wanted("namespace", {"metadata": {"name": "n"}}, builtin_roles()) == []
    assert wanted("workspace", None, builtin_roles()) == []
    own = {"metadata": {"name": "viewer", "namespace": "n"}, "rules": []}
    actions = plan(wanted("namespace", PLACE, builtin_roles()), [own])
    assert [one.do for one in actions if one.role["metadata"]["name"] == "viewer"] == ["leave alone"]


SUBJECTS = st.lists(
    st.fixed_dictionaries({"kind": st.sampled_from(["User", "Group"]), "name": st.sampled_from(["u", "v"])}), max_size=4
)


@given(SUBJECTS, st.lists(st.sampled_from(["u", "v"])))
def test_nobody_else_loses_by_a_user_who_leaves(who: list[dict[str, str]], people: list[str]) -> None:
    binding = {"subjects": who, "users": people}
    patch = without_user(binding, "u")
    left = {**binding, **patch} if patch else {"subjects": [], "users": []}
    assert "u" not in users_of(left)
    assert [one for one in left["subjects"] if one["kind"] == "Group"] == [one for one in who if one["kind"] == "Group"]
    assert ("v" in users_of(binding)) == ("v" in users_of(left))


def test_who_counts_below() -> None:
    named = [
        ("Group", "system:masters"), ("Group", "team"), ("User", "gone"), ("User", "here"), ("User", "system:admin"),
        ("User", "here"), ("ServiceAccount", "system:serviceaccount:n:sa"),
        ("ServiceAccount", "kubesphere:serviceaccount:n:sa"),
    ]  # fmt: skip
    made = subjects(named, lambda name: name != "gone")
    assert [(one["kind"], one["name"], one.get("namespace")) for one in made] == [
        ("Group", "team", None), ("User", "here", None), ("User", "kubesphere:serviceaccount:n:sa", None),
        ("ServiceAccount", "sa", "n"),
    ]  # fmt: skip
