"""/kapis/iam.kubesphere.io/v1beta1/users: who may do what to whom, and that a password never comes out."""

import secrets
from typing import Any
from urllib.parse import quote

import pytest

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, USERS
from dovetail.iam import bootstrap
from dovetail.iam.errors import InvalidToken
from dovetail.kube.errors import NotFound

from .conftest import PASSWORD, Platform

BASE = "/kapis/iam.kubesphere.io/v1beta1/users"
USER_RULE = {"verbs": ["*"], "apiGroups": ["iam.kubesphere.io"], "resources": ["users", "users/password"]}
NEW = "Another-pass1"


def body(name: str = "", role: str = "", **spec: Any) -> dict[str, Any]:
    annotations = {"iam.kubesphere.io/globalrole": role} if role else {}
    metadata = {"name": name or "n" + secrets.token_hex(5), "annotations": annotations}
    return {"metadata": metadata, "spec": {"email": "", "password": PASSWORD, **spec}}


async def test_create_see_and_delete(platform: Platform) -> None:
    admin = await platform.user("platform-admin")
    email = secrets.token_hex(4) + "@example.com"
    wanted = body(role="platform-regular", email=email, displayName="New One")
    name = wanted["metadata"]["name"]
    made = await platform.call("POST", BASE, user=admin, json=wanted)
    assert made.code == 201
    assert made.body["status"]["state"] == "Active"
    assert "password" not in made.body["spec"]
    stored = await platform.client.get(USERS, name)
    assert stored["spec"]["password"].startswith("$argon2id$")
    assert "iam.kubesphere.io/globalrole" not in stored["metadata"].get("annotations", {})
    assert (await platform.call("GET", f"{BASE}/{name}", user=admin)).body["spec"]["displayName"] == "New One"
    listed = (await platform.call("GET", f"{BASE}?name={name}", user=admin)).body
    assert (listed["totalItems"], listed["items"][0]["metadata"]["name"]) == (1, name)
    assert (await platform.log_in(name)).code == 200
    assert (await platform.call("POST", BASE, user=admin, json=body(email=email))).code == 409
    again = await platform.call("POST", BASE, user=admin, json=wanted)
    assert (again.code, again.reason) == (409, "Conflict")
    assert (await platform.call("DELETE", f"{BASE}/{name}", user=admin)).code == 200
    assert (await platform.call("GET", f"{BASE}/{name}", user=admin)).code == 404
    with pytest.raises(NotFound):
        await platform.client.get(GLOBALROLEBINDINGS, bootstrap.binding_name(name, "platform-regular"))
    assert (await platform.log_in(name)).code == 400
    assert (await platform.call("DELETE", f"{BASE}/{name}", user=admin)).code == 404


async def test_the_same_name_twice(platform: Platform) -> None:
    admin, name = await platform.user("platform-admin"), await platform.user()
    answer = await platform.call("POST", BASE, user=admin, json=body(name, role="platform-admin"))
    assert (answer.code, answer.reason) == (409, "AlreadyExists")
    with pytest.raises(NotFound):
        await platform.client.get(GLOBALROLEBINDINGS, bootstrap.binding_name(name, "platform-admin"))


async def test_everything_wrong_is_told_at_once(platform: Platform) -> None:
    admin = await platform.user("platform-admin")
    wanted = body("Bad_Name", password="weak", email="no", groups=["system:masters", "ok"])
    wanted["metadata"]["annotations"] = {"iam.kubesphere.io/granted-clusters": "all"}
    wanted["kind"] = "Secret"
    answer = await platform.call("POST", BASE, user=admin, json=wanted)
    assert (answer.code, answer.reason) == (422, "Invalid")
    fields = {cause["field"] for cause in answer.body["details"]["causes"]}
    assert fields == {"metadata.name", "spec.password", "spec.groups", "spec.email", "metadata.annotations", "kind"}
    for nonsense in ({}, {"metadata": [], "spec": 3}, {"metadata": {"name": 3, "labels": 3}, "spec": {"groups": 3}}):
        assert (await platform.call("POST", BASE, user=admin, json=nonsense)).code == 422
    assert (await platform.call("POST", BASE, user=admin, json=[1])).code == 400
    unknown = await platform.call("POST", BASE, user=admin, json=body(role="no-such-role"))
    assert unknown.code == 422


async def test_without_a_role_403_and_without_a_user_401(platform: Platform) -> None:
    plain = await platform.user()
    for method, path in [("GET", BASE), ("POST", BASE), ("DELETE", f"{BASE}/x"), ("PUT", f"{BASE}/x/password")]:
        denied = await platform.call(method, path, user=plain)
        assert (denied.code, denied.reason, denied.body["kind"]) == (403, "Forbidden", "Status")
        assert (await platform.call(method, path)).code == 401
    assert (await platform.call("GET", f"{BASE}/{plain}", user=plain)).code == 200
    assert (await platform.call("GET", f"{BASE}/{plain}%2Fpassword", user=plain)).code == 403


async def test_nobody_grants_what_he_does_not_hold(platform: Platform) -> None:
    helpdesk_role = await platform.role(USER_RULE)
    helpdesk, admin = await platform.user(helpdesk_role), await platform.user("platform-admin")
    refused = await platform.call("POST", BASE, user=helpdesk, json=body(role="platform-admin"))
    assert (refused.code, refused.reason) == (403, "Forbidden")
    assert (await platform.call("POST", BASE, user=helpdesk, json=body(role=helpdesk_role))).code == 201
    assert (await platform.call("POST", BASE, user=helpdesk, json=body())).code == 201
    taken = await platform.call("PUT", f"{BASE}/{admin}/password", user=helpdesk, json={"password": NEW})
    assert taken.code == 403
    assert (await platform.log_in(admin)).code == 200
    group = "g" + secrets.token_hex(4)
    await platform.client.create(GLOBALROLEBINDINGS, bootstrap.binding(group, "platform-admin", "Group", group))
    await platform.until(lambda: group in platform.deps.policy().group_roles)
    assert (await platform.call("POST", BASE, user=helpdesk, json=body(groups=[group]))).code == 403
    assert (await platform.call("POST", BASE, user=admin, json=body(groups=[group]))).code == 201


async def test_changing_the_own_password_ends_all_sessions(platform: Platform) -> None:
    user = await platform.user()
    old, before = (await platform.log_in(user)).body, platform.now
    path = f"{BASE}/{user}/password"
    wrong = await platform.call("PUT", path, user=user, json={"currentPassword": "Wrong-pass1", "password": NEW})
    assert wrong.code == 422
    weak = await platform.call("PUT", path, user=user, json={"currentPassword": PASSWORD, "password": "weak"})
    assert weak.code == 422
    platform.now += 2
    changed = await platform.call("PUT", path, user=user, json={"currentPassword": PASSWORD, "password": NEW})
    assert changed.code == 200
    assert (await platform.log_in(user)).code == 400
    new = await platform.log_in(user, NEW)
    assert new.code == 200
    await platform.until(lambda: platform.deps.policy().accounts[user].tokens_not_before > before)
    with pytest.raises(InvalidToken):
        platform.verifier().verify(old["access_token"], platform.now)
    assert platform.verifier().verify(new.body["access_token"], platform.now)
    assert len(platform.ended) == 1
    refused = await platform.token(grant_type="refresh_token", refresh_token=old["refresh_token"])
    assert refused.code == 400


async def test_an_administrator_sets_a_password(platform: Platform) -> None:
    admin, user = await platform.user("platform-admin"), await platform.user()
    assert (await platform.call("PUT", f"{BASE}/{user}/password", user=admin, json={"password": NEW})).code == 200
    assert (await platform.log_in(user, NEW)).code == 200
    assert (await platform.call("PUT", f"{BASE}/nobody/password", user=admin, json={"password": NEW})).code == 404
    assert (await platform.call("PUT", f"{BASE}/{user}/password", user=admin, json={})).code == 400


async def test_guessing_the_current_password_is_counted(platform: Platform) -> None:
    user = await platform.user()
    guess = {"currentPassword": "Wrong-pass1", "password": NEW}
    codes = [
        (await platform.call("PUT", f"{BASE}/{user}/password", user=user, json=guess, address="198.51.100.99")).code
        for _ in range(11)
    ]
    assert codes == [422] * 10 + [429]


async def test_nobody_deletes_himself(platform: Platform) -> None:
    admin = await platform.user("platform-admin")
    assert (await platform.call("DELETE", f"{BASE}/{admin}", user=admin)).code == 409


async def test_deleting_leaves_shared_bindings_to_the_others(platform: Platform) -> None:
    admin, leaving, staying = [await platform.user(role) for role in ("platform-admin", "", "")]
    shared = bootstrap.binding("b" + secrets.token_hex(4), "platform-regular", "User", leaving)
    shared["subjects"].append({**shared["subjects"][0], "name": staying})
    await platform.client.create(GLOBALROLEBINDINGS, shared)
    assert (await platform.call("DELETE", f"{BASE}/{leaving}", user=admin)).code == 200
    left = await platform.client.get(GLOBALROLEBINDINGS, shared["metadata"]["name"])
    assert [subject["name"] for subject in left["subjects"]] == [staying]


async def test_pages_and_selectors(platform: Platform) -> None:
    admin = await platform.user("platform-admin")
    whole = (await platform.call("GET", BASE, user=admin)).body
    names = [item["metadata"]["name"] for item in whole["items"]]
    assert names == sorted(names)
    assert whole["totalItems"] == len(names)
    page = (await platform.call("GET", f"{BASE}?limit=1&page=2", user=admin)).body
    assert (page["totalItems"], [item["metadata"]["name"] for item in page["items"]]) == (len(names), names[1:2])
    one = (await platform.call("GET", f"{BASE}?fieldSelector=metadata.name={admin}", user=admin)).body
    assert one["totalItems"] == 1
    for query in ("labelSelector=!x", "fieldSelector=spec.email=x", "limit=x", "fieldSelector=metadata.name!=x"):
        assert (await platform.call("GET", f"{BASE}?{query}", user=admin)).code == 400


async def test_access_reviews(platform: Platform) -> None:
    admin, plain = await platform.user("platform-admin"), await platform.user()
    path = BASE.replace("/users", "/subjectaccessreviews")
    asked = {"verb": "get", "group": "", "resource": "pods"}
    items = [{"spec": {"user": user, "resourceAttributes": asked}} for user in (admin, plain, admin)]
    items.append({"spec": {"user": plain, "nonResourceAttributes": {"verb": "GET", "path": "/version"}}})
    answer = await platform.call("POST", path, user=admin, json={"items": items})
    assert [item["status"]["allowed"] for item in answer.body["items"]] == [True, False, True, True]
    single = await platform.call("POST", path, user=admin, json=items[1])
    assert single.body["status"]["allowed"] is False
    assert plain in single.body["status"]["reason"]
    assert (await platform.call("POST", path, user=plain, json=items[0])).code == 403
    assert (await platform.call("POST", path, user=admin, json={"spec": {}})).code == 400


async def test_names_that_no_header_can_hold_come_percent_encoded(platform: Platform) -> None:
    """As the gateway's worker writes them: what is not printable ASCII is percent-encoded."""
    group = "gräfe%" + secrets.token_hex(4)
    bound = bootstrap.binding("b" + secrets.token_hex(4), "platform-admin", "Group", group)
    bound["metadata"]["labels"] = {}
    await platform.client.create(GLOBALROLEBINDINGS, bound)
    await platform.until(lambda: group in platform.deps.policy().group_roles)
    plain = await platform.user()
    assert (await platform.call("GET", BASE, user=plain, groups=[quote(group)])).code == 200
    assert (await platform.call("GET", BASE, user=plain, groups=["other"])).code == 403
