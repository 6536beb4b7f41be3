"""/kapis/kubesphere.io/v1alpha1/extensions/{name}/plan: who may look, what he sees, what is refused."""

import secrets
from typing import Any

from dovetail.kube import CLUSTERROLEBINDINGS, CLUSTERROLES, NAMESPACES, ROLES, SERVICEACCOUNTS, Client, NotFound
from dovetail.kube.resources import SECRETS
from dovetail.lifecycle.access import account_name, account_user, role_name
from tests.lifecycle.platform import ensure_namespace, make, package, publish

from .conftest import Platform

PASSWORD_OF_THE_CHART = "correct-battery-staple"
SECRET = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{password: {PASSWORD_OF_THE_CHART}}}\n"


def path(name: str, version: str = "") -> str:
    return f"/kapis/kubesphere.io/v1alpha1/extensions/{name}/plan" + (f"?version={version}" if version else "")


async def with_rights(client: Client, user: str, role: str) -> None:
    """The user's rights in Kubernetes, as the controllers would mirror them."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    await make(client, CLUSTERROLEBINDINGS, f"test:{user}", roleRef=reference, subjects=[subject])


async def published(client: Client, **files: str) -> str:
    name = "x" + secrets.token_hex(4)
    await publish(client, name, "1.0.0", package(name, "1.0.0", templates__keys_yaml=SECRET, **files))
    return name


async def test_who_may_install_it_sees_the_plan_and_no_secret(platform: Platform) -> None:
    user = await platform.user("platform-admin")
    await with_rights(platform.client, user, "cluster-admin")
    name = await published(platform.client)
    shown = await platform.call("GET", path(name, "1.0.0"), user=user)
    assert shown.code == 200, shown.body
    assert (shown.body["operation"], shown.body["blocked"]) == ("install", [])
    assert {one["name"] for one in shown.body["objects"]["added"]} >= {"keys", "settings", name}
    assert PASSWORD_OF_THE_CHART not in str(shown.body)
    wish = {"version": "1.0.0", "config": "color: blue", "targetNamespace": "elsewhere"}
    tried = await platform.call("POST", path(name), user=user, json=wish)
    assert (tried.code, tried.body["namespace"]) == (200, "elsewhere")
    assert tried.body["hash"] != shown.body["hash"]
    for namespace in ("elsewhere", f"extension-{name}"):
        try:
            await platform.client.get(NAMESPACES, namespace)
        except NotFound:
            continue
        raise AssertionError(f"a preview made namespace {namespace}")


async def test_the_cluster_is_read_as_the_caller(platform: Platform) -> None:
    user = await platform.user("platform-admin")
    await with_rights(platform.client, user, "view")
    name = await published(platform.client)
    refused = await platform.call("GET", path(name, "1.0.0"), user=user)
    assert (refused.code, refused.reason) == (403, "Forbidden")


async def test_what_the_caller_may_not_read_is_named_and_not_shown(platform: Platform) -> None:
    user = await platform.user("platform-admin")
    await with_rights(platform.client, user, await reader_of_all_but_secrets(platform.client))
    name = await published(platform.client)
    await ensure_namespace(platform.client, f"extension-{name}")
    await make(platform.client, SECRETS, "keys", f"extension-{name}", stringData={"password": "of somebody"})
    shown = await platform.call("GET", path(name, "1.0.0"), user=user)
    assert shown.code == 200, shown.body
    assert shown.body["unreadable"] == [f"Secret extension-{name}/keys"]
    assert [one["name"] for one in shown.body["objects"]["unknown"]] == ["keys"]


LOOKED_UP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: told}
data: {told: "{{ (lookup "v1" "Secret" .Release.Namespace "theirs").data.password | b64dec }}"}
"""


async def test_no_template_reads_for_the_caller_what_only_the_account_may_read(platform: Platform) -> None:
    client, name = platform.client, "x" + secrets.token_hex(4)
    namespace = f"extension-{name}"
    await publish(client, name, "1.0.0", package(name, "1.0.0", templates__told_yaml=LOOKED_UP))
    await ensure_namespace(client, namespace)
    await make(client, SECRETS, "theirs", namespace, stringData={"password": PASSWORD_OF_THE_CHART})
    await make(client, SERVICEACCOUNTS, account_name(name), namespace)
    everything = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
    await make(client, CLUSTERROLES, role_name(name), rules=everything)
    await make(client, ROLES, role_name(name), namespace, rules=everything)
    await with_rights(client, account_user(name, namespace), role_name(name))

    reader = await platform.user("platform-admin")
    await with_rights(client, reader, "cluster-admin")
    role = {"verbs": ["get", "update"], "apiGroups": ["kubesphere.io"], "resources": ["installplans"]}
    asking = {
        "verbs": ["get", "create"],
        "apiGroups": ["kubesphere.io"],
        "resources": ["extensions", "extensions/plan"],
    }
    writer = await platform.user(await platform.role(role, asking))
    await with_rights(client, writer, await reader_of_all_but_secrets(client))
    for version in ("GET", "POST"):
        wish = {"json": {"version": "1.0.0"}} if version == "POST" else {}
        shown = await platform.call(version, path(name, "" if wish else "1.0.0"), user=writer, **wish)
        assert shown.code == 200, shown.body
        assert PASSWORD_OF_THE_CHART not in str(shown.body)
        assert not shown.body["lookup"]["asAccount"]
        assert "forbidden" in str(shown.body["blocked"]), "what he may not read is refused"
    # who may act as the account sees what it renders
    told = await platform.call("GET", path(name, "1.0.0"), user=reader)
    assert (told.code, told.body["lookup"]["asAccount"]) == (200, True)


async def reader_of_all_but_secrets(client: Client) -> str:
    name = "r" + secrets.token_hex(4)
    core = ["configmaps", "namespaces", "serviceaccounts", "services"]
    rules: list[dict[str, Any]] = [
        {"verbs": ["get", "list"], "apiGroups": [""], "resources": core},
        {"verbs": ["list"], "apiGroups": [""], "resources": ["secrets"]},
        {"verbs": ["get", "list"], "apiGroups": _GROUPS, "resources": ["*"]},
    ]
    await make(client, CLUSTERROLES, name, rules=rules)
    return name


_GROUPS = ["kubesphere.io", "extensions.kubesphere.io", "rbac.authorization.k8s.io", "apiextensions.k8s.io"]


async def test_reading_extensions_is_not_enough(platform: Platform) -> None:
    looking = {"verbs": ["get"], "apiGroups": ["kubesphere.io"], "resources": ["extensions", "extensions/plan"]}
    user = await platform.user(await platform.role(looking))
    name = await published(platform.client)
    refused = await platform.call("GET", path(name, "1.0.0"), user=user)
    assert refused.code == 403
    nobody = await platform.call("GET", path(name, "1.0.0"), user=await platform.user())
    assert nobody.code == 403


async def test_what_is_refused(platform: Platform) -> None:
    user = await platform.user("platform-admin")
    await with_rights(platform.client, user, "cluster-admin")
    name = await published(platform.client)
    assert (await platform.call("GET", path(name), user=user)).code == 400
    assert (await platform.call("GET", path(name, "1.0.0") + "&watch=1", user=user)).code == 400
    missing = await platform.call("GET", path(name, "9.9.9"), user=user)
    assert (missing.code, "there is 1.0.0" in missing.body["message"]) == (404, True)
    for wish in ([], {"version": 1}, {"version": "1.0.0", "config": "- a list"}, {"config": "a: 1"}):
        assert (await platform.call("POST", path(name), user=user, json=wish)).code == 400, wish
