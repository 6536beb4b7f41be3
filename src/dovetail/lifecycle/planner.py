"""The decision about an InstallPlan: one pure function from what is wanted and what is there to the next action.

The model: a release is *right* when its newest revision is deployed and carries the target's fingerprint. As long as
it is not, an attempt is made: state Preparing (what the attempt started from is written down), then Deploy. Whatever
happens to the controller in between, the next look finds one of: nothing, a pending revision (Unlock and go on), a
failed revision of this attempt (Fail), or the right one (Settle). Failures are counted for a target; another target,
or a new retry token, starts from zero, so every state has an exit. After each failed upgrade the last good revision
is brought back when the plan says so: first the note (`Attempt.back_to`), then Helm, then `Recovered`. Deletion is
decided first and needs neither the ExtensionVersion nor the package; it waits for nobody but extensions that need
this one, and agents that can be reached.

No clocks: waiting is the caller's, who says `may_retry`. States are the published ones (`states`).
"""

from dataclasses import dataclass, replace
from typing import Final

from dovetail.helm import storage
from dovetail.lifecycle import states
from dovetail.lifecycle.facts import UNLIMITED, Attempt, Desired, Namespace, Plan, Problem, Release, World

BACK_PATIENCE: Final = 3
"""Roll-backs after one failure, before what is there is left as it is until the next attempt."""
HELD: Final = "RequiredByOthers"


@dataclass(frozen=True)
class Protect:
    """Put the finalizer on the plan."""


@dataclass(frozen=True)
class Enter:
    """Write a state; `attempt` is remembered with it."""

    state: str
    attempt: Attempt


@dataclass(frozen=True)
class Deploy:
    """Install or upgrade. `state` is what the plan is in meanwhile."""

    desired: Desired
    state: str


@dataclass(frozen=True)
class Unlock:
    """Mark the pending revision failed: nobody works on it any more. `attempt` counts the interruption."""

    revision: int
    attempt: Attempt


@dataclass(frozen=True)
class Fail:
    """The attempt failed; write it down."""

    state: str
    reason: str
    attempt: Attempt


@dataclass(frozen=True)
class RollBack:
    """Bring back a revision after a failed upgrade; `attempt` notes it before Helm begins."""

    revision: int
    attempt: Attempt


@dataclass(frozen=True)
class Recovered:
    """The roll-back that was noted is done: write it down."""

    attempt: Attempt


@dataclass(frozen=True)
class Settle:
    """The release is right: switch the API objects to `enabled` and write Installed."""

    desired: Desired


@dataclass(frozen=True)
class Switch:
    """What is asked for is not reached, but what is in force is enabled or disabled all the same. The state stays."""

    enabled: bool


@dataclass(frozen=True)
class Reject:
    """What is asked for cannot be tried; say why. What is in force stays in force."""

    state: str
    problem: Problem


@dataclass(frozen=True)
class Hold:
    """The deletion waits: others need what would go. The state stays."""

    problem: Problem


@dataclass(frozen=True)
class Pause:
    """Say that the plan is paused; nothing else is done while it is."""


@dataclass(frozen=True)
class Resume:
    """Say that the plan is paused no more."""


@dataclass(frozen=True)
class Uninstall:
    """Let Helm remove the release."""


@dataclass(frozen=True)
class Orphan:
    """Forget the release without removing its objects: the user forces the deletion."""


@dataclass(frozen=True)
class Sweep:
    """Delete what still carries the extension's label, its account and its namespace."""


@dataclass(frozen=True)
class Unprotect:
    """Take the finalizer off: the plan may go."""


@dataclass(frozen=True)
class Wait:
    """Nothing to do until something happens; look again after a while all the same."""

    why: str


@dataclass(frozen=True)
class Idle:
    """Everything is as it should be, or nothing can be done until the input changes."""


Action = (
    Protect | Enter | Deploy | Unlock | Fail | RollBack | Recovered | Settle | Switch | Reject | Hold | Pause | Resume
    | Uninstall | Orphan | Sweep | Unprotect | Wait | Idle
)  # fmt: skip


def decide(plan: Plan, world: World) -> Action:
    """The next action. Total: every plan in every world has one."""
    if plan.deleting:
        return _remove(plan, world)
    if plan.paused:
        return Idle() if plan.recorded.paused else Pause()
    if plan.recorded.paused:
        return Resume()
    desired, release = plan.desired, world.release
    if plan.protected and release is not None and release.pending:
        return Unlock(release.revision, _interrupted(plan.recorded.attempt, release))
    if plan.protected and release is not None and release.status == storage.DEPLOYED and plan.recorded.attempt.back_to:
        return Recovered(replace(plan.recorded.attempt, back_to=0, back_failures=0))
    if isinstance(desired, Problem):
        return _reject(plan, world, desired)
    if not plan.protected:
        return Protect()
    return _converge(plan, desired, world)


def _converge(plan: Plan, desired: Desired, world: World) -> Action:
    release, attempt = world.release, plan.recorded.attempt
    if release is not None and release.status == storage.UNINSTALLING:
        return Uninstall()
    if release is not None and _is_right(release, desired):
        settled = _is_settled(plan, desired) and world.switched
        return Idle() if settled else Settle(desired)
    if desired.barred is not None:
        return _reject(plan, world, desired.barred)
    if world.namespace is Namespace.TERMINATING:
        return Wait(f"namespace {desired.namespace} is being deleted")
    ours = (attempt.target, attempt.token) == (desired.target, plan.token) and not plan.recorded.problem
    if not ours:
        return Enter(states.PREPARING, Attempt(desired.target, plan.token, base=_revision(release)))
    return _attempt(plan, desired, world)


def _attempt(plan: Plan, desired: Desired, world: World) -> Action:
    release, recorded = world.release, plan.recorded
    attempt = recorded.attempt
    if recorded.state in states.WORKING:
        if _failed_by(release, attempt):
            message = release.description if release else ""
            return Fail(_failed_state(release), "HelmFailed", _failed(attempt, message))
        if attempt.is_exhausted(plan.limit):
            return Fail(_failed_state(release), "GaveUp", attempt)
        return Deploy(desired, _working_state(release))
    if recorded.state in states.FAILED and attempt.count:
        return _after_failure(plan, attempt, world)
    return _again(attempt, release)


def _after_failure(plan: Plan, attempt: Attempt, world: World) -> Action:
    if back := _back(plan, world):
        return back
    if due := _switch_due(plan, world):
        return due
    if attempt.is_exhausted(plan.limit):
        return Idle()
    if not world.may_retry:
        return Wait("the last attempt failed; the next one comes after a pause")
    return _again(attempt, world.release)


def _back(plan: Plan, world: World) -> RollBack | Wait | None:
    """The roll-back that a failed upgrade asks for, also when what was asked for cannot be tried any more."""
    attempt, release = plan.recorded.attempt, world.release
    broken = release is not None and release.status == storage.FAILED and release.good > 0
    if release is None or not (plan.rolls_back and broken) or attempt.back_failures >= BACK_PATIENCE:
        return None
    if attempt.back_failures and not world.may_retry:
        return Wait("the last roll-back failed; the next one comes after a pause")
    return RollBack(release.good, replace(attempt, back_to=release.good))


def _again(attempt: Attempt, release: Release | None) -> Enter:
    return Enter(states.PREPARING, replace(attempt, base=_revision(release), back_to=0, back_failures=0))


def _reject(plan: Plan, world: World, problem: Problem) -> Action:
    recorded, state = plan.recorded, _failed_state(world.release)
    told = (state, plan.generation, problem.message) == (recorded.state, recorded.generation, recorded.problem)
    if not told:
        return Reject(state, problem)
    back = _back(plan, world) if plan.protected else None
    return back or _switch_due(plan, world) or Idle()


def _switch_due(plan: Plan, world: World) -> Switch | None:
    """Objects that a failed upgrade has added are not let in by it; those that are to be out are kept out."""
    recorded = plan.recorded
    seen = recorded.generation == plan.generation
    if not recorded.version or world.release is None:
        return None if seen else Switch(plan.enabled)
    right = recorded.enabled is plan.enabled and (plan.enabled or world.switched)
    return None if right and seen else Switch(plan.enabled)


def _remove(plan: Plan, world: World) -> Action:
    if not plan.protected:
        return Idle()
    if plan.force_delete:
        return Unprotect() if world.release is None else Orphan()
    recorded = plan.recorded
    if recorded.state != states.UNINSTALLING:
        if held := _held(plan, world):
            return Idle() if recorded.problem == held.message else Hold(held)
        if recorded.state == states.UNINSTALL_FAILED and not world.may_retry:
            return Wait("the last attempt to uninstall failed; the next one comes after a pause")
        first = recorded.state != states.UNINSTALL_FAILED
        attempt = Attempt(patience=UNLIMITED, count=0 if first else recorded.attempt.count)
        return Enter(states.UNINSTALLING, attempt)
    if world.release is not None and world.release.status != storage.UNINSTALLED:
        return Uninstall()
    if world.release is not None:
        return Orphan()
    if world.remains:
        return Sweep()
    if world.vanishing:
        return Wait(f"{world.vanishing} objects are being deleted")
    if world.members:
        return Wait(f"its agents are being removed from {', '.join(world.members)}")
    return Unprotect()


def _held(plan: Plan, world: World) -> Problem | None:
    """Who still needs what the deletion would take away. What has begun is not held any more."""
    begun = plan.recorded.state == states.UNINSTALL_FAILED
    if not world.dependents or plan.ignore_dependents or begun or world.release is None:
        return None
    names = ", ".join(world.dependents)
    way_out = "uninstall them first, or set the annotation dovetail.dev/ignore-dependents on the plan"
    return Problem(HELD, f"{plan.name} stays, because it is needed by {names}; {way_out}")


def _is_right(release: Release, desired: Desired) -> bool:
    return release.status == storage.DEPLOYED and release.target == desired.target


def _is_settled(plan: Plan, desired: Desired) -> bool:
    recorded = plan.recorded
    return (
        recorded.state == states.INSTALLED
        and recorded.version == desired.version
        and recorded.enabled is desired.enabled
        and recorded.generation == plan.generation
        and recorded.attempt.target == desired.target
        and recorded.lacking == desired.lacking
        and not recorded.problem
    )


def _failed_by(release: Release | None, attempt: Attempt) -> bool:
    return release is not None and release.status == storage.FAILED and release.revision > attempt.base


def _interrupted(attempt: Attempt, release: Release) -> Attempt:
    """The revision becomes what the attempt goes on from, so that it does not count as its failure as well."""
    if attempt.back_to:
        return replace(attempt, base=release.revision, back_failures=attempt.back_failures + 1)
    return replace(attempt, count=attempt.count + 1, base=release.revision, message="interrupted by a crash")


def _failed(attempt: Attempt, message: str) -> Attempt:
    return replace(attempt, count=attempt.count + 1, message=message or attempt.message)


def _revision(release: Release | None) -> int:
    return release.revision if release else 0


def _working_state(release: Release | None) -> str:
    return states.UPGRADING if release is not None and release.ever_deployed else states.INSTALLING


def _failed_state(release: Release | None) -> str:
    return states.UPGRADE_FAILED if release is not None and release.ever_deployed else states.INSTALL_FAILED
