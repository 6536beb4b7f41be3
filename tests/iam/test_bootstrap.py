"""What a cluster needs before anybody can log in, put there once and again."""

import asyncio
from typing import Any

import pytest

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.iam import bootstrap, token_keys
from dovetail.iam.errors import UnusableKeys, WeakPassword
from dovetail.iam.passwords import check_strength, verify_password
from dovetail.iam.process_roles import process_roles
from dovetail.kube.errors import Invalid
from dovetail.kube.resources import CLUSTERROLES

from ..conftest import install_crds


def test_binding_names_are_unambiguous() -> None:
    assert bootstrap.binding_name("a", "b-c") != bootstrap.binding_name("a-b", "c")
    assert len(bootstrap.binding_name("u" * 253, "r" * 253)) <= 253


def test_labels_fit() -> None:
    made = bootstrap.binding("x", "r" * 100, "User", "u" * 100)
    assert all(len(value) <= 63 for value in made["metadata"]["labels"].values())


def test_processes_hold_no_wildcards_outside_our_kinds() -> None:
    for obj in process_roles():
        for rule in obj.get("rules", ()):
            if "*" in rule.get("apiGroups", ()):
                # What an extension left behind can be of any kind; nothing may be made or changed by this.
                assert set(rule["verbs"]) <= {"get", "list", "delete"}
            elif rule.get("apiGroups") == ["authentication.k8s.io"]:
                assert rule["verbs"] == ["impersonate"], "extras of a user have no resource name of their own"
            elif "*" in rule["verbs"] or "*" in rule.get("resources", ()):
                assert set(rule["apiGroups"]) <= {"kubesphere.io", "extensions.kubesphere.io"}


def test_only_the_controllers_may_escalate() -> None:
    strong = {"escalate", "bind"}
    holders = {
        obj["metadata"]["name"] for obj in process_roles() for rule in obj.get("rules", ()) if strong & {*rule["verbs"]}
    }
    assert holders == {"dovetail:controllers"}


async def test_a_weak_password_is_refused_before_anything_happens() -> None:
    with pytest.raises(WeakPassword):
        await bootstrap.ensure(None, admin_password="weak")  # type: ignore[arg-type]


async def test_from_nothing_and_again(own_kube_api: Any) -> None:
    await asyncio.to_thread(install_crds, own_kube_api)
    async with own_kube_api.client() as client:
        results = await asyncio.gather(bootstrap.ensure(client), bootstrap.ensure(client))
        created = [result for result in results if result.admin_created]
        assert len(created) == 1
        password = created[0].admin_password
        assert password is not None
        check_strength(password)
        assert password not in repr(created[0])
        stored = (await client.get(USERS, "admin"))["spec"]["password"]
        assert verify_password("admin", stored, password).matches
        assert not (await bootstrap.ensure(client)).admin_created
        await drift_is_repaired(client)
        await the_last_administrator_is_given_back(client)
        await the_schema_refuses_a_plain_password(client)
        await keys_are_made_once(client)


async def drift_is_repaired(client: Any) -> None:
    await client.patch(GLOBALROLES, "platform-admin", {"rules": []})
    await client.patch(CLUSTERROLES, "dovetail:console", {"rules": []})
    await bootstrap.ensure(client)
    assert len((await client.get(GLOBALROLES, "platform-admin"))["rules"]) == 2
    assert (await client.get(CLUSTERROLES, "dovetail:console"))["rules"]


async def the_last_administrator_is_given_back(client: Any) -> None:
    """Deleted, there is one again; replaced by another administrator, there is none."""
    await client.delete(USERS, "admin")
    again = await bootstrap.ensure(client)
    assert again.admin_created
    other = bootstrap.admin_user("root", (await client.get(USERS, "admin"))["spec"]["password"])
    await client.create(USERS, other)
    await client.create(GLOBALROLEBINDINGS, bootstrap.binding("root", "platform-admin", "User", "root"))
    await client.delete(USERS, "admin")
    assert not (await bootstrap.ensure(client)).admin_created


async def the_schema_refuses_a_plain_password(client: Any) -> None:
    with pytest.raises(Invalid):
        await client.create(USERS, bootstrap.admin_user("plain", "Correct-horse1"))


async def keys_are_made_once(client: Any) -> None:
    first, second = await asyncio.gather(token_keys.ensure(client), token_keys.ensure(client))
    assert first.kid == second.kid == (await token_keys.ensure(client)).kid
    with pytest.raises(UnusableKeys) as caught:
        token_keys.adopted({"data": {"keys.json": "AAAA"}}, 0)
    assert "dovetail-signing-keys" in str(caught.value)
