"""Roles in step with their templates and patterns, and users who leave: the controllers against the embedded API."""

from typing import Any

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.labels import AGGREGATE_TO_PREFIX, AUTO_AGGREGATE, REGO_OVERRIDE, SCOPE, WORKSPACE
from dovetail.apis.tenant_v1beta1 import WORKSPACES
from dovetail.iam import aggregation_controllers, bootstrap, deleted_users, instances, shipped
from dovetail.iam.builtin_roles import namespace_binding, workspace_binding
from dovetail.iam.passwords import hash_password
from dovetail.iam.role_catalogue import templates
from dovetail.kube.resources import NAMESPACES
from tests.iam.role_rig import eventually, found, fresh, running

PASSWORD = hash_password("Correct-horse1")


def rule(resource: str, *verbs: str) -> dict[str, list[str]]:
    return {"verbs": [*verbs], "apiGroups": ["shop.example"], "resources": [resource]}


def template(
    name: str, *rules: Any, scope: str = "global", labels: dict[str, str] | None = None, rego: str = ""
) -> Any:
    return {
        "apiVersion": "iam.kubesphere.io/v1beta1", "kind": "RoleTemplate",
        "metadata": {
            "name": name, "labels": {SCOPE: scope, **(labels or {})},
            "annotations": {REGO_OVERRIDE: rego} if rego else {},
        },
        "spec": {"rules": list(rules)},
    }  # fmt: skip


def role(name: str, *rules: Any, **more: Any) -> Any:
    made = {"apiVersion": "iam.kubesphere.io/v1beta1", "kind": "GlobalRole", "metadata": {"name": name}}
    return {**made, "rules": list(rules), **more}


async def test_a_role_follows_its_templates(platform_crds: Any) -> None:
    one, two, name = fresh(), fresh(), fresh()
    async with running(platform_crds, aggregation_controllers.controllers) as client:

        async def is_now(*added: Any, templates: list[str], rego: list[str] | None = None) -> None:
            async def check() -> bool:
                now = await client.get(iam.GLOBALROLES, name)
                assert now["rules"] == [rule("own", "get")]
                status = now.get("status") or {}
                is_it = status.get("aggregatedRules", []) == list(added) and status.get("templates", []) == templates
                return is_it and status.get("aggregatedRego", []) == (rego or [])

            await eventually(check)

        first, second = sorted([one, two])
        await client.create(
            iam.ROLETEMPLATES, template(first, rule("a", "get"), rule("b", "get"), rego="package authz")
        )
        wish = {"aggregationRoleTemplates": {"templateNames": [first, second]}}
        await client.create(iam.GLOBALROLES, role(name, rule("own", "get"), **wish))
        both = rule("a", "get") | {"resources": ["a", "b"]}
        await is_now(both, templates=[first], rego=["package authz"])
        assert (await client.get(iam.GLOBALROLES, name))["status"]["conditions"][0]["type"] == "TemplatesIncomplete"
        await client.create(iam.ROLETEMPLATES, template(second, rule("c", "list")))
        await is_now(both, rule("c", "list"), templates=[first, second], rego=["package authz"])
        assert not (await client.get(iam.GLOBALROLES, name))["status"].get("conditions")
        await client.patch(iam.ROLETEMPLATES, second, {"spec": {"rules": [rule("d", "list")]}})
        await is_now(both, rule("d", "list"), templates=[first, second], rego=["package authz"])
        await client.patch(
            iam.GLOBALROLES, name, {"status": {"aggregatedRules": [rule("*", "*")]}}, subresource="status"
        )
        await is_now(both, rule("d", "list"), templates=[first, second], rego=["package authz"])
        await client.delete(iam.ROLETEMPLATES, first)
        await is_now(rule("d", "list"), templates=[second])
        await client.patch(iam.GLOBALROLES, name, {"aggregationRoleTemplates": None})
        await is_now(templates=[])


async def test_templates_come_by_label_within_their_scope(platform_crds: Any) -> None:
    word, name, chosen = fresh(), fresh(), fresh()
    async with running(platform_crds, aggregation_controllers.controllers) as client:
        await client.create(
            iam.GLOBALROLES,
            role(name, aggregationRoleTemplates={"roleSelector": {"matchLabels": {"pick": word}}}),
        )
        auto = role(word)
        auto["metadata"]["annotations"] = {AUTO_AGGREGATE: "true"}
        await client.create(iam.GLOBALROLES, auto)
        labels = {"pick": word, AGGREGATE_TO_PREFIX + word: ""}
        await client.create(iam.ROLETEMPLATES, template(fresh(), rule("x", "get"), scope="cluster", labels=labels))
        await client.create(iam.ROLETEMPLATES, template(chosen, rule("y", "get"), labels=labels))

        async def both_have_it() -> bool:
            got = [((await client.get(iam.GLOBALROLES, one)).get("status") or {}) for one in (name, word)]
            return [status.get("templates") for status in got] == [[chosen], [chosen]]

        await eventually(both_have_it)
        await client.patch(iam.ROLETEMPLATES, chosen, {"metadata": {"labels": {"pick": "other"}}})

        async def only_the_other_has_it() -> bool:
            got = [((await client.get(iam.GLOBALROLES, one)).get("status") or {}) for one in (name, word)]
            return [status.get("templates", []) for status in got] == [[], [chosen]]

        await eventually(only_the_other_has_it)


async def test_places_have_their_roles_and_keep_them(platform_crds: Any) -> None:
    workspace, namespace = fresh("w"), fresh("n")
    makers = (shipped.controllers, instances.controllers, aggregation_controllers.controllers)
    async with running(platform_crds, *makers) as client:
        await client.create(WORKSPACES, {**of_kind(WORKSPACES), "metadata": {"name": workspace}})
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        await client.create(NAMESPACES, made)

        async def viewer_is_whole() -> bool:
            viewer = await found(client, iam.WORKSPACEROLES, f"{workspace}-viewer")
            return viewer is not None and "workspace-view-members" in (viewer.get("status") or {}).get("templates", ())

        await eventually(viewer_is_whole)
        assert (await client.get(iam.WORKSPACEROLES, f"{workspace}-admin"))["rules"][0]["verbs"] == ["*"]

        async def all_templates() -> bool:
            return len((await client.list(iam.ROLETEMPLATES)).items) >= len(templates())

        await eventually(all_templates)
        assert not (await client.list(iam.ROLES, namespace)).items, "it is in no workspace"
        own = {**of_kind(iam.ROLES), "metadata": {"name": "viewer", "namespace": namespace}, "rules": []}
        await client.create(iam.ROLES, own)
        await client.patch(NAMESPACES, namespace, {"metadata": {"labels": {WORKSPACE: workspace}}})

        async def names() -> set[str]:
            return {one["metadata"]["name"] for one in (await client.list(iam.ROLES, namespace)).items}

        async def all_there() -> bool:
            return await names() == {"admin", "operator", "viewer"}

        await eventually(all_there)
        assert not (await client.get(iam.ROLES, "viewer", namespace)).get("status"), "it is somebody's own"
        await client.delete(iam.ROLES, "viewer", namespace)

        async def viewer_is_ours() -> bool:
            viewer = await found(client, iam.ROLES, "viewer", namespace)
            return viewer is not None and "namespace-view-workloads" in (viewer.get("status") or {}).get(
                "templates", ()
            )

        await eventually(viewer_is_ours)
        await client.patch(iam.ROLES, "admin", {"rules": []}, namespace)

        async def admin_is_whole() -> bool:
            return bool((await client.get(iam.ROLES, "admin", namespace)).get("rules"))

        await eventually(admin_is_whole)
        pattern = {**of_kind(iam.BUILTINROLES), "metadata": {"name": workspace, "labels": {SCOPE: "namespace"}},
                   "targetSelector": {"matchLabels": {WORKSPACE: workspace}},
                   "role": {"metadata": {"name": "auditor"}, "rules": [rule("a", "get")]}}  # fmt: skip
        await client.create(iam.BUILTINROLES, pattern)

        async def auditor(rules: Any) -> bool:
            there = await found(client, iam.ROLES, "auditor", namespace)
            return (there["rules"] if there else None) == rules

        await eventually(lambda: auditor([rule("a", "get")]))
        await client.patch(iam.BUILTINROLES, workspace, {"role": {"rules": [rule("b", "get")]}})
        await eventually(lambda: auditor([rule("b", "get")]))
        await client.delete(iam.BUILTINROLES, workspace)
        await eventually(lambda: auditor(None))
        await client.patch(NAMESPACES, namespace, {"metadata": {"labels": {WORKSPACE: None}}})

        async def none_left() -> bool:
            return not await names()

        await eventually(none_left)


async def test_who_is_deleted_leaves_every_binding(platform_crds: Any) -> None:
    user, other, namespace = fresh("u"), fresh("u"), fresh("n")
    async with running(platform_crds, deleted_users.controllers) as client:
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        for name in (user, other):
            await client.create(iam.USERS, bootstrap.admin_user(name, PASSWORD))
        alone = bootstrap.binding(user, "platform-regular", "User", user)
        alone["metadata"]["labels"] = {"iam.kubesphere.io/user-ref": other}
        await client.create(iam.GLOBALROLEBINDINGS, alone)
        shared = workspace_binding("w", "viewer", user)
        shared["metadata"]["labels"].pop("iam.kubesphere.io/user-ref")
        shared["subjects"].append({**shared["subjects"][0], "name": other})
        shared["subjects"].append({**shared["subjects"][0], "kind": "Group", "name": user})
        await client.create(iam.WORKSPACEROLEBINDINGS, shared)
        await client.create(iam.ROLEBINDINGS, namespace_binding(namespace, "viewer", user))
        group = {**of_kind(iam.GROUPBINDINGS), "metadata": {"name": user}, "users": [user, other],
                 "groupRef": {"kind": "Group", "name": "g"}}  # fmt: skip
        await client.create(iam.GROUPBINDINGS, group)

        async def kept() -> bool:
            return bool((await client.get(iam.USERS, user))["metadata"].get("finalizers"))

        await eventually(kept)
        await client.delete(iam.USERS, user)

        async def gone() -> bool:
            return await found(client, iam.USERS, user) is None

        await eventually(gone)
        assert await found(client, iam.GLOBALROLEBINDINGS, user) is None
        assert await found(client, iam.ROLEBINDINGS, shared["metadata"]["name"], namespace) is None
        left = (await client.get(iam.WORKSPACEROLEBINDINGS, shared["metadata"]["name"]))["subjects"]
        assert [(one["kind"], one["name"]) for one in left] == [("User", other), ("Group", user)]
        assert (await client.get(iam.GROUPBINDINGS, user))["users"] == [other]


def of_kind(kind: Any) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind}
