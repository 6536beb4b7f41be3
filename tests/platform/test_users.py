"""/kapis/iam.kubesphere.io/v1beta1/users: who may do what to whom, and that a password never comes out."""

import asyncio
import contextlib
import dataclasses
import secrets
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, LOGINRECORDS, USERS
from dovetail.apis.labels import GLOBAL_ROLE, IDENTITY_PROVIDER_PREFIX, UNINITIALIZED
from dovetail.iam import bootstrap
from dovetail.iam.errors import InvalidToken, TooManyAttempts
from dovetail.iam.lockout import Lockout, LockoutRules
from dovetail.iam.login_records import LoginAttempt, LoginRecords, Retention
from dovetail.kube.errors import NotFound
from dovetail.platform.callers import Origin
from dovetail.platform.errors import Unauthenticated
from dovetail.platform.login import log_in

from .conftest import PASSWORD, Platform

BASE = "/kapis/iam.kubesphere.io/v1beta1/users"
USER_RULE = {"verbs": ["*"], "apiGroups": ["iam.kubesphere.io"], "resources": ["users", "users/password"]}
NEW = "Another-pass1"
LINK = IDENTITY_PROVIDER_PREFIX + "github"


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
    assert (again.code, again.reason) == (409, "AlreadyExists")
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
    admin, role = await platform.user("platform-admin"), await platform.role()
    whole = (await platform.call("GET", f"{BASE}?sortBy=name&ascending=true", user=admin)).body
    names = [item["metadata"]["name"] for item in whole["items"]]
    assert names == sorted(names)
    assert whole["totalItems"] == len(names)
    page = (await platform.call("GET", f"{BASE}?sortBy=name&ascending=true&limit=1&page=2", user=admin)).body
    assert (page["totalItems"], [item["metadata"]["name"] for item in page["items"]]) == (len(names), names[1:2])
    one = (await platform.call("GET", f"{BASE}?fieldSelector=metadata.name={admin}", user=admin)).body
    assert one["totalItems"] == 1
    holder = await platform.user(role)
    held = (await platform.call("GET", f"{BASE}?globalrole={role}", user=admin)).body["items"]
    assert [item["metadata"]["name"] for item in held] == [holder]
    assert held[0]["metadata"]["annotations"][GLOBAL_ROLE] == role
    by_hash = await platform.call("GET", f"{BASE}?fieldSelector=spec.password=~argon2", user=admin)
    assert by_hash.body["totalItems"] == 0
    for query in ("labelSelector=a==b==c", "limit=x", "no-such=1"):
        assert (await platform.call("GET", f"{BASE}?{query}", user=admin)).code == 400


async def test_a_user_is_changed(platform: Platform) -> None:
    admin, role = await platform.user("platform-admin"), await platform.role()
    name = await platform.user(role, email=f"{secrets.token_hex(4)}@example.com")
    await platform.client.patch(USERS, name, {"metadata": {"annotations": {LINK: "77"}}})
    path = f"{BASE}/{name}"
    user = (await platform.call("GET", path, user=admin)).body
    user["spec"] |= {"displayName": "New Name", "groups": ["team"]}
    user["metadata"]["labels"] = {"team": "a"}
    changed = await platform.call("PUT", path, user=admin, json=user)
    assert changed.code == 200, changed.body
    stored = await platform.client.get(USERS, name)
    assert stored["spec"]["password"].startswith("$argon2id$")
    assert (stored["spec"]["displayName"], stored["spec"]["groups"]) == ("New Name", ["team"])
    assert stored["metadata"]["annotations"][LINK] == "77"
    assert (await platform.call("PUT", path, user=admin, json=user)).code == 409, "another version"
    merge = {"Content-Type": "application/merge-patch+json"}

    async def patch(body: dict[str, Any], as_user: str = admin) -> Any:
        return await platform.call("PATCH", path, user=as_user, data=orjson.dumps(body), headers=merge)

    assert (await patch({"spec": {"displayName": None, "lang": "zh"}})).body["spec"].get("displayName", "") == ""
    email = secrets.token_hex(4) + "@example.com"
    await platform.user(email=email)
    assert (await patch({"spec": {"email": email.upper()}})).code == 409
    for wrong in (
        {"spec": {"password": "Another-pass1"}}, {"metadata": {"annotations": {LINK: "1"}}}, {"kind": "GlobalRole"},
        {"metadata": {"name": "admin"}}, {"status": {"state": "Odd"}}, {"metadata": {"uid": "1"}},
        {"spec": {"groups": ["system:masters"]}}, {"metadata": {"annotations": {GLOBAL_ROLE: "no-such"}}},
    ):  # fmt: skip
        assert (await patch(wrong)).code == 422, wrong
    assert (await patch({"metadata": {"annotations": {GLOBAL_ROLE: "platform-regular"}}})).code == 200
    await platform.until(lambda: platform.deps.policy().user_roles.get(name) == ("platform-regular",))
    json_patch = {"Content-Type": "application/json-patch+json"}
    assert (await platform.call("PATCH", path, user=admin, data=b"[]", headers=json_patch)).code == 415


async def test_nobody_gives_more_than_he_has_by_changing_somebody(platform: Platform) -> None:
    editor, name = await platform.user(await platform.role(USER_RULE)), await platform.user()
    merge = {"Content-Type": "application/merge-patch+json"}
    group = "g" + secrets.token_hex(4)
    bound = bootstrap.binding("b" + secrets.token_hex(4), "platform-admin", "Group", group)
    await platform.client.create(GLOBALROLEBINDINGS, bound)
    await platform.until(lambda: group in platform.deps.policy().group_roles)
    off = await platform.user("platform-admin")
    await platform.client.patch(USERS, off, {"status": {"state": "Disabled"}}, subresource="status")
    await platform.until(lambda: platform.deps.policy().accounts[off].disabled)
    for target, change in (
        (name, {"metadata": {"annotations": {GLOBAL_ROLE: "platform-admin"}}}), (name, {"spec": {"groups": [group]}}),
        (editor, {"spec": {"groups": [group]}}), (off, {"status": {"state": "Active"}}),
        (editor, {"metadata": {"annotations": {GLOBAL_ROLE: "platform-admin"}}}),
    ):  # fmt: skip
        answer = await platform.call("PATCH", f"{BASE}/{target}", user=editor, data=orjson.dumps(change), headers=merge)
        assert answer.code == 403, (change, answer.body)
    fine = orjson.dumps({"spec": {"displayName": "Fine"}})
    assert (await platform.call("PATCH", f"{BASE}/{name}", user=editor, data=fine, headers=merge)).code == 200
    assert (await platform.call("PATCH", f"{BASE}/{name}", user=name, data=fine, headers=merge)).code == 403


async def test_disabling_ends_sessions_and_enabling_does_not_bring_them_back(platform: Platform) -> None:
    admin, name = await platform.user("platform-admin"), await platform.user()
    tokens = (await platform.log_in(name)).body
    merge = {"Content-Type": "application/merge-patch+json"}
    for state in ("Disabled", "Active"):
        change = orjson.dumps({"status": {"state": state}})
        answer = await platform.call("PATCH", f"{BASE}/{name}", user=admin, data=change, headers=merge)
        assert answer.body["status"]["state"] == state
        assert len(platform.ended) == 1
        refused = await platform.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
        assert refused.code == 400
    assert (await platform.log_in(name)).code == 200
    change = orjson.dumps({"status": {"state": "Disabled"}})
    assert (await platform.call("PATCH", f"{BASE}/{admin}", user=admin, data=change, headers=merge)).code == 409


async def test_the_first_log_in_takes_a_new_password(platform: Platform) -> None:
    admin = await platform.user("platform-admin")
    new = body()
    new["metadata"]["annotations"] = {UNINITIALIZED: "true", GLOBAL_ROLE: "platform-admin"}
    name = new["metadata"]["name"]
    assert (await platform.call("POST", BASE, user=admin, json=new)).code == 201
    login = await platform.call("POST", "/oauth/session", json={"username": name, "password": PASSWORD})
    assert login.body["passwordChangeRequired"] is True
    await platform.until(lambda: platform.deps.policy().accounts[name].uninitialized)
    for path in (BASE, f"{BASE}/{admin}", "/kapis/iam.kubesphere.io/v1beta1/globalroles"):
        assert (await platform.call("GET", path, user=name)).code == 403, path
    assert (await platform.call("GET", f"{BASE}/{name}", user=name)).code == 200
    same = {"currentPassword": PASSWORD, "password": PASSWORD}
    assert (await platform.call("PUT", f"{BASE}/{name}/password", user=name, json=same)).code == 422
    fresh = {"currentPassword": PASSWORD, "password": NEW}
    assert (await platform.call("PUT", f"{BASE}/{name}/password", user=name, json=fresh)).code == 200
    await platform.until(lambda: not platform.deps.policy().accounts[name].uninitialized)
    assert (await platform.call("GET", BASE, user=name)).code == 200
    login = await platform.call("POST", "/oauth/session", json={"username": name, "password": NEW})
    assert "passwordChangeRequired" not in login.body


async def test_log_ins_are_remembered_and_failures_are_few(platform: Platform) -> None:
    admin, name = await platform.user("platform-admin"), await platform.user()
    headers = {"User-Agent": "tests/1"}
    assert (await platform.log_in(name, headers=headers)).code == 200
    for number in range(30):
        await platform.log_in(name, "Wrong-password1", address=f"198.51.100.{number % 3}")
    await platform.deps.login_records.drained()
    path = f"{BASE}/{name}/loginrecords"
    found = (await platform.call("GET", path, user=name)).body
    assert found["totalItems"] == 4, "one success, one failure of each place"
    specs = [item["spec"] for item in found["items"]]
    (good,) = [spec for spec in specs if spec["success"]]
    assert (good["type"], good["sourceIP"], good["userAgent"]) == ("Password", "192.0.2.1", "tests/1")
    assert "wrong" in next(spec for spec in specs if not spec["success"])["reason"]
    assert (await platform.client.get(USERS, name))["status"]["lastLoginTime"]
    assert (await platform.call("GET", path, user=await platform.user())).code == 403
    assert (await platform.call("GET", path, user=admin)).code == 200
    everything = (await platform.client.list(LOGINRECORDS)).items
    await platform.log_in("nobody-" + secrets.token_hex(4), "Wrong-password1")
    await platform.deps.login_records.drained()
    assert len((await platform.client.list(LOGINRECORDS)).items) == len(everything)


async def test_the_history_ends(platform: Platform) -> None:
    records = LoginRecords(platform.deps.client, Retention(per_user=3), lambda: platform.now)
    name = await platform.user()
    task = asyncio.create_task(records.run())
    try:
        for number in range(6):
            records.note(LoginAttempt(name, True, f"192.0.2.{number}"))
            await records.drained()
        assert len(await records.list_of(name)) == 3
        assert await records.familiar(name, "192.0.2.5")
        assert not await records.familiar(name, "192.0.2.99")
        records.note(LoginAttempt(other := await platform.user(), True, "192.0.2.1"))
        records.forget(other)
        await records.drained()
        assert await records.list_of(other) == []
        platform.now += 8 * 24 * 3600
        await records.sweep()
        assert await records.list_of(name) == []
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_many_strangers_do_not_keep_the_user_out(platform: Platform) -> None:
    deps = platform.deps
    strict = dataclasses.replace(deps, lockout=Lockout(LockoutRules(per_user=3), deps.login_records.familiar))
    name = await platform.user()
    assert (await platform.log_in(name, address="203.0.113.5")).code == 200
    await deps.login_records.drained()
    for number in range(3):
        with pytest.raises(Unauthenticated):
            await log_in(strict, name, "Wrong-password1", Origin(f"198.51.100.{number}"))
    with pytest.raises(TooManyAttempts):
        await log_in(strict, name, PASSWORD, Origin("198.51.100.77"))
    assert (await log_in(strict, name, PASSWORD, Origin("203.0.113.5")))[0] == name


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
