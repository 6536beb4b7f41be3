"""The planner: every state has an exit, nothing is done when nothing is to be done, any crash is survived."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.helm import storage
from dovetail.lifecycle import planner, states
from dovetail.lifecycle.facts import (
    DEFAULT_PATIENCE,
    UNLIMITED,
    Attempt,
    Desired,
    Namespace,
    Plan,
    Problem,
    Recorded,
    Release,
    World,
)
from tests.lifecycle.simulation import Cluster, Killed, Revision, act, look, run

WANTED = Desired("ext", "1", True, "extension-ext", "target-1")


def installed() -> Cluster:
    cluster = Cluster()
    run(cluster)
    return cluster


def test_an_install_goes_through_the_published_states() -> None:
    cluster, seen = Cluster(), [""]
    while not isinstance(action := planner.decide(*look(cluster)), planner.Idle):
        act(cluster, action)
        if cluster.recorded.state != seen[-1]:
            seen.append(cluster.recorded.state)
    assert seen == ["", "Preparing", "Installing", "Installed"]
    assert cluster.recorded.version == "1"
    assert "of-1" in cluster.objects


def test_an_upgrade_goes_through_the_published_states_and_back() -> None:
    cluster = installed()
    for version in ("2", "1"):
        seen: list[str] = []
        cluster.version = version
        cluster.generation += 1
        while not isinstance(action := planner.decide(*look(cluster)), planner.Idle):
            act(cluster, action)
            seen.append(cluster.recorded.state)
        assert list(dict.fromkeys(seen)) == ["Preparing", "Upgrading", "Installed"]
        assert cluster.recorded.version == version
        assert {name for name in cluster.objects if name.startswith("of-")} == {f"of-{version}"}


def test_what_is_in_force_is_disabled_also_when_its_upgrade_failed() -> None:
    cluster = installed()
    cluster.version, cluster.failures = "2", {"2": 100}
    run(cluster)
    cluster.enabled, cluster.generation = False, 2
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.enabled) == (states.UPGRADE_FAILED, False)
    assert (cluster.state_of_objects, cluster.recorded.generation) == (False, 2)


def test_a_locked_release_is_unlocked_whatever_is_asked_for() -> None:
    cluster = installed()
    cluster.revisions.append(Revision(2, "pending-upgrade", "target-2"))
    cluster.version = "9"
    run(cluster)
    assert (cluster.recorded.state, cluster.revisions[-1].status) == (states.UPGRADE_FAILED, storage.FAILED)


def test_disabling_does_not_touch_the_release() -> None:
    cluster = installed()
    cluster.enabled = False
    cluster.generation += 1
    run(cluster)
    assert cluster.state_of_objects is False
    assert [revision.number for revision in cluster.revisions] == [1]


def test_uninstalling_leaves_nothing() -> None:
    cluster = installed()
    cluster.deleting = True
    run(cluster)
    assert not cluster.exists
    assert (cluster.objects, cluster.revisions, cluster.namespace) == (set(), [], Namespace.ABSENT)


def test_uninstalling_needs_no_version() -> None:
    cluster = installed()
    cluster.published = frozenset()
    cluster.deleting = True
    run(cluster)
    assert not cluster.exists


def test_a_failed_uninstall_is_tried_again() -> None:
    cluster = installed()
    cluster.deleting, cluster.uninstall_failures = True, 7
    run(cluster)
    assert not cluster.exists


def test_a_release_that_vanished_is_made_again() -> None:
    cluster = installed()
    cluster.revisions.clear()
    run(cluster)
    assert cluster.deployed() is not None


def test_a_failed_upgrade_keeps_telling_the_version_in_force() -> None:
    cluster = installed()
    cluster.version, cluster.failures = "2", {"2": 100}
    cluster.generation += 1
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.UPGRADE_FAILED, "1")
    assert cluster.recorded.attempt.count == DEFAULT_PATIENCE
    cluster.version = "1"
    cluster.generation += 1
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.INSTALLED, "1")


def test_a_retry_token_starts_from_zero() -> None:
    cluster = Cluster(failures={"1": DEFAULT_PATIENCE + 1})
    run(cluster)
    assert cluster.recorded.state == states.INSTALL_FAILED
    cluster.token = "again"
    run(cluster)
    assert cluster.recorded.state == states.INSTALLED


def test_an_unknown_version_is_told_and_recovers_when_it_is_published() -> None:
    cluster = Cluster(version="9")
    run(cluster)
    assert cluster.recorded.state == states.INSTALL_FAILED
    assert "9" in cluster.recorded.problem
    cluster.published |= {"9"}
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version, cluster.recorded.problem) == ("Installed", "9", "")


def test_events_do_not_shorten_a_pause() -> None:
    failed = Recorded(states.INSTALL_FAILED, generation=1, attempt=Attempt("target-1", count=1))
    action = planner.decide(Plan("ext", desired=WANTED, recorded=failed), World(may_retry=False))
    assert isinstance(action, planner.Wait)


def test_a_changed_plan_does_not_wait_for_the_pause() -> None:
    failed = Recorded(states.INSTALL_FAILED, attempt=Attempt("target-0", count=4))
    action = planner.decide(Plan("ext", desired=WANTED, recorded=failed), World(may_retry=False))
    assert action == planner.Enter(states.PREPARING, Attempt("target-1"))


def test_pausing_stops_everything_but_a_deletion() -> None:
    cluster = installed()
    cluster.paused, cluster.version = True, "2"
    cluster.generation += 1
    run(cluster)
    assert (cluster.recorded.paused, cluster.recorded.version, len(cluster.revisions)) == (True, "1", 1)
    assert planner.decide(*look(cluster)) == planner.Idle()
    cluster.paused = False
    run(cluster)
    assert (cluster.recorded.paused, cluster.recorded.version) == (False, "2")
    cluster.paused, cluster.deleting = True, True
    run(cluster)
    assert not cluster.exists


@pytest.mark.parametrize(("limit", "attempts"), [(None, DEFAULT_PATIENCE), (2, 2), (0, 9), (7, 7)])
def test_the_plan_says_how_often_it_is_tried(limit: int | None, attempts: int) -> None:
    cluster = Cluster(failures={"1": 8}, limit=limit)
    run(cluster)
    assert len(cluster.revisions) == attempts
    assert cluster.recorded.state == (states.INSTALLED if limit == 0 else states.INSTALL_FAILED)


def test_a_higher_limit_is_taken_up_at_once() -> None:
    cluster = Cluster(failures={"1": 3}, limit=2)
    run(cluster)
    assert cluster.recorded.state == states.INSTALL_FAILED
    cluster.limit = 4
    run(cluster)
    assert cluster.recorded.state == states.INSTALLED


def test_a_failed_upgrade_is_rolled_back_when_the_plan_says_so() -> None:
    cluster = installed()
    cluster.version, cluster.failures, cluster.rolls_back, cluster.limit = "2", {"2": 100}, True, 2
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.UPGRADE_FAILED, "1")
    assert "of-1" in cluster.objects
    assert "of-2" not in cluster.objects
    assert [(r.status, r.target) for r in cluster.revisions] == [
        ("superseded", "target-1"), ("failed", "target-2"), ("superseded", "target-1"),
        ("failed", "target-2"), ("deployed", "target-1"),
    ]  # fmt: skip
    assert cluster.recorded.attempt.back_to == 0
    cluster.version = "3"
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.INSTALLED, "3")


def test_a_roll_back_that_fails_is_tried_three_times_and_does_not_stop_the_retries() -> None:
    cluster = installed()
    cluster.version, cluster.failures, cluster.rolls_back, cluster.rollback_failures = "2", {"2": 1}, True, 50
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.INSTALLED, "2")
    assert 50 - cluster.rollback_failures == planner.BACK_PATIENCE


def test_what_failed_its_tests_is_rolled_back_to_what_it_replaced() -> None:
    cluster = installed()
    cluster.version, cluster.test_failures, cluster.rolls_back, cluster.limit = "2", {"2": 9}, True, 2
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.UPGRADE_FAILED, "1")
    latest = cluster.latest
    assert latest is not None
    assert (latest.status, latest.target) == (storage.DEPLOYED, "target-1")


def test_a_failed_upgrade_whose_version_is_withdrawn_is_rolled_back_all_the_same() -> None:
    cluster = installed()
    cluster.version, cluster.failures, cluster.rolls_back, cluster.budget = "2", {"2": 9}, True, 8
    with pytest.raises(Killed):
        run(cluster)
    latest = cluster.latest
    assert latest is not None
    assert latest.status == storage.FAILED, "killed between the failure and the roll-back"
    cluster.budget, cluster.published = None, frozenset({"1"})
    run(cluster)
    latest = cluster.latest
    assert latest is not None
    assert (latest.status, latest.target) == (storage.DEPLOYED, "target-1")
    assert (cluster.recorded.version, cluster.recorded.attempt.back_to) == ("1", 0)
    assert cluster.recorded.problem


def test_a_failed_install_has_nothing_to_go_back_to() -> None:
    cluster = Cluster(failures={"1": 100}, rolls_back=True)
    run(cluster)
    assert cluster.recorded.state == states.INSTALL_FAILED
    assert {r.status for r in cluster.revisions} == {storage.FAILED}


def test_a_missing_dependency_is_told_and_its_arrival_is_enough() -> None:
    cluster = Cluster(lacks_dependency=True)
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.problem) == (states.INSTALL_FAILED, "ext needs another")
    cluster.lacks_dependency = False
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.problem) == (states.INSTALLED, "")


def test_what_others_need_stays_until_they_are_gone() -> None:
    cluster = installed()
    cluster.deleting, cluster.dependents = True, ("one", "two")
    run(cluster)
    assert cluster.exists
    assert cluster.recorded.state == states.INSTALLED
    assert "one, two" in cluster.recorded.problem
    cluster.dependents = ("two",)
    run(cluster)
    assert "needed by two;" in cluster.recorded.problem
    cluster.dependents = ()
    run(cluster)
    assert not cluster.exists


def test_the_user_may_uninstall_what_others_need() -> None:
    cluster = installed()
    cluster.deleting, cluster.dependents, cluster.ignore_dependents = True, ("one",), True
    run(cluster)
    assert not cluster.exists


def test_an_approval_that_is_not_given_keeps_what_is_in_force() -> None:
    cluster = installed()
    cluster.needs_approval = True
    run(cluster)
    assert cluster.recorded.state == states.INSTALLED
    cluster.version = "2"
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.UPGRADE_FAILED, "1")
    cluster.approved = "hash"
    run(cluster)
    assert (cluster.recorded.state, cluster.recorded.version) == (states.INSTALLED, "2")


def test_a_new_approval_is_another_attempt() -> None:
    cluster = Cluster(failures={"1": DEFAULT_PATIENCE}, needs_approval=True, approved="stale")
    run(cluster)
    assert cluster.recorded.state == states.INSTALL_FAILED
    cluster.approved = "fresh"
    run(cluster)
    assert cluster.recorded.state == states.INSTALLED


_edits: list[Callable[[Cluster], None]] = []


def edit(function: Callable[[Cluster], None]) -> Callable[[Cluster], None]:
    _edits.append(function)
    return function


@edit
def choose_1(cluster: Cluster) -> None:
    cluster.version, cluster.generation = "1", cluster.generation + 1


@edit
def choose_2(cluster: Cluster) -> None:
    cluster.version, cluster.generation = "2", cluster.generation + 1


@edit
def choose_unknown(cluster: Cluster) -> None:
    cluster.version, cluster.generation = "9", cluster.generation + 1


@edit
def toggle(cluster: Cluster) -> None:
    cluster.enabled, cluster.generation = not cluster.enabled, cluster.generation + 1


@edit
def delete(cluster: Cluster) -> None:
    cluster.deleting = cluster.protected  # without a finalizer the object is simply gone, which is no case of ours


@edit
def lose_the_release(cluster: Cluster) -> None:
    cluster.revisions.clear()


@edit
def lose_the_namespace(cluster: Cluster) -> None:
    if cluster.namespace is Namespace.ACTIVE:
        cluster.namespace = Namespace.TERMINATING
        cluster.revisions.clear()
        cluster.objects.clear()


@edit
def unpublish(cluster: Cluster) -> None:
    cluster.published = frozenset()


@edit
def publish(cluster: Cluster) -> None:
    cluster.published = frozenset({"1", "2", "3"})


@edit
def upgrade_by_hand(cluster: Cluster) -> None:
    latest = cluster.latest
    if latest is not None and latest.status == storage.DEPLOYED:
        latest.status = storage.SUPERSEDED
        cluster.revisions.append(Revision(latest.number + 1, storage.DEPLOYED, "by-hand"))


@edit
def pause(cluster: Cluster) -> None:
    cluster.paused, cluster.generation = not cluster.paused, cluster.generation + 1


@edit
def roll_back_or_keep(cluster: Cluster) -> None:
    cluster.rolls_back, cluster.generation = not cluster.rolls_back, cluster.generation + 1


@edit
def limit_or_not(cluster: Cluster) -> None:
    cluster.limit, cluster.generation = (2 if cluster.limit is None else None), cluster.generation + 1


@edit
def change_dependencies(cluster: Cluster) -> None:
    cluster.lacks_dependency = not cluster.lacks_dependency


@edit
def change_dependents(cluster: Cluster) -> None:
    cluster.dependents = () if cluster.dependents else ("one", "two")


@edit
def ignore_dependents(cluster: Cluster) -> None:
    cluster.ignore_dependents = True


@edit
def want_approval(cluster: Cluster) -> None:
    cluster.needs_approval, cluster.generation = True, cluster.generation + 1


@edit
def approve(cluster: Cluster) -> None:
    cluster.approved, cluster.generation = f"{cluster.approved}+", cluster.generation + 1


def _is_rejected(cluster: Cluster) -> bool:
    unapproved = cluster.needs_approval and not cluster.approved
    return cluster.version not in cluster.published or cluster.lacks_dependency or unapproved


def _is_back(cluster: Cluster) -> bool:
    """A failed upgrade that is to be rolled back left the last good revision in force, or could not."""
    latest = cluster.latest
    if not cluster.rolls_back or latest is None or latest.status != storage.FAILED or cluster.deployed() is None:
        return True
    return cluster.recorded.attempt.back_failures >= planner.BACK_PATIENCE


def _expect_goal(cluster: Cluster) -> None:
    if not cluster.exists:
        return
    recorded, latest = cluster.recorded, cluster.latest
    if cluster.deleting:
        assert cluster.dependents, "a deletion ends"
        assert not cluster.ignore_dependents
        assert "one, two" in recorded.problem
        return
    assert recorded.paused is cluster.paused
    if cluster.paused:
        return
    if latest is not None:
        assert latest.status not in storage.PENDING, "nothing stays locked"
    assert recorded.generation == cluster.generation
    if recorded.version and latest is not None:
        assert recorded.enabled is cluster.enabled
        assert cluster.enabled or not cluster.objects or not cluster.state_of_objects
    assert _is_back(cluster)
    if recorded.problem:
        assert _is_rejected(cluster), "what is told is so"
        return
    if recorded.state in states.FAILED:
        assert recorded.attempt.is_exhausted(cluster.limit), "only patience or a problem ends an attempt"
        return
    assert (recorded.state, recorded.version, recorded.enabled) == ("Installed", cluster.version, cluster.enabled)
    assert latest is not None
    assert (latest.status, latest.target) == (storage.DEPLOYED, f"target-{cluster.version}")
    assert cluster.state_of_objects is cluster.enabled


@settings(max_examples=600, deadline=None)
@given(
    script=st.lists(st.tuples(st.sampled_from(_edits), st.integers(0, 14)), max_size=8),
    failures=st.dictionaries(st.sampled_from(["1", "2"]), st.integers(0, 8), max_size=2),
    uninstall_failures=st.integers(0, 3),
    rollback_failures=st.integers(0, 4),
    test_failures=st.dictionaries(st.sampled_from(["1", "2"]), st.integers(0, 3), max_size=2),
)
def test_any_edits_and_any_crashes_end_at_the_goal(
    script: list[tuple[Callable[[Cluster], None], int]], failures: dict[str, int], uninstall_failures: int,
    rollback_failures: int,
    test_failures: dict[str, int],
) -> None:  # fmt: skip
    cluster = Cluster(
        failures=dict(failures),
        test_failures=dict(test_failures),
        uninstall_failures=uninstall_failures,
        rollback_failures=rollback_failures,
    )
    for change, writes in script:
        cluster.budget = writes
        try:
            run(cluster)
        except Killed:
            cluster.waiting = False  # pauses live in the process
        change(cluster)
    cluster.budget = None
    run(cluster)
    _expect_goal(cluster)
    before = repr(cluster)
    assert run(cluster) == 0
    assert repr(cluster) == before


def fail_and_go_back(cluster: Cluster) -> None:
    choose_2(cluster)
    cluster.rolls_back, cluster.failures, cluster.limit = True, {"2": 9}, 2


def test_killed_before_every_single_write() -> None:
    for journey in (choose_1, choose_2, toggle, delete, fail_and_go_back):
        for writes in range(40):
            cluster = installed() if journey is not choose_1 else Cluster()
            journey(cluster)
            cluster.budget = writes
            try:
                run(cluster)
            except Killed:
                cluster.budget = None
                run(cluster)
            _expect_goal(cluster)


_states = st.sampled_from(sorted(states.ALL))
_targets = st.sampled_from(["", "target-1", "target-0"])
_attempts = st.builds(
    Attempt,
    target=_targets,
    token=st.sampled_from(["", "again"]),
    count=st.integers(0, 7),
    base=st.integers(0, 4),
    back_to=st.integers(0, 3),
    back_failures=st.integers(0, 4),
    patience=st.sampled_from([UNLIMITED, 1, DEFAULT_PATIENCE]),
)
_recorded = st.builds(
    Recorded, state=_states, version=st.sampled_from(["", "1", "2"]), enabled=st.none() | st.booleans(),
    generation=st.integers(0, 2), release=st.booleans(), problem=st.sampled_from(["", "p"]), attempt=_attempts,
    paused=st.booleans(),
)  # fmt: skip
_releases = st.builds(
    Release,
    revision=st.integers(1, 5),
    status=st.sampled_from(
        ["deployed", "failed", "superseded", "uninstalling", "uninstalled", "unknown", *sorted(storage.PENDING)]
    ),
    target=_targets,
    ever_deployed=st.booleans(),
    good=st.integers(0, 3),
)
_plans = st.builds(
    Plan, name=st.just("ext"), generation=st.integers(1, 2), deleting=st.booleans(), force_delete=st.booleans(),
    protected=st.booleans(), token=st.sampled_from(["", "again"]), paused=st.booleans(), rolls_back=st.booleans(),
    limit=st.sampled_from([None, 0, 1, 9]), enabled=st.booleans(), ignore_dependents=st.booleans(),
    desired=st.sampled_from([WANTED, Problem("VersionNotFound", "p")]), recorded=_recorded,
)  # fmt: skip
_worlds = st.builds(
    World, release=st.none() | _releases, namespace=st.sampled_from(list(Namespace)), switched=st.booleans(),
    remains=st.integers(0, 1), vanishing=st.integers(0, 1), may_retry=st.booleans(),
    dependents=st.sampled_from([(), ("one", "two")]), members=st.sampled_from([(), ("edge",)]),
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(plan=_plans, world=_worlds)
def test_every_state_in_every_world_has_an_exit(plan: Plan, world: World) -> None:
    """From any status that anybody could have written, next to any release: the goal, or a told failure."""
    revisions = [Revision(world.release.revision, world.release.status, world.release.target)] if world.release else []
    if world.release and world.release.ever_deployed and world.release.revision > 1:
        before = storage.DEPLOYED if world.release.good else storage.SUPERSEDED
        revisions.insert(0, Revision(world.release.revision - 1, before, "target-0"))
    cluster = Cluster(
        deleting=plan.deleting and plan.protected,
        protected=plan.protected,
        generation=plan.generation,
        token=plan.token,
        enabled=plan.enabled,
        recorded=plan.recorded,
        revisions=revisions,
        namespace=world.namespace,
        objects={"account"} if world.remains else set(),
        waiting=not world.may_retry,
        paused=plan.paused,
        limit=plan.limit,
        rolls_back=plan.rolls_back,
        dependents=world.dependents,
        ignore_dependents=plan.ignore_dependents,
    )
    run(cluster)
    _expect_goal(cluster)


@given(plan=_plans, world=_worlds)
def test_a_decision_depends_on_its_arguments_only(plan: Plan, world: World) -> None:
    assert planner.decide(plan, world) == planner.decide(plan, world)


def test_a_deletion_waits_for_agents_that_can_be_reached_and_force_for_none() -> None:
    plan = Plan("ext", deleting=True, recorded=Recorded(states.UNINSTALLING))
    action = planner.decide(plan, World(members=("edge", "far")))
    assert action == planner.Wait("its agents are being removed from edge, far")
    assert planner.decide(plan, World()) == planner.Unprotect()
    forced = Plan("ext", deleting=True, force_delete=True, recorded=Recorded(states.UNINSTALLING))
    assert planner.decide(forced, World(members=("edge",))) == planner.Unprotect()


@pytest.mark.parametrize("release", [None, Release(1, "deployed", "x")])
def test_force_delete_forgets_the_release_and_lets_go(release: Release | None) -> None:
    plan = Plan("ext", deleting=True, force_delete=True, recorded=Recorded(states.UNINSTALL_FAILED))
    expected = planner.Unprotect() if release is None else planner.Orphan()
    assert planner.decide(plan, World(release=release, may_retry=False)) == expected
