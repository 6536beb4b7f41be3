"""A workspace's quota in its namespaces: never more than there is, everything that fits; and its amounts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.labels import WORKSPACE
from dovetail.apis.quota_v1alpha2 import RESOURCEQUOTAS
from dovetail.iam.tenancy.actions import Create, Delete, Patch
from dovetail.iam.tenancy.quantities import amount, written
from dovetail.iam.tenancy.quotas import SHARES, limits, plan_quota, selects, share_name, standing
from dovetail.kube.objects import key_of
from tests.iam.simulated_cluster import Cluster

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMESPACES = ("p", "q", "r")


def quota(hard: Mapping[str, Any], **spec: Any) -> dict[str, Any]:
    meta = {"name": "w", "labels": {WORKSPACE: "w"}, "uid": "1", "generation": 1}
    return {"metadata": meta, "spec": {"quota": {"hard": dict(hard), **spec}}}


class Workspace:
    """A quota, its shares in a simulated cluster, and the cluster's own counting and admission."""

    def __init__(self, hard: Mapping[str, Any], namespaces: tuple[str, ...] = NAMESPACES) -> None:
        self.cluster, self.namespaces, self.used = Cluster(), namespaces, dict.fromkeys(namespaces, 0)
        self.cluster.create(RESOURCEQUOTAS, quota(hard))
        self.writes = 0
        self.settle()

    @property
    def quota(self) -> dict[str, Any]:
        found = self.cluster.get(RESOURCEQUOTAS, "w")
        assert found is not None
        return found

    def shares(self) -> dict[str, dict[str, Any]]:
        return {key_of(one).namespace: one for one in self.cluster.list(SHARES)}

    def control(self) -> bool:
        """One pass of our controller; whether it wanted something."""
        actions = plan_quota(self.quota, self.namespaces, self.shares(), NOW)
        self.writes += sum(isinstance(one, Create | Patch) and one.resource is SHARES for one in actions)
        self.cluster.carry_out(actions)
        return bool(actions)

    def count(self) -> None:
        """The cluster's quota controller."""
        for namespace, share in self.shares().items():
            used = dict.fromkeys(share["spec"]["hard"], str(self.used[namespace]))
            self.cluster.patch(SHARES, key_of(share), {"status": {"hard": share["spec"]["hard"], "used": used}})

    def settle(self) -> None:
        for _ in range(10):
            wanted = self.control()
            self.count()
            if not wanted:
                return
        raise AssertionError("the quota never comes to rest")

    def create(self, namespace: str, number: int = 1) -> bool:
        """The cluster's admission: whether so many pods were let in."""
        hard = amount(self.shares()[namespace]["status"]["hard"]["pods"])
        if self.used[namespace] + number > hard:
            return False
        self.used[namespace] += number
        self.count()
        return True

    @property
    def total(self) -> int:
        return sum(self.used.values())


steps = st.lists(st.tuples(st.sampled_from(NAMESPACES), st.integers(-5, 6)), max_size=30)


@given(st.integers(0, 12), steps)
def test_one_after_the_other_exactly_what_fits_is_let_in(hard: int, history: list[tuple[str, int]]) -> None:
    workspace = Workspace({"pods": str(hard)})
    for namespace, number in history:
        if number > 0:
            fits = workspace.total + number <= hard
            assert workspace.create(namespace, number) == fits
        else:
            workspace.used[namespace] = max(0, workspace.used[namespace] + number)
            workspace.count()
        workspace.settle()
        assert workspace.total <= hard
    status = workspace.quota["status"]
    assert status["total"] == {"hard": {"pods": str(hard)}, "used": {"pods": str(workspace.total)}}


@given(st.integers(0, 20), st.lists(st.tuples(st.sampled_from(NAMESPACES), st.integers(1, 4)), max_size=30))
def test_all_at_once_they_pass_the_limit_by_what_was_free_and_then_nothing_fits(
    hard: int, burst: list[tuple[str, int]]
) -> None:
    """The race: the controller sleeps while all namespaces create as much as they can."""
    workspace = Workspace({"pods": str(hard)})
    for namespace, number in burst:
        workspace.create(namespace, number)
    assert workspace.total <= hard * len(NAMESPACES)
    assert all(used <= hard for used in workspace.used.values()), "each namespace alone is exact"
    workspace.settle()
    if workspace.total >= hard:
        assert not any(workspace.create(namespace) for namespace in NAMESPACES)
    condition = workspace.quota["status"]["conditions"][0]
    assert condition["reason"] == ("Exceeded" if workspace.total > hard else "Enforced")


def test_a_burst_costs_one_write_a_namespace() -> None:
    workspace = Workspace({"pods": "1000"}, tuple(f"n{number}" for number in range(20)))
    before = workspace.writes
    assert all(workspace.create("n0") for _ in range(300))
    workspace.settle()
    assert workspace.writes - before == 19


def test_limits_are_lowered_before_others_are_raised() -> None:
    workspace = Workspace({"pods": "9"})
    assert workspace.create("p", 4)
    workspace.settle()
    workspace.used |= {"p": 0, "q": 3}
    workspace.count()
    plan = plan_quota(workspace.quota, NAMESPACES, workspace.shares(), NOW)
    written_to = [one.key.namespace for one in plan if isinstance(one, Patch) and one.resource is SHARES]
    assert written_to[0] == "p"
    assert set(written_to) == {"p", "q", "r"}


def test_what_is_not_counted_yet_may_use_nothing() -> None:
    given = quota({"pods": "5"})
    (made, *_) = plan_quota(given, ("p",), {}, NOW)
    assert isinstance(made, Create)
    assert made.object["spec"]["hard"] == {"pods": "0"}
    assert made.object["metadata"]["name"] == share_name("w") == "workspace-quota.w"
    counted = {"metadata": {"name": "x", "namespace": "p"}, "status": {"used": {"pods": "2"}}}
    stands = standing(given, ("p", "q"), {"p": counted})
    assert limits(stands, "p") == {"pods": 5}
    assert limits(stands, "q") == {"pods": 0}


def test_shares_go_with_the_quota_and_with_the_namespace() -> None:
    workspace = Workspace({"pods": "5"})
    gone = plan_quota(None, (), workspace.shares(), NOW)
    assert [type(one) for one in gone] == [Delete] * 3
    left = plan_quota(workspace.quota, ("p", "q"), workspace.shares(), NOW)
    assert [one.key.namespace for one in left if isinstance(one, Delete)] == ["r"]


def test_a_changed_quota_changes_the_shares() -> None:
    workspace = Workspace({"pods": "5", "services": "2"})
    assert workspace.create("p", 4)
    workspace.cluster.patch(
        RESOURCEQUOTAS, key_of(workspace.quota), {"spec": {"quota": {"hard": {"services": None, "pods": "3"}}}}
    )
    workspace.settle()
    assert workspace.shares()["p"]["spec"]["hard"] == {"pods": "4"}
    assert workspace.shares()["q"]["spec"]["hard"] == {"pods": "0"}
    assert workspace.quota["status"]["total"] == {"hard": {"pods": "3"}, "used": {"pods": "4"}}


def test_what_cannot_be_read_is_told_and_limits_nothing_anew() -> None:
    for wrong in ({"pods": "many"}, {"pods": "-1"}, {"pods": True}):
        (told,) = plan_quota(quota(wrong), ("p",), {}, NOW)
        assert isinstance(told, Patch)
        assert told.patch["status"]["conditions"][0]["reason"] == "Unreadable"


def test_which_namespaces_count() -> None:
    narrowed = quota({}) | {"spec": {"selector": {WORKSPACE: "w", "tier": "gold"}, "quota": {}}}
    namespace = {"metadata": {"name": "n", "labels": {WORKSPACE: "w", "tier": "gold"}}}
    assert selects(narrowed, namespace)
    assert not selects(narrowed, {"metadata": {"labels": {WORKSPACE: "w"}}})
    assert not selects(narrowed, {"metadata": {"labels": {WORKSPACE: "v", "tier": "gold"}}})
    nowhere = {"metadata": {"name": "x"}, "spec": {"quota": {}}}
    assert not selects(nowhere, {"metadata": {"labels": {}}})


def test_scopes_reach_the_shares() -> None:
    (made, *_) = plan_quota(quota({"pods": "1"}, scopes=["BestEffort"]), ("p",), {}, NOW)
    assert isinstance(made, Create)
    assert made.object["spec"]["scopes"] == ["BestEffort"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("2", "2"), ("500m", "0.5"), ("1Gi", "1073741824"), ("1e3", "1000"), ("1k", "1000"), ("0.5Ki", "512"),
     ("1E", "1e18"), (".5", "0.5"), ("100n", "1e-7")],
)  # fmt: skip
def test_amounts(text: str, value: str) -> None:
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "1ki", "--1", "1e", True, None, "1" * 50])
def test_no_amounts(text: object) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        amount(text)


@given(st.integers(0, 10**15), st.sampled_from(("1Gi", "5", "100m", "1k")))
def test_what_is_written_is_what_is_read(milli: int, like: str) -> None:
    value = Decimal(milli) / 1000
    assert amount(written(value, like)) == value
    assert written(amount("3Gi"), "1Mi") == "3Gi"
    assert written(amount("1536Mi"), "1Gi") == "1536Mi"
