"""The decision about an InstallPlan: one pure function from what is wanted and what is there to the next action.

The model: a release is *right* when its newest revision is deployed and carries the target's fingerprint. As long as
it is not, an attempt is made: state Preparing (what the attempt started from is written down), then Deploy. Whatever
happens to the controller in between, the next look finds one of: nothing, a pending revision (Unlock and go on), a
failed revision of this attempt (Fail), or the right one (Settle). Failures are counted for a target; another target,
or a new retry token, starts from zero, so every state has an exit. Deletion is decided first and needs neither the
ExtensionVersion nor the package.

No clocks: waiting is the caller's, who says `may_retry`. States are the published ones (`states`).
"""

from dataclasses import dataclass

from dovetail.helm import storage
from dovetail.lifecycle import states
from dovetail.lifecycle.facts import UNLIMITED, Attempt, Desired, Namespace, Plan, Problem, Release, World


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
class Settle:
    """The release is right: switch the API objects to `enabled` and write Installed."""

    desired: Desired


@dataclass(frozen=True)
class Reject:
    """What is asked for cannot be tried; say why. What is in force stays in force."""

    state: str
    problem: Problem


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
    Protect | Enter | Deploy | Unlock | Fail | Settle | Reject | Uninstall | Orphan | Sweep | Unprotect | Wait | Idle
)


def decide(plan: Plan, world: World) -> Action:
    """The next action. Total: every plan in every world has one."""
    if plan.deleting:
        return _remove(plan, world)
    desired = plan.desired
    if isinstance(desired, Problem):
        return _reject(plan, world, desired)
    if not plan.protected:
        return Protect()
    return _converge(plan, desired, world)


def _converge(plan: Plan, desired: Desired, world: World) -> Action:
    release, attempt = world.release, plan.recorded.attempt
    if release is not None and release.pending:
        return Unlock(release.revision, _interrupted(attempt, release))
    if release is not None and release.status == storage.UNINSTALLING:
        return Uninstall()
    if release is not None and _is_right(release, desired):
        settled = _is_settled(plan, desired) and world.switched
        return Idle() if settled else Settle(desired)
    if desired.missing:
        return _reject(plan, world, Problem("VersionNotFound", desired.missing))
    if world.namespace is Namespace.TERMINATING:
        return Wait(f"namespace {desired.namespace} is being deleted")
    ours = (attempt.target, attempt.token) == (desired.target, plan.token)
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
        if attempt.exhausted:
            return Fail(_failed_state(release), "GaveUp", attempt)
        return Deploy(desired, _working_state(release))
    if recorded.state in states.FAILED and attempt.count:
        if attempt.exhausted:
            return Idle()
        if not world.may_retry:
            return Wait("the last attempt failed; the next one comes after a pause")
    again = Attempt(attempt.target, attempt.token, attempt.count, _revision(release), attempt.patience, attempt.message)
    return Enter(states.PREPARING, again)


def _reject(plan: Plan, world: World, problem: Problem) -> Action:
    recorded, state = plan.recorded, _failed_state(world.release)
    told = (state, plan.generation, problem.message) == (recorded.state, recorded.generation, recorded.problem)
    return Idle() if told else Reject(state, problem)


def _remove(plan: Plan, world: World) -> Action:
    if not plan.protected:
        return Idle()
    if plan.force_delete:
        return Unprotect() if world.release is None else Orphan()
    recorded = plan.recorded
    if recorded.state != states.UNINSTALLING:
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
    return Unprotect()


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
        and not recorded.problem
    )


def _failed_by(release: Release | None, attempt: Attempt) -> bool:
    return release is not None and release.status == storage.FAILED and release.revision > attempt.base


def _interrupted(attempt: Attempt, release: Release) -> Attempt:
    """The revision becomes what the attempt goes on from, so that it does not count as its failure as well."""
    return Attempt(
        attempt.target, attempt.token, attempt.count + 1, release.revision, attempt.patience, "interrupted by a crash"
    )


def _failed(attempt: Attempt, message: str) -> Attempt:
    return Attempt(
        attempt.target, attempt.token, attempt.count + 1, attempt.base, attempt.patience, message or attempt.message
    )


def _revision(release: Release | None) -> int:
    return release.revision if release else 0


def _working_state(release: Release | None) -> str:
    return states.UPGRADING if release is not None and release.ever_deployed else states.INSTALLING


def _failed_state(release: Release | None) -> str:
    return states.UPGRADE_FAILED if release is not None and release.ever_deployed else states.INSTALL_FAILED
