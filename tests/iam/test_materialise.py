"""Administrators mirrored: the planner over values, and the controller against the embedded API."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.iam import bootstrap
from dovetail.iam.materialise import PREFIX, controllers, mirror, mirror_name, mirrors_of, plan
from dovetail.iam.passwords import hash_password
from dovetail.iam.process_roles import CONTROLLERS, process_roles
from dovetail.kube.errors import NotFound
from dovetail.kube.resources import CLUSTERROLEBINDINGS
from dovetail.kube.runtime import ControllerRuntime

NAME = PREFIX + "alice"


def bound(kind: str, name: str, role: str = "platform-admin") -> dict[str, Any]:
    return bootstrap.binding("x", role, kind, name)


def test_who_is_mirrored() -> None:
    assert mirrors_of(bound("User", "alice")) == [NAME]
    assert mirrors_of(bound("Group", "team")) == [PREFIX + "group:team"]
    assert mirrors_of(bound("User", "alice", "other")) == []
    for group in ("system:authenticated", "system:masters", "system:unauthenticated"):
        assert mirrors_of(bound("Group", group)) == []
    assert mirror_name("User", "group:team") is None
    assert mirrors_of({**bound("User", "alice"), "metadata": {"name": "x", "deletionTimestamp": "now"}}) == []


def test_a_mirror_names_its_subject() -> None:
    assert mirror(NAME)["subjects"][0] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}
    group = mirror(PREFIX + "group:team")["subjects"][0]
    assert (group["kind"], group["name"]) == ("Group", "team")


def test_plans() -> None:
    ideal = mirror(NAME)
    assert plan(NAME, True, None).do == "create"
    assert plan(NAME, False, None).do == "nothing"
    assert plan(NAME, True, ideal).do == "nothing"
    assert plan(NAME, False, ideal).do == "delete"
    assert plan(NAME, False, {"metadata": {"name": NAME}}).do == "delete"
    assert plan(NAME, True, {**ideal, "subjects": []}).do == "update"
    assert plan(NAME, True, {**ideal, "roleRef": {**ideal["roleRef"], "name": "view"}}).do == "replace"
    unlabelled = {**ideal, "metadata": {"name": NAME, "labels": {"mine": "too"}, "resourceVersion": "7"}}
    repaired = plan(NAME, True, unlabelled)
    assert repaired.do == "update"
    assert repaired.object["metadata"]["labels"]["mine"] == "too"
    assert repaired.object["metadata"]["resourceVersion"] == "7"


@given(st.booleans(), st.sampled_from([None, "same", "subjects", "role", "labels"]))
def test_one_step_is_enough(wanted: bool, drift: str | None) -> None:
    ideal = mirror(NAME)
    drifted = {"same": {}, "subjects": {"subjects": None}, "role": {"roleRef": {}}, "labels": {"metadata": {}}}
    present = None if drift is None else {**ideal, **drifted[drift]}
    action = plan(NAME, wanted, present)
    after = {"nothing": present, "create": action.object, "update": action.object, "replace": action.object}
    assert plan(NAME, wanted, after.get(action.do)).do == "nothing"


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await check():  # noqa: ASYNC110 - the cluster has no event for it
            await asyncio.sleep(0.02)


async def stand_in(client: Any) -> str:
    """A user who holds what `dovetail:controllers` holds and nothing else: the mirrors need no more."""
    user = "system:dovetail-test:" + secrets.token_hex(4)
    for obj in process_roles():
        if obj["kind"] == "ClusterRoleBinding" and obj["subjects"][0]["name"] == CONTROLLERS:
            subjects = [{**obj["subjects"][0], "name": user}]
            await client.create(CLUSTERROLEBINDINGS, {**obj, "metadata": {"name": user}, "subjects": subjects})
    return user


async def test_in_step_with_the_cluster(platform_crds: Any) -> None:
    async with platform_crds.client() as client, asyncio.TaskGroup() as tasks:
        await bootstrap.ensure(client)
        runtime = ControllerRuntime(client.impersonate(await stand_in(client), ["system:authenticated"]))
        for controller in controllers(runtime):
            runtime.add(controller)
        ready = asyncio.Event()
        running = tasks.create_task(runtime.run(ready.set))
        await asyncio.wait_for(ready.wait(), 20)
        user = "m" + secrets.token_hex(5)
        name = PREFIX + user

        async def there() -> bool:
            try:
                found = await client.get(CLUSTERROLEBINDINGS, name)
            except NotFound:
                return False
            return found.get("subjects") == mirror(name)["subjects"] and "labels" in found["metadata"]

        async def gone() -> bool:
            with contextlib.suppress(NotFound):
                await client.get(CLUSTERROLEBINDINGS, name)
                return False
            return True

        binding = bootstrap.binding(user, "platform-admin", "User", user)
        await client.create(GLOBALROLEBINDINGS, binding)
        await asyncio.sleep(0.2)
        assert await gone(), "a user who does not exist is nobody"
        await client.create(USERS, bootstrap.admin_user(user, hash_password("Correct-horse1")))
        await eventually(there)
        await client.patch(CLUSTERROLEBINDINGS, name, {"subjects": [], "metadata": {"labels": None}})
        await eventually(there)
        await client.delete(CLUSTERROLEBINDINGS, name)
        await eventually(there)
        await client.patch(USERS, user, {"status": {"state": "Disabled"}}, subresource="status")
        await eventually(gone)
        await client.patch(USERS, user, {"status": {"state": "Active"}}, subresource="status")
        await eventually(there)
        await client.patch(GLOBALROLES, "platform-admin", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}]})
        await eventually(gone)
        await bootstrap.ensure(client)
        await eventually(there)
        await client.delete(GLOBALROLEBINDINGS, user)
        await eventually(gone)
        await client.create(CLUSTERROLEBINDINGS, mirror(name))
        await eventually(gone)
        running.cancel()
    await asyncio.sleep(0.1)  # aiohttp does not wait for the watches' sockets to close


@pytest.mark.parametrize("name", ["view", "kubesphere:iam:other", "cluster-admin"])
def test_other_bindings_are_not_ours(name: str) -> None:
    from dovetail.iam import materialise

    assert vars(materialise)["_keys"]([name]) == []
