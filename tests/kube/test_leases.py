"""Who leads: the decision alone, and candidates against a server that keeps one lease."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.kube import LeaderElector, LeadershipLost, LeaseSettings
from dovetail.kube.leases import Claim, claimed, decide
from tests.kube.canned import Answer, Canned, Seen, canned, eventually, failure

FAST = LeaseSettings(duration=1.0, renew_deadline=0.6, retry=0.05)


@pytest.mark.parametrize(
    ("spec", "unchanged", "claim"),
    [
        ({}, 0, Claim.TAKE),
        ({"holderIdentity": ""}, 0, Claim.TAKE),
        ({"holderIdentity": "me"}, 100, Claim.RENEW),
        ({"holderIdentity": "you"}, 0, Claim.WAIT),
        ({"holderIdentity": "you", "leaseDurationSeconds": 20}, 19, Claim.WAIT),
        ({"holderIdentity": "you", "leaseDurationSeconds": 20}, 20, Claim.TAKE),
        ({"holderIdentity": "you"}, 15, Claim.TAKE),
    ],
)
def test_decide(spec: Any, unchanged: float, claim: Claim) -> None:
    assert decide(spec, "me", unchanged, 15) is claim


@given(st.lists(st.sampled_from(["a", "b"]), min_size=1))
def test_transitions_count_changes_of_the_holder(holders: list[str]) -> None:
    spec: Any = {}
    for at, holder in enumerate(holders):
        spec = claimed(spec, holder, 15, str(at))
    changes = sum(1 for a, b in pairwise(holders) if a != b)
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["renewTime"]) == (
        holders[-1], changes, str(len(holders) - 1),
    )  # fmt: skip
    since = max((at for at in range(1, len(holders)) if holders[at] != holders[at - 1]), default=0)
    assert spec["acquireTime"] == str(since)


class LeaseServer:
    """One lease with optimistic locking; `down` makes every request fail."""

    def __init__(self) -> None:
        self.lease: Any = None
        self.version = 0
        self.down = False

    async def __call__(self, seen: Seen, answer: Answer) -> None:
        if self.down:
            await answer.json(failure(500, "InternalError"), 500)
        elif seen.method == "GET":
            await self._get(answer)
        elif seen.method == "POST" and self.lease is not None:
            await answer.json(failure(409, "AlreadyExists"), 409)
        else:
            await self._put(seen.json(), answer)

    async def _get(self, answer: Answer) -> None:
        if self.lease is None:
            await answer.json(failure(404, "NotFound"), 404)
        else:
            await answer.json(self.lease)

    async def _put(self, lease: Any, answer: Answer) -> None:
        if self.lease and lease["metadata"].get("resourceVersion") != str(self.version):
            await answer.json(failure(409, "Conflict"), 409)
            return
        self.version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self.version)}}
        await answer.json(self.lease)


async def candidate(server: Canned, name: str, leading: list[str]) -> None:
    async def lead() -> None:
        leading.append(name)
        try:
            await asyncio.Event().wait()
        finally:
            leading.remove(name)

    async with server.client() as client:
        await LeaderElector(client, "l", "n", identity=name, settings=FAST).run(lead)


async def test_one_leads_and_hands_over_at_its_end() -> None:
    state, leading = LeaseServer(), list[str]()
    async with canned(state) as server:
        tasks = {name: asyncio.create_task(candidate(server, name, leading)) for name in ("a", "b")}
        await eventually(lambda: bool(leading))
        first = leading[0]
        await asyncio.sleep(1.5)
        assert leading == [first]
        tasks[first].cancel()
        await eventually(lambda: bool(leading) and leading[0] != first, 5)
        assert state.lease["spec"]["leaseTransitions"] >= 1
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        assert state.lease["spec"]["holderIdentity"] == ""


async def test_a_holder_that_is_gone_is_replaced_when_its_lease_ran_out() -> None:
    state, leading = LeaseServer(), list[str]()
    state.lease = {
        "metadata": {"name": "l", "namespace": "n", "resourceVersion": "0"},
        "spec": claimed({}, "dead", 1, ""),
    }
    async with canned(state) as server:
        task = asyncio.create_task(candidate(server, "a", leading))
        await asyncio.sleep(0.4)
        assert leading == []
        await eventually(lambda: leading == ["a"], 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_who_cannot_renew_stops_leading() -> None:
    state, leading = LeaseServer(), list[str]()
    async with canned(state) as server:
        task = asyncio.create_task(candidate(server, "a", leading))
        await eventually(lambda: leading == ["a"])
        state.down = True
        with pytest.raises(LeadershipLost):
            async with asyncio.timeout(10):
                await task
        assert leading == []


async def test_who_finds_another_holder_stops_leading() -> None:
    state, leading = LeaseServer(), list[str]()
    async with canned(state) as server:
        task = asyncio.create_task(candidate(server, "a", leading))
        await eventually(lambda: leading == ["a"])
        state.version += 1
        state.lease["metadata"]["resourceVersion"] = str(state.version)
        state.lease["spec"]["holderIdentity"] = "b"
        with pytest.raises(LeadershipLost, match="to b"):
            async with asyncio.timeout(10):
                await task
        assert leading == []


async def test_an_error_of_the_work_is_the_error_of_the_run_and_frees_the_lease() -> None:
    async def lead() -> None:
        raise ValueError("bug")

    state = LeaseServer()
    async with canned(state) as server, server.client() as client:
        with pytest.raises(ValueError, match="bug"):
            await LeaderElector(client, "l", "n", settings=FAST).run(lead)
    assert state.lease["spec"]["holderIdentity"] == ""
