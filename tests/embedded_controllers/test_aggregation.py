"""Aggregated ClusterRoles: their rules are really written, follow their sources, and are repaired."""

import uuid
from typing import Any

import pytest

from dovetail.embedded.controllers.aggregation import aggregated
from dovetail.kube import CLUSTERROLES, Client, Object

from .clusters import until

RULE = {"apiGroups": ["a.example"], "resources": ["things"], "verbs": ["get"]}


def role(name: str, labels: dict[str, str] | None = None, *rules: Any, **fields: Any) -> Object:
    return {"metadata": {"name": name, "labels": labels or {}}, "rules": list(rules), **fields}


def test_rules_come_selector_by_selector_by_name_and_once() -> None:
    one, two, three = ({**RULE, "verbs": [verb]} for verb in ("get", "list", "watch"))
    sources = [role("c", {"x": "1"}, two, one), role("a", {"x": "1"}, one), role("b", {"y": "1"}, three, one)]
    rule = {"clusterRoleSelectors": [{"matchLabels": {"y": "1"}}, {"matchLabels": {"x": "1"}}]}
    own = role("own", {"x": "1"}, {**RULE, "verbs": ["*"]}, aggregationRule=rule)
    assert aggregated(own, [own, *sources]) == [three, one, two]


@pytest.mark.e2e
async def test_view_edit_and_admin_learn_what_is_labelled_for_view(client: Client) -> None:
    name = f"extra-{uuid.uuid4().hex[:8]}"
    rule = {**RULE, "apiGroups": [f"{name}.example"]}

    async def having(*names: str) -> bool:
        found = {each: (await client.get(CLUSTERROLES, each))["rules"] for each in ("view", "edit", "admin")}
        return [each for each, rules in found.items() if rule in rules] == list(names)

    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    await client.create(CLUSTERROLES, role(name, label, rule))
    await until(lambda: having("view", "edit", "admin"))
    await client.patch(CLUSTERROLES, name, {"metadata": {"labels": {next(iter(label)): None}}})
    await until(having)
    view = await client.get(CLUSTERROLES, "view")
    applied = [entry for entry in view["metadata"]["managedFields"] if entry["operation"] == "Apply"]
    assert [entry["manager"] for entry in applied] == ["clusterrole-aggregation-controller"]
    await client.delete(CLUSTERROLES, name)


@pytest.mark.e2e
async def test_written_over_rules_come_back(client: Client) -> None:
    name = f"agg-{uuid.uuid4().hex[:8]}"
    selector = {"clusterRoleSelectors": [{"matchLabels": {"for": name}}]}
    await client.create(CLUSTERROLES, role(name, {}, {**RULE, "verbs": ["*"]}, aggregationRule=selector))

    async def rules_are(*rules: Any) -> bool:
        return ((await client.get(CLUSTERROLES, name)).get("rules") or []) == list(rules)

    await until(rules_are)
    await client.create(CLUSTERROLES, role(f"{name}-source", {"for": name}, RULE))
    await until(lambda: rules_are(RULE))
    await client.patch(CLUSTERROLES, name, {"rules": [{**RULE, "verbs": ["*"]}]})
    await until(lambda: rules_are(RULE))
    for each in (name, f"{name}-source"):
        await client.delete(CLUSTERROLES, each)
