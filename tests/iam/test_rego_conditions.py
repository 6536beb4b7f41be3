"""What a role says about its Rego: the condition, and the controller that keeps it there."""

from datetime import UTC, datetime
from typing import Any

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.labels import REGO_OVERRIDE
from dovetail.iam import rego_conditions
from dovetail.iam.rego_conditions import USABLE, verdict
from tests.iam.rego_modules import VIEW_WORKSPACES
from tests.iam.role_rig import eventually, fresh, running

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LATER = datetime(2026, 11, 22, tzinfo=UTC)


def role(name: str, rego: str = "", **more: Any) -> dict[str, Any]:
    annotations = {REGO_OVERRIDE: rego} if rego else {}
    metadata = {"name": name, "annotations": annotations}
    return {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "GlobalRole", "metadata": metadata, "rules": [], **more}


def test_the_condition_follows_the_module() -> None:
    assert verdict(role("r"), "GlobalRole", NOW) is None
    good = verdict(role("r", VIEW_WORKSPACES), "GlobalRole", NOW)
    assert good is not None
    assert [(one["type"], one["status"]) for one in good] == [(USABLE, "True")]
    assert verdict(role("r", VIEW_WORKSPACES, status={"conditions": good}), "GlobalRole", LATER) is None
    bad = verdict(role("r", "package authz\nallow {", status={"conditions": good}), "GlobalRole", LATER)
    assert bad is not None
    assert (bad[0]["status"], "line 2" in bad[0]["message"]) == ("False", True)
    assert verdict(role("r", status={"conditions": bad}), "GlobalRole", LATER) == []


def test_what_templates_add_is_judged_too() -> None:
    added = {"aggregatedRego": ["package authz\nallow { http.send({}) }"], "conditions": []}
    judged = verdict(role("r", VIEW_WORKSPACES, status=added), "GlobalRole", NOW)
    assert judged is not None
    assert "http.send" in judged[0]["message"]


async def test_a_bad_module_is_reported_on_its_role(platform_crds: Any) -> None:
    async with running(platform_crds, rego_conditions.controllers) as client:
        name = fresh()
        await client.create(iam.GLOBALROLES, role(name, "package authz\nallow { input.Verb == }"))

        async def says(status: str) -> bool:
            now = await client.get(iam.GLOBALROLES, name)
            conditions = (now.get("status") or {}).get("conditions") or []
            return [(one["type"], one["status"]) for one in conditions] == ([(USABLE, status)] if status else [])

        await eventually(lambda: says("False"))
        await client.patch(iam.GLOBALROLES, name, {"metadata": {"annotations": {REGO_OVERRIDE: VIEW_WORKSPACES}}})
        await eventually(lambda: says("True"))
        await client.patch(iam.GLOBALROLES, name, {"metadata": {"annotations": {REGO_OVERRIDE: None}}})
        await eventually(lambda: says(""))
