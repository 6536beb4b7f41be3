"""Questions about rights: access reviews at the scope that is asked for, and the role templates in force for a user."""

from typing import Any

from dovetail.apis.iam_v1beta1 import ROLETEMPLATES
from dovetail.apis.labels import SCOPE

from .conftest import Platform
from .test_generic import IAM, VIEW_PODS, Tenants, obj, tenants

__all__ = ["tenants"]

REVIEWS = f"{IAM}/subjectaccessreviews"


def review(user: str, **attributes: str) -> dict[str, Any]:
    return {"spec": {"user": user, "resourceAttributes": {"verb": "list", **attributes}}}


async def allowed(platform: Platform, root: str, *reviews: dict[str, Any]) -> list[bool]:
    body = {"kind": "SubjectAccessReviewList", "items": list(reviews)}
    answer = await platform.call("POST", REVIEWS, user=root, json=body)
    assert answer.code == 201, answer.body
    return [one["status"]["allowed"] for one in answer.body["items"]]


async def test_a_review_is_decided_at_its_scope(tenants: Tenants) -> None:
    pods = {"resource": "pods"}
    asked = [
        review(tenants.admin, **pods, namespace=tenants.project),
        review(tenants.admin, **pods, namespace=tenants.other_project),
        review(tenants.admin, **pods),
        review(tenants.admin, **pods, namespace=tenants.project, resourceScope="Namespace"),
        review(tenants.admin, **pods, namespace=tenants.project, resourceScope="Cluster"),
        review(tenants.admin, **pods, workspace=tenants.ours, resourceScope="Workspace"),
        review(tenants.admin, **pods, workspace=tenants.theirs, resourceScope="Workspace"),
        review(tenants.admin, group="iam.kubesphere.io", resource="workspaceroles", workspace=tenants.ours),
        review(tenants.admin, group="iam.kubesphere.io", resource="globalroles", workspace=tenants.ours),
        review(tenants.root, group="iam.kubesphere.io", resource="globalroles", resourceScope="Global"),
    ]
    expected = [True, False, False, True, False, True, False, True, False, True]
    assert await allowed(tenants.platform, tenants.root, *asked) == expected
    assert await allowed(tenants.platform, tenants.root, *reversed(asked)) == expected[::-1]


async def test_reviews_that_cannot_be_read(tenants: Tenants) -> None:
    for wrong in (
        review(tenants.admin, resource="pods", resourceScope="Galaxy"),
        review(tenants.admin, resource="pods", resourceScope="Workspace"),
        review(tenants.admin, resource="pods", resourceScope="Namespace"),
        {"spec": {}}, {"spec": []}, {},
    ):  # fmt: skip
        assert (await tenants.platform.call("POST", REVIEWS, user=tenants.root, json=wrong)).code == 400, wrong
    assert (await tenants.platform.call("POST", REVIEWS, user=tenants.admin, json=review("x"))).code == 403


async def test_the_templates_in_force_for_a_user(tenants: Tenants) -> None:
    platform = tenants.platform
    for name, rules in (("view", VIEW_PODS), ("all", [{"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]}])):
        template = obj("RoleTemplate", f"{tenants.ours}-{name}", {SCOPE: "workspace"}, spec={"rules": rules})
        await platform.client.create(ROLETEMPLATES, template)
    await platform.until(lambda: platform.deps.directory(ROLETEMPLATES).get(f"{tenants.ours}-all") is not None)

    async def names(user: str, query: str, caller: str = "") -> list[str]:
        answer = await tenants.call("GET", f"/users/{user}/roletemplates?{query}", caller or user)
        assert answer.code == 200, answer.body
        return sorted(one["metadata"]["name"].removeprefix(tenants.ours) for one in answer.body["items"])

    mine = f"name={tenants.ours}-&scope=workspace&workspace="
    assert await names(tenants.viewer, mine + tenants.ours) == ["-view"]
    assert await names(tenants.admin, mine + tenants.ours) == ["-all", "-view"]
    assert await names(tenants.admin, mine + tenants.theirs) == []
    assert await names(tenants.viewer, mine + tenants.ours, tenants.root) == ["-view"]
    assert await names(tenants.viewer, f"name={tenants.ours}-&scope=global") == []
    for query in ("scope=workspace", "scope=galaxy", "cluster=other", "foo=bar"):
        answer = await tenants.call("GET", f"/users/{tenants.viewer}/roletemplates?{query}", tenants.viewer)
        assert answer.code == 400, query
    assert (await tenants.call("GET", f"/users/{tenants.viewer}/roletemplates", tenants.admin)).code == 403
    assert (await tenants.call("GET", "/users/nobody-at-all/roletemplates", tenants.root)).code == 404
