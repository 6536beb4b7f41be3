"""The status of an InstallPlan as pure functions: what is read from it, and what each step writes.

Next to the published fields, `status.operation` remembers the attempt (`facts.Attempt`), the package's digest and the
problem told last. `stateHistory` keeps the last ten states, `progress` is there while something runs. What was done
is `history`'s. Times are only written, never read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

from dovetail.kube.conditions import find_condition, is_true, remove_condition, set_condition
from dovetail.kube.timestamps import rfc3339
from dovetail.lifecycle import states
from dovetail.lifecycle.facts import (
    DEFAULT_PATIENCE,
    DEPENDENCY_MISSING,
    DEPENDENCY_REASONS,
    Attempt,
    Desired,
    Problem,
    Recorded,
)
from dovetail.lifecycle.steps import Step

_HISTORY: Final = 10
_MAX_MESSAGE: Final = 4096
_KEPT: Final = frozenset({"digest", "version", "packageDigest"})
Status = Mapping[str, Any]

ENTERED: Final = Step(1, "Preparing")
BEGUN: Final = 10
"""Per cent done when Helm begins: the package is there, the namespace and the account are ready."""
_UNINSTALL_BEGUN: Final = Step(5, "Uninstalling")


def recorded_of(status: Status) -> Recorded:
    """What the planner needs of a status; a foreign or half-written one gives defaults."""
    operation = operation_of(status)
    return Recorded(
        state=str(status.get("state") or ""),
        version=str(status.get("version") or ""),
        enabled=cast("bool | None", status.get("enabled")),
        generation=int(status.get("observedGeneration") or 0),
        release=bool(status.get("releaseName")),
        problem=str(operation.get("problem") or ""),
        paused=is_true(_conditions(status), states.COND_PAUSED),
        lacking=str(operation.get("lacking") or ""),
        attempt=Attempt(
            target=str(operation.get("target") or ""),
            token=str(operation.get("token") or ""),
            count=int(operation.get("attempts") or 0),
            base=int(operation.get("base") or 0),
            patience=int(operation.get("patience", DEFAULT_PATIENCE)),
            message=str(operation.get("message") or ""),
            back_to=int(operation.get("backTo") or 0),
            back_failures=int(operation.get("backFailures") or 0),
        ),
    )


def known_digest(status: Status, version: str) -> str | None:
    """The digest of a version that is in force or was begun, however long its object has been gone; else None."""
    operation = operation_of(status)
    if operation.get("version") == version:
        return str(operation.get("packageDigest") or "")
    return str(operation.get("digest") or "") if status.get("version") == version else None


def begun_with(status: Status, version: str, digest: str) -> dict[str, Any]:
    """Remember what the attempt is made from: the version's object may be gone when it has succeeded."""
    return {**status, "operation": {**operation_of(status), "version": version, "packageDigest": digest}}


def operation_of(status: Status) -> Mapping[str, Any]:
    operation = status.get("operation")
    return cast("Mapping[str, Any]", operation) if isinstance(operation, Mapping) else {}


def entered(status: Status, state: str, attempt: Attempt, generation: int, now: datetime) -> dict[str, Any]:
    """A state with its attempt."""
    result = {
        **_in_state(status, state, now),
        "observedGeneration": generation,
        "operation": _operation(status, attempt),
    }
    if state in states.WORKING:
        return {**result, "progress": progress_of(ENTERED)}
    return {**result, "progress": progress_of(_UNINSTALL_BEGUN)} if state == states.UNINSTALLING else result


def step_of(status: Status) -> Step:
    """How far the operation has come; at its beginning when nothing is told."""
    told = status.get("progress")
    if not isinstance(told, Mapping):
        return ENTERED
    step = cast("Mapping[str, Any]", told)
    return Step(int(step.get("percent") or 0), str(step.get("step") or ""), str(step.get("object") or ""))


def progress_of(step: Step) -> dict[str, Any]:
    """`status.progress`."""
    return {"percent": step.percent, "step": step.what, "object": step.object}


def begun(
    status: Status, state: str, *, release: str, namespace: str, config_hash: str, generation: int, now: datetime
) -> dict[str, Any]:
    """The namespace and the account are ready, Helm is about to work: from here on the release's place is fixed."""
    result = {
        **_in_state(status, state, now),
        "releaseName": release,
        "targetNamespace": namespace,
        "configHash": config_hash,
        "progress": progress_of(Step(max(BEGUN, step_of(status).percent), state)),
    }
    return _with(
        result, states.COND_INITIALIZED, "True", "Prepared", "namespace and account are ready", generation, now
    )


def failed(status: Status, state: str, reason: str, attempt: Attempt, generation: int, now: datetime) -> dict[str, Any]:
    """An attempt failed. `version` keeps telling what is in force."""
    result = {**entered(status, state, attempt, generation, now), "reason": reason}
    return _with(result, _condition_of(state), "False", reason, attempt.message, generation, now)


def rejected(status: Status, state: str, reason: str, message: str, generation: int, now: datetime) -> dict[str, Any]:
    """What is asked for cannot be tried."""
    result = {**_in_state(status, state, now), "observedGeneration": generation, "reason": reason}
    result["operation"] = {**operation_of(status), "problem": message}
    if reason in DEPENDENCY_REASONS:
        result = _with(result, states.COND_DEPENDENCIES, "False", reason, message, generation, now)
    return _with(result, _condition_of(state), "False", reason, message, generation, now)


def held(status: Status, problem: Problem, generation: int, now: datetime) -> dict[str, Any]:
    """The deletion waits for others; the state stays."""
    result = {**status, "operation": {**operation_of(status), "problem": problem.message}, "reason": problem.reason}
    return _with(result, states.COND_DEPENDENCIES, "False", problem.reason, problem.message, generation, now)


def paused(status: Status, generation: int, now: datetime) -> dict[str, Any]:
    """Nothing is done until spec.paused is taken back."""
    result = {**status, "observedGeneration": generation, "reason": "Paused"}
    message = "nothing is changed while spec.paused is true; a deletion goes on"
    return _with(result, states.COND_PAUSED, "True", "Paused", message, generation, now)


def resumed(status: Status, generation: int, now: datetime) -> dict[str, Any]:
    """The plan is worked on again."""
    result = {key: value for key, value in status.items() if key != "reason"}
    return _with(result, states.COND_PAUSED, "False", "Resumed", "the plan is carried out", generation, now)


def going_back(status: Status, attempt: Attempt) -> dict[str, Any]:
    """A roll-back is about to begin: the note comes before the deed."""
    step = Step(BEGUN, "Rolling back", f"revision {attempt.back_to}")
    return {**status, "operation": _still(status, attempt), "progress": progress_of(step)}


def recovered(status: Status, attempt: Attempt, generation: int, now: datetime) -> dict[str, Any]:
    """The last good revision is in force again; what was asked for still failed."""
    back_to = recorded_of(status).attempt.back_to
    message = f"revision {back_to}, version {status.get('version') or 'unknown'}, is in force again"
    result = {**_at_rest(status), "operation": _still(status, attempt), "reason": "RolledBack"}
    return _with(result, states.COND_ROLLED_BACK, "True", "UpgradeFailed", message, generation, now)


def not_recovered(status: Status, attempt: Attempt, why: str, generation: int, now: datetime) -> dict[str, Any]:
    """The roll-back failed, too."""
    result = {**_at_rest(status), "operation": _still(status, attempt), "reason": "RollbackFailed"}
    return _with(result, states.COND_ROLLED_BACK, "False", "RollbackFailed", why, generation, now)


def tested(status: Status, passed: bool, message: str, generation: int, now: datetime) -> dict[str, Any]:
    """What the package's own tests said."""
    value, reason = ("True", "Passed") if passed else ("False", "Failed")
    return _with(dict(status), states.COND_TESTED, cast("Any", value), reason, message, generation, now)


def settled(status: Status, desired: Desired, digest: str, generation: int, now: datetime) -> dict[str, Any]:
    """The release is right and its objects are switched."""
    attempt = Attempt(desired.target, recorded_of(status).attempt.token)
    before = str(status.get("version") or "")
    result = {
        **_in_state(status, states.INSTALLED, now),
        "version": desired.version,
        "enabled": desired.enabled,
        "observedGeneration": generation,
        "operation": {**_operation(status, attempt), "digest": digest, **_lacking(desired)},
        "conditions": remove_condition(_conditions(status), states.COND_ROLLED_BACK),
    }
    result = _dependencies(result, desired, generation, now)
    result = _with(
        result, states.COND_INSTALLED, "True", "Installed", f"{desired.version} is in force", generation, now
    )
    if (before and before != desired.version) or _was_upgrading(status):
        message = f"{before} -> {desired.version}"
        result = _with(result, states.COND_UPGRADED, "True", "Upgraded", message, generation, now)
    return _enabled(result, desired.enabled, generation, now)


def switched(status: Status, enabled: bool, generation: int, now: datetime) -> dict[str, Any]:
    """What is in force is enabled or disabled; the state stays."""
    if not status.get("version"):
        return {**status, "observedGeneration": generation}
    return _enabled({**status, "enabled": enabled, "observedGeneration": generation}, enabled, generation, now)


def uninstalled(status: Status, forced: bool, generation: int, now: datetime) -> dict[str, Any]:
    """Nothing is left, or everything was left by force."""
    result = {**_in_state(status, states.UNINSTALLED, now), "version": "", "enabled": False}
    message = "the release, its account and its namespace are gone"
    if forced:
        message = "the plan was let go by force; what it installed was left as it is"
    reason = "Forced" if forced else "Uninstalled"
    return _with(result, states.COND_UNINSTALLED, "True", reason, message, generation, now)


def _enabled(status: dict[str, Any], enabled: bool, generation: int, now: datetime) -> dict[str, Any]:
    word = "Enabled" if enabled else "Disabled"
    value: Literal["True", "False"] = "True" if enabled else "False"
    return _with(status, states.COND_ENABLED, value, word, f"the extension is {word.lower()}", generation, now)


def _lacking(desired: Desired) -> dict[str, str]:
    return {"lacking": desired.lacking} if desired.lacking else {}


def _dependencies(status: dict[str, Any], desired: Desired, generation: int, now: datetime) -> dict[str, Any]:
    """Only extensions that lacked something once have the condition."""
    kind = states.COND_DEPENDENCIES
    if desired.lacking:
        told = {**status, "reason": DEPENDENCY_MISSING}
        return _with(told, kind, "False", DEPENDENCY_MISSING, desired.lacking, generation, now)
    if find_condition(_conditions(status), kind) is None:
        return status
    return _with(status, kind, "True", "Satisfied", "what it needs is there", generation, now)


def _in_state(status: Status, state: str, now: datetime) -> dict[str, Any]:
    result = _at_rest(status)
    if status.get("state") != state:
        history = list(cast("list[Mapping[str, Any]]", status.get("stateHistory") or []))
        history.append({"state": state, "lastTransitionTime": rfc3339(now)})
        result["stateHistory"] = history[-_HISTORY:]
    result["state"] = state
    return result


def _at_rest(status: Status) -> dict[str, Any]:
    return {key: value for key, value in status.items() if key not in ("progress", "reason")}


def _conditions(status: Status) -> list[Mapping[str, Any]]:
    found = status.get("conditions")
    return cast("list[Mapping[str, Any]]", found) if isinstance(found, list) else []


def _operation(status: Status, attempt: Attempt) -> dict[str, Any]:
    kept = {key: value for key, value in operation_of(status).items() if key in _KEPT}
    back = {"backTo": attempt.back_to, "backFailures": attempt.back_failures}
    return {
        **kept,
        "target": attempt.target,
        "token": attempt.token,
        "attempts": attempt.count,
        "base": attempt.base,
        "patience": attempt.patience,
        "message": attempt.message[:_MAX_MESSAGE],
        **{key: value for key, value in back.items() if value},
    }


def _still(status: Status, attempt: Attempt) -> dict[str, Any]:
    """The operation with another attempt, and the problem that was told is told still."""
    problem = operation_of(status).get("problem")
    return {**_operation(status, attempt), **({"problem": problem} if problem else {})}


def _condition_of(state: str) -> str:
    if state == states.UNINSTALL_FAILED:
        return states.COND_UNINSTALLED
    return states.COND_UPGRADED if state == states.UPGRADE_FAILED else states.COND_INSTALLED


def _was_upgrading(status: Status) -> bool:
    return status.get("state") == states.UPGRADING


def _with(
    status: dict[str, Any],
    type: str,
    value: Literal["True", "False", "Unknown"],
    reason: str,
    message: str,
    generation: int,
    now: datetime,
) -> dict[str, Any]:
    conditions = _conditions(status)
    message = message[:_MAX_MESSAGE]
    return {**status, "conditions": set_condition(conditions, type, value, reason, message, generation, now)}
