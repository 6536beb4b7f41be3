"""What the plan's reconciler writes at each of its steps: `progress` and `history` put together. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dovetail.apis import labels
from dovetail.kube import annotations_of
from dovetail.kube.resources import Object
from dovetail.lifecycle import history, planner, progress, states
from dovetail.lifecycle.deployment import Outcome
from dovetail.lifecycle.errors import Refused
from dovetail.lifecycle.facts import Attempt, Desired, Problem, fingerprint
from dovetail.lifecycle.observing import Seen

Status = Mapping[str, Any]
New = dict[str, Any]


def entered(seen: Seen, state: str, attempt: Attempt, at: datetime) -> New:
    """A state is entered: an operation begins, or the one that failed is tried again."""
    status = history.opened(
        seen.status,
        _action(seen),
        _version(seen),
        by=requester(seen.obj),
        attempts=attempt.count + 1,
        now=at,
        fresh=_is_another(seen, state, attempt),
    )
    if seen.version is not None:
        status = progress.begun_with(status, seen.version.version, seen.version.digest)
    return progress.entered(status, state, attempt, seen.plan.generation, at)


def begun(seen: Seen, status: Status, action: planner.Deploy, at: datetime) -> New:
    """Everything is prepared, Helm comes next. `status` is the plan's as it is now."""
    attempts = seen.plan.recorded.attempt.count + 1
    noted = history.opened(
        status,
        _action(seen),
        action.desired.version,
        by=requester(seen.obj),
        attempts=attempts,
        now=at,
        fresh=False,
    )
    return progress.begun(
        noted,
        action.state,
        release=seen.release,
        namespace=action.desired.namespace,
        config_hash=fingerprint({"config": seen.config})[:16],
        generation=seen.plan.generation,
        now=at,
    )


def unlocked(seen: Seen, attempt: Attempt, message: str, at: datetime) -> New:
    """A crash left the release locked."""
    revision = seen.records.latest.revision if seen.records.latest else 0
    status = history.ended(seen.status, history.INTERRUPTED, at, revision=revision, message=message)
    return progress.entered(status, seen.plan.recorded.state or states.PREPARING, attempt, seen.plan.generation, at)


def failed(seen: Seen, status: Status, state: str, reason: str, attempt: Attempt, at: datetime) -> New:
    """An attempt failed; `status` is the plan's as it is now."""
    told = progress.failed(status, state, reason, attempt, seen.plan.generation, at)
    told = history.ended(told, history.FAILED, at, attempts=attempt.count, reason=reason, message=attempt.message)
    if reason == "TestsFailed":
        return progress.tested(told, False, attempt.message, seen.plan.generation, at)
    return told


def rejected(seen: Seen, state: str, problem: Problem, at: datetime) -> New:
    """What is asked for cannot be tried."""
    status = history.ended(seen.status, history.FAILED, at, reason=problem.reason, message=problem.message)
    return progress.rejected(status, state, problem.reason, problem.message, seen.plan.generation, at)


def going_back(seen: Seen, attempt: Attempt, at: datetime) -> New:
    """A roll-back is about to begin."""
    status = progress.going_back(seen.status, attempt)
    version, attempts = str(status.get("version") or ""), attempt.back_failures + 1
    under_way = history.running(status) is not None
    return history.opened(
        status, history.ROLLBACK, version, by="", attempts=attempts, now=at, fresh=not under_way,
        reason="OnUpgradeFailure",
    )  # fmt: skip


def recovered(seen: Seen, attempt: Attempt, at: datetime) -> New:
    """The roll-back is done."""
    revision = seen.records.latest.revision if seen.records.latest else 0
    status = progress.recovered(seen.status, attempt, seen.plan.generation, at)
    return history.ended(status, history.SUCCEEDED, at, revision=revision)


def not_recovered(seen: Seen, status: Status, attempt: Attempt, error: Refused, at: datetime) -> New:
    """The roll-back failed, too."""
    told = progress.not_recovered(status, attempt, str(error), seen.plan.generation, at)
    return history.ended(told, history.FAILED, at, reason=error.reason, message=str(error))


def switched(seen: Seen, enabled: bool, at: datetime) -> New:
    """What is in force is enabled or disabled, whatever became of what was asked for."""
    status, version = seen.status, str(seen.status.get("version") or "")
    if version and seen.plan.recorded.enabled is not enabled:
        action = history.ENABLE if enabled else history.DISABLE
        status = history.happened(status, action, version, history.SUCCEEDED, at, by=requester(seen.obj))
    return progress.switched(status, enabled, seen.plan.generation, at)


def settled(seen: Seen, desired: Desired, at: datetime) -> New:
    """The release is right: what ran has succeeded, and switching alone is an operation as well."""
    before, latest = seen.plan.recorded.enabled, seen.records.latest
    status = history.ended(seen.status, history.SUCCEEDED, at, revision=latest.revision if latest else 0)
    if before is not None and before is not desired.enabled:
        action = history.ENABLE if desired.enabled else history.DISABLE
        status = history.happened(status, action, desired.version, history.SUCCEEDED, at, by=requester(seen.obj))
    digest = seen.version.digest if seen.version else progress.known_digest(status, desired.version) or ""
    result = progress.settled(status, desired, digest, seen.plan.generation, at)
    if not seen.status.get("releaseName"):  # an adopted release: its record is there, our status is not
        result |= {"releaseName": seen.release, "targetNamespace": desired.namespace}
    return result


def uninstalled(seen: Seen, receipt: str, forced: bool, at: datetime) -> New:
    """Nothing is left, or everything was left by force; the receipt tells."""
    message = "let go by force" if forced else ""
    status = history.ended(seen.status, history.SUCCEEDED, at, message=message)
    status = progress.uninstalled(status, forced, seen.plan.generation, at)
    return {**status, "receipt": receipt} if receipt else status


def tested(seen: Seen, status: Status, outcome: Outcome, at: datetime) -> New:
    """What the package's tests said."""
    where = f"; what they wrote is in ConfigMap kubesphere-system/{outcome.logs}" if outcome.logs else ""
    passed = outcome.tested == "Passed"
    return progress.tested(status, passed, outcome.message + where, seen.plan.generation, at)


def after(attempt: Attempt, error: Refused) -> Attempt:
    """The attempt that ended with this."""
    return replace(attempt, count=attempt.count + 1, patience=error.patience, message=str(error))


def requester(obj: Object) -> str:
    """Who changed the plan last."""
    return annotations_of(obj).get(labels.REQUESTED_BY, "")


def told_of(status: Status) -> str:
    """The operation that runs and who asked for it, for an event."""
    record = history.running(status)
    if record is None:
        return ""
    by = f" by {record['requestedBy']}" if record.get("requestedBy") else ""
    return f" (operation {record['id']}{by})"


def _is_another(seen: Seen, state: str, attempt: Attempt) -> bool:
    """Whether another operation begins, instead of the one that is recorded going on."""
    recorded = seen.plan.recorded
    if state == states.UNINSTALLING:
        return recorded.state != states.UNINSTALL_FAILED
    before = recorded.attempt
    return (before.target, before.token) != (attempt.target, attempt.token) or bool(recorded.problem)


def _action(seen: Seen) -> str:
    desired = seen.plan.desired
    if not isinstance(desired, Desired):
        return history.UNINSTALL
    return history.action_of(seen.status, desired.version, desired.target)


def _version(seen: Seen) -> str:
    desired = seen.plan.desired
    return desired.version if isinstance(desired, Desired) else str(seen.status.get("version") or "")
