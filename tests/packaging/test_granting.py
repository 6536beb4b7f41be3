"""Rules of RBAC compared: single cases, and the laws that hold for any rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging.granting import Need, allowed, grants, uncovered
from dovetail.packaging.permissions import Rule

VERBS, GROUPS, RESOURCES = ("get", "create", "*"), ("", "apps", "*"), ("pods", "pods/log", "deployments", "*", "*/log")


def rule(verbs: str, groups: str, resources: str, names: str = "") -> Rule:
    """A rule, each part as words; `core` is the core group."""
    split = {"core": ""}
    return Rule(
        verbs=tuple(verbs.split()),
        api_groups=tuple(split.get(group, group) for group in groups.split()),
        resources=tuple(resources.split()),
        resource_names=tuple(names.split()),
    )


@pytest.mark.parametrize(
    ("given", "need", "expected"),
    [
        (rule("get", "core", "pods"), Need("get", "", "pods"), True),
        (rule("get", "core", "pods"), Need("get", "apps", "pods"), False),
        (rule("*", "*", "*"), Need("escalate", "rbac.authorization.k8s.io", "clusterroles"), True),
        (rule("get", "core", "pods"), Need("get", "", "pods/log"), False),
        (rule("get", "core", "*"), Need("get", "", "pods/log"), True),
        (rule("get", "core", "*/log"), Need("get", "", "pods/log"), True),
        (rule("get create", "core", "secrets", "mine"), Need("get", "", "secrets", "mine"), True),
        (rule("get create", "core", "secrets", "mine"), Need("get", "", "secrets", "other"), False),
        (rule("get create", "core", "secrets", "mine"), Need("create", "", "secrets", "mine"), False),
    ],
)
def test_grants(given: Rule, need: Need, expected: bool) -> None:
    assert grants(given, need) is expected


def test_uncovered_names_the_smallest_part() -> None:
    held = [rule("get list", "core", "pods"), Rule(verbs=("get",), non_resource_urls=("/metrics*",))]
    wanted = [
        rule("get delete", "core", "pods secrets"),
        Rule(verbs=("get",), non_resource_urls=("/metrics/a", "/logs")),
    ]
    parts = list(uncovered(held, wanted))
    assert [(part.verbs, part.resources or part.non_resource_urls) for part in parts] == [
        (("get",), ("secrets",)), (("delete",), ("pods",)), (("delete",), ("secrets",)), (("get",), ("/logs",)),
    ]  # fmt: skip


rules = st.lists(
    st.builds(
        lambda verbs, groups, resources: Rule(verbs=tuple(verbs), api_groups=tuple(groups), resources=tuple(resources)),
        st.lists(st.sampled_from(VERBS), min_size=1, max_size=2),
        st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2),
        st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2),
    ),
    max_size=4,
)
needs = st.builds(
    Need,
    st.sampled_from(["get", "create"]),
    st.sampled_from(["", "apps"]),
    st.sampled_from(["pods", "pods/log", "deployments"]),
)


@given(rules)
def test_rules_cover_themselves(given: list[Rule]) -> None:
    assert list(uncovered(given, given)) == []


@given(rules, rules, needs)
def test_what_is_covered_is_allowed(held: list[Rule], wanted: list[Rule], need: Need) -> None:
    if not list(uncovered(held, wanted)) and allowed(wanted, need):
        assert allowed(held, need)
    if allowed(wanted, need) and not allowed(held, need):
        assert list(uncovered(held, wanted))
