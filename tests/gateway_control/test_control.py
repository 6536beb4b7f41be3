"""Control over a cluster in memory: what an event changes, and what it leaves alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.gateway.control import Control
from dovetail.gateway.publisher import Publisher
from dovetail.gateway.snapshot import Snapshot, VerificationKey
from dovetail.iam.tokens import Lifetimes
from dovetail.kube import ControllerRuntime, Object
from tests.gateway_control.test_objects import World
from tests.routing.objects import reverse_proxy

USER = {"metadata": {"name": "ann"}, "spec": {"email": "ann@dovetail.dev"}, "status": {"state": "Active"}}
ROLE = {"metadata": {"name": "viewer"}, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/a/*"]}]}
BINDING = {
    "metadata": {"name": "viewer"}, "roleRef": {"kind": "GlobalRole", "name": "viewer"},
    "subjects": [{"kind": "User", "name": "ann"}],
}  # fmt: skip


class Recorder:
    """What is published."""

    def __init__(self) -> None:
        self.published: list[Snapshot] = []

    async def publish(self, snapshot: Snapshot) -> None:
        self.published.append(snapshot)


class Following:
    """A running control with its cluster."""

    def __init__(self) -> None:
        self.world, self.recorder, self.compiled = World(), Recorder(), 0
        runtime = cast("ControllerRuntime", self.world.cluster)
        self.control = Control(
            runtime,
            cast("Publisher", self.recorder),
            self.world.routing,
            Snapshot(generation=0),
            Lifetimes(),
            self._count,
        )

    def _count(self) -> None:
        self.compiled += 1

    def put(self, resource: Any, obj: Object) -> None:
        self.world.cluster.put(resource, obj)

    @property
    def last(self) -> Snapshot:
        return self.recorder.published[-1]

    async def settled(self) -> None:
        """Nothing is waiting to be compiled."""
        async with asyncio.timeout(10):
            while self.control._marked.is_set():  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def following() -> AsyncIterator[Following]:
    made = Following()
    task = asyncio.create_task(made.control.run())
    try:
        made.control.start()
        await made.settled()
        yield made
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=10)


async def test_what_means_the_same_is_not_compiled_and_not_published() -> None:
    async with following() as it:
        for resource, obj in ((USERS, USER), (GLOBALROLES, ROLE), (GLOBALROLEBINDINGS, BINDING)):
            it.put(resource, obj)
        await it.settled()
        assert it.last.policy.user_roles == {"ann": ("viewer",)}
        before = it.last
        it.put(USERS, {**USER, "status": {"state": "Active", "lastLoginTime": "2026-01-01T00:00:00Z"}})
        it.put(GLOBALROLES, {**ROLE, "metadata": {"name": "viewer", "annotations": {"a": "b"}}})
        it.put(GLOBALROLEBINDINGS, {**BINDING, "metadata": {"name": "viewer", "labels": {"a": "b"}}})
        await it.settled()
        assert it.last is before
        assert it.control.policy is before.policy, "not even compiled again"


async def test_what_means_something_else_is_in_the_next_snapshot() -> None:
    async with following() as it:
        for resource, obj in ((USERS, USER), (GLOBALROLES, ROLE), (GLOBALROLEBINDINGS, BINDING)):
            it.put(resource, obj)
        await it.settled()
        it.put(USERS, {**USER, "status": {"state": "Disabled"}})
        await it.settled()
        assert it.last.policy.accounts["ann"].disabled
        it.put(GLOBALROLES, {**ROLE, "rules": [{"verbs": ["get"], "nonResourceURLs": ["/b/*"]}]})
        await it.settled()
        assert it.last.policy.roles["viewer"][0].non_resource_urls == ("/b/*",)
        it.put(GLOBALROLEBINDINGS, {**BINDING, "subjects": [{"kind": "Group", "name": "devs"}]})
        await it.settled()
        assert (it.last.policy.user_roles, it.last.policy.group_roles) == ({}, {"devs": ("viewer",)})
        it.put(GLOBALROLES, {**ROLE, "metadata": {"name": "viewer", "deletionTimestamp": "2026-01-01T00:00:00Z"}})
        await it.settled()
        assert it.last.policy.roles == {}


async def test_a_change_of_routes_leaves_the_policy_and_tells_afterwards() -> None:
    async with following() as it:
        it.put(USERS, USER)
        await it.settled()
        async with asyncio.timeout(10):
            while not it.compiled:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        before, told = it.last, it.compiled
        for name in "abc":
            it.world.put(reverse_proxy(f"/{name}/*", name=name))
        await it.settled()
        assert it.last.generation == before.generation + 1, "what comes together is one snapshot"
        assert it.last.policy is before.policy
        assert {route.id.rpartition("/")[2] for route in it.last.table.routes} >= {"a", "b", "c"}
        async with asyncio.timeout(10):
            while it.compiled <= told:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert it.compiled == told + 1


async def test_workers_are_told_of_new_keys_and_keep_the_rest() -> None:
    async with following() as one:
        one.put(USERS, USER)
        await one.settled()
        before = one.last
        keys = (VerificationKey("new", "{}"), VerificationKey("old", "{}"))
        await one.control.verify_with(keys)
        assert one.last.keys == keys
        assert (one.last.policy, one.last.table) == (before.policy, before.table)
        published = len(one.recorder.published)
        await one.control.verify_with(keys)
        assert len(one.recorder.published) == published
