"""A pure world in which the planner's actions have their effects: also half of them, when a crash comes in between.

`World` is what really is (release records, namespace, labelled objects, the plan's object with its status); `look`
turns it into the planner's facts; `act` carries out an action up to a number of writes, then the "process" is dead.
Helm is modelled by what it leaves behind at each point: a pending record, some objects, a final status.
"""

from dataclasses import dataclass, field, replace

from dovetail.helm import storage
from dovetail.lifecycle import planner, states
from dovetail.lifecycle.facts import (
    DEFAULT_PATIENCE,
    HOPELESS,
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

NOTHING = Recorded()


class Killed(Exception):
    """The controller died here."""


@dataclass
class Revision:
    number: int
    status: str
    target: str


@dataclass
class Cluster:
    """All there is. `budget` is how many writes are left until the controller is killed (None: it lives)."""

    exists: bool = True
    deleting: bool = False
    protected: bool = False
    generation: int = 1
    version: str = "1"
    published: frozenset[str] = frozenset({"1", "2", "3"})
    enabled: bool = True
    token: str = ""
    recorded: Recorded = NOTHING
    revisions: list[Revision] = field(default_factory=list[Revision])
    namespace: Namespace = Namespace.ABSENT
    objects: set[str] = field(default_factory=set[str])
    state_of_objects: bool = True
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """How often deploying each version fails before it works."""
    test_failures: dict[str, int] = field(default_factory=dict[str, int])
    """How often each version is deployed and then fails its tests."""
    uninstall_failures: int = 0
    rollback_failures: int = 0
    waiting: bool = False
    """The pause after a failure is not over."""
    paused: bool = False
    limit: int | None = None
    rolls_back: bool = False
    lacks_dependency: bool = False
    needs_approval: bool = False
    approved: str = ""
    dependents: tuple[str, ...] = ()
    ignore_dependents: bool = False
    budget: int | None = None

    def write(self) -> None:
        if self.budget is not None:
            if self.budget == 0:
                raise Killed
            self.budget -= 1

    @property
    def latest(self) -> Revision | None:
        return max(self.revisions, key=lambda revision: revision.number, default=None)

    def deployed(self) -> Revision | None:
        return next((r for r in reversed(self.revisions) if r.status == storage.DEPLOYED), None)


def desired(cluster: Cluster) -> Desired | Problem:
    if cluster.version not in cluster.published and cluster.recorded.version != cluster.version:
        return Problem("VersionNotFound", f"{cluster.version} does not exist")
    if cluster.lacks_dependency and cluster.recorded.version != cluster.version:
        return Problem("DependencyMissing", "ext needs another")
    target = f"target-{cluster.version}"
    return Desired("ext", cluster.version, cluster.enabled, "extension-ext", target, _barred(cluster))


def _barred(cluster: Cluster) -> Problem | None:
    if cluster.version not in cluster.published:
        return Problem("VersionNotFound", f"{cluster.version} does not exist")
    return Problem("ApprovalRequired", "approve it") if cluster.needs_approval and not cluster.approved else None


def look(cluster: Cluster) -> tuple[Plan, World]:
    plan = Plan(
        name="ext",
        generation=cluster.generation,
        deleting=cluster.deleting,
        protected=cluster.protected,
        token=f"{cluster.token}|{cluster.approved}".rstrip("|"),
        paused=cluster.paused,
        limit=cluster.limit,
        rolls_back=cluster.rolls_back,
        ignore_dependents=cluster.ignore_dependents,
        enabled=cluster.enabled,
        desired=Problem("Deleting", "") if cluster.deleting else desired(cluster),
        recorded=cluster.recorded,
    )
    latest, release = cluster.latest, None
    if latest is not None:
        ever = any(r.status in (storage.DEPLOYED, storage.SUPERSEDED) for r in cluster.revisions)
        good = _good(cluster)
        release = Release(latest.number, latest.status, latest.target, ever, "it failed", good)
    remains = len(cluster.objects) + (cluster.namespace is Namespace.ACTIVE)
    world = World(
        release=release,
        namespace=cluster.namespace,
        switched=not cluster.objects or cluster.state_of_objects is cluster.enabled,
        remains=remains if cluster.deleting else 0,
        vanishing=int(cluster.namespace is Namespace.TERMINATING),
        may_retry=not cluster.waiting,
        dependents=cluster.dependents,
    )
    return plan, world


def _good(cluster: Cluster) -> int:
    before, attempted = list(reversed(cluster.revisions[:-1])), cluster.recorded.attempt.target
    deployed = [r.number for r in before if r.status == storage.DEPLOYED]
    replaced = [r.number for r in before if r.status == storage.SUPERSEDED and r.target != attempted]
    return next(iter(deployed + replaced), 0)


def record(cluster: Cluster, **changes: object) -> None:
    cluster.write()
    cluster.recorded = replace(cluster.recorded, **changes)  # pyright: ignore[reportArgumentType]


def act(cluster: Cluster, action: planner.Action) -> None:
    """Carry it out. Raises Killed when the budget of writes ends."""
    match action:
        case planner.Protect():
            cluster.write()
            cluster.protected = True
        case planner.Enter(state, attempt):
            record(cluster, state=state, attempt=attempt, generation=cluster.generation, problem="")
        case planner.RollBack():
            _roll_back(cluster, action)
        case planner.Recovered(attempt):
            record(cluster, attempt=attempt)
        case planner.Hold(problem):
            record(cluster, problem=problem.message)
        case planner.Pause():
            record(cluster, paused=True, generation=cluster.generation)
        case planner.Resume():
            record(cluster, paused=False, generation=cluster.generation)
        case planner.Deploy():
            _deploy(cluster, action)
        case planner.Unlock(revision, attempt):
            record(cluster, attempt=attempt, state=cluster.recorded.state or states.PREPARING)
            cluster.write()
            next(r for r in cluster.revisions if r.number == revision).status = storage.FAILED
        case planner.Fail(state, _, attempt):
            _fail(cluster, state, attempt)
        case planner.Settle(wanted):
            cluster.write()
            cluster.state_of_objects = wanted.enabled
            attempt = Attempt(wanted.target, cluster.recorded.attempt.token)
            record(
                cluster, state=states.INSTALLED, version=wanted.version, enabled=wanted.enabled, problem="",
                generation=cluster.generation, attempt=attempt, release=True,
            )  # fmt: skip
        case planner.Switch(enabled):
            cluster.write()
            if cluster.recorded.version:
                cluster.state_of_objects = enabled
            kept = enabled if cluster.recorded.version else cluster.recorded.enabled
            record(cluster, enabled=kept, generation=cluster.generation)
        case planner.Reject(state, problem):
            record(cluster, state=state, problem=problem.message, generation=cluster.generation)
        case planner.Uninstall():
            _uninstall(cluster)
        case planner.Orphan():
            cluster.write()
            cluster.revisions.clear()
        case planner.Sweep():
            for name in sorted(cluster.objects):
                cluster.write()
                cluster.objects.discard(name)
            cluster.write()
            if cluster.namespace is Namespace.ACTIVE:
                cluster.namespace = Namespace.TERMINATING
        case planner.Unprotect():
            cluster.write()
            cluster.protected = False
            cluster.exists = False
        case planner.Wait() | planner.Idle():
            pass


def _deploy(cluster: Cluster, action: planner.Deploy) -> None:
    wanted = action.desired
    assert wanted.version in cluster.published, "what is not published is not deployed"
    cluster.write()
    if cluster.namespace is Namespace.ABSENT:
        cluster.namespace = Namespace.ACTIVE
    cluster.write()
    cluster.objects |= {"account", "role"}
    record(cluster, state=action.state, release=True)
    latest = cluster.latest
    assert latest is None or latest.status not in storage.PENDING, "Helm refuses a locked release"
    pending = "pending-upgrade" if cluster.deployed() else "pending-install"
    cluster.write()
    revision = Revision((latest.number if latest else 0) + 1, pending, wanted.target)
    cluster.revisions.append(revision)
    cluster.write()
    cluster.objects.add(f"of-{wanted.version}")
    cluster.state_of_objects = True
    cluster.write()
    if cluster.failures.get(wanted.version, 0) > 0:
        cluster.failures[wanted.version] -= 1
        revision.status = storage.FAILED
        state = states.UPGRADE_FAILED if cluster.deployed() else states.INSTALL_FAILED
        attempt = cluster.recorded.attempt
        _fail(cluster, state, replace(attempt, count=attempt.count + 1, patience=DEFAULT_PATIENCE))
        return
    before = cluster.deployed()
    if before is not None:
        before.status = storage.SUPERSEDED
    if cluster.test_failures.get(wanted.version, 0) > 0:
        cluster.test_failures[wanted.version] -= 1
        revision.status = storage.FAILED
        state = states.UPGRADE_FAILED if before else states.INSTALL_FAILED
        attempt = cluster.recorded.attempt
        _fail(cluster, state, replace(attempt, count=attempt.count + 1, patience=DEFAULT_PATIENCE))
        return
    revision.status = storage.DEPLOYED
    cluster.objects -= {name for name in cluster.objects if name.startswith("of-")} - {f"of-{wanted.version}"}


def _fail(cluster: Cluster, state: str, attempt: Attempt) -> None:
    record(cluster, state=state, attempt=attempt, generation=cluster.generation)
    cluster.waiting = True


def _roll_back(cluster: Cluster, action: planner.RollBack) -> None:
    record(cluster, attempt=action.attempt)
    latest = cluster.latest
    assert latest is not None
    good = next(r for r in cluster.revisions if r.number == action.revision)
    cluster.write()
    revision = Revision(latest.number + 1, "pending-rollback", good.target)
    cluster.revisions.append(revision)
    cluster.write()
    if cluster.rollback_failures:
        cluster.rollback_failures -= 1
        revision.status, latest.status = storage.FAILED, storage.SUPERSEDED  # as Helm marks them
        attempt = cluster.recorded.attempt
        record(cluster, attempt=replace(attempt, back_failures=attempt.back_failures + 1))
        cluster.waiting = True
        return
    cluster.objects -= {name for name in cluster.objects if name.startswith("of-")}
    cluster.objects.add(f"of-{good.target.removeprefix('target-')}")
    good.status, revision.status = storage.SUPERSEDED, storage.DEPLOYED


def _uninstall(cluster: Cluster) -> None:
    latest = cluster.latest
    assert latest is not None
    cluster.write()
    latest.status = storage.UNINSTALLING
    if cluster.uninstall_failures:
        cluster.uninstall_failures -= 1
        attempt = cluster.recorded.attempt
        _fail(cluster, states.UNINSTALL_FAILED, replace(attempt, count=attempt.count + 1, patience=UNLIMITED))
        return
    cluster.write()
    cluster.objects -= {f"of-{latest.target.removeprefix('target-')}"}
    cluster.write()
    cluster.revisions.clear()


def run(cluster: Cluster, limit: int = 200) -> int:
    """Look, decide, act until nothing is to be done; pauses end and namespaces vanish while it waits. Steps taken."""
    for step in range(limit):
        if not cluster.exists:
            return step
        action = planner.decide(*look(cluster))
        if isinstance(action, planner.Idle):
            return step
        if isinstance(action, planner.Wait):
            cluster.waiting = False
            if cluster.namespace is Namespace.TERMINATING:
                cluster.namespace = Namespace.ABSENT
            continue
        act(cluster, action)
    raise AssertionError(f"no end after {limit} steps: {cluster}")


__all__ = ["HOPELESS", "Cluster", "Killed", "Revision", "act", "look", "run"]
