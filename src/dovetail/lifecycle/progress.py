"""The status of an InstallPlan as pure functions: what is read from it, and what each step writes.

Next to the published fields, `status.operation` remembers the attempt (`facts.Attempt`), the package's digest and the
problem told last. `stateHistory` keeps the last ten states. Times are only written, never read.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

from dovetail.kube.conditions import set_condition
from dovetail.kube.timestamps import rfc3339
from dovetail.lifecycle import states
from dovetail.lifecycle.facts import DEFAULT_PATIENCE, Attempt, Desired, Recorded

_HISTORY: Final = 10
_MAX_MESSAGE: Final = 4096
Status = Mapping[str, Any]


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
        attempt=Attempt(
            target=str(operation.get("target") or ""),
            token=str(operation.get("token") or ""),
            count=int(operation.get("attempts") or 0),
            base=int(operation.get("base") or 0),
            patience=int(operation.get("patience", DEFAULT_PATIENCE)),
            message=str(operation.get("message") or ""),
        ),
    )


def operation_of(status: Status) -> Mapping[str, Any]:
    operation = status.get("operation")
    return cast("Mapping[str, Any]", operation) if isinstance(operation, Mapping) else {}


def entered(status: Status, state: str, attempt: Attempt, generation: int, now: datetime) -> dict[str, Any]:
    """A state with its attempt."""
    return {
        **_in_state(status, state, now),
        "observedGeneration": generation,
        "operation": _operation(status, attempt),
    }


def begun(
    status: Status, state: str, *, release: str, namespace: str, config_hash: str, generation: int, now: datetime
) -> dict[str, Any]:
    """The namespace and the account are ready, Helm is about to work: from here on the release's place is fixed."""
    result = {
        **_in_state(status, state, now),
        "releaseName": release,
        "targetNamespace": namespace,
        "configHash": config_hash,
    }
    return _with(
        result, states.COND_INITIALIZED, "True", "Prepared", "namespace and account are ready", generation, now
    )


def failed(status: Status, state: str, reason: str, attempt: Attempt, generation: int, now: datetime) -> dict[str, Any]:
    """An attempt failed. `version` keeps telling what is in force."""
    result = entered(status, state, attempt, generation, now)
    return _with(result, _condition_of(state), "False", reason, attempt.message, generation, now)


def rejected(status: Status, state: str, reason: str, message: str, generation: int, now: datetime) -> dict[str, Any]:
    """What is asked for cannot be tried."""
    result = {**_in_state(status, state, now), "observedGeneration": generation}
    result["operation"] = {**operation_of(status), "problem": message}
    return _with(result, _condition_of(state), "False", reason, message, generation, now)


def settled(status: Status, desired: Desired, digest: str, generation: int, now: datetime) -> dict[str, Any]:
    """The release is right and its objects are switched."""
    attempt = Attempt(desired.target, recorded_of(status).attempt.token)
    before = str(status.get("version") or "")
    result = {
        **_in_state(status, states.INSTALLED, now),
        "version": desired.version,
        "enabled": desired.enabled,
        "observedGeneration": generation,
        "operation": {**_operation(status, attempt), "digest": digest},
    }
    result = _with(
        result, states.COND_INSTALLED, "True", "Installed", f"{desired.version} is in force", generation, now
    )
    if (before and before != desired.version) or _was_upgrading(status):
        message = f"{before} -> {desired.version}"
        result = _with(result, states.COND_UPGRADED, "True", "Upgraded", message, generation, now)
    word = "Enabled" if desired.enabled else "Disabled"
    enabled: Literal["True", "False"] = "True" if desired.enabled else "False"
    return _with(result, states.COND_ENABLED, enabled, word, f"the extension is {word.lower()}", generation, now)


def uninstalled(status: Status, generation: int, now: datetime) -> dict[str, Any]:
    """Nothing is left."""
    result = {**_in_state(status, states.UNINSTALLED, now), "version": "", "enabled": False}
    message = "the release, its account and its namespace are gone"
    return _with(result, states.COND_UNINSTALLED, "True", "Uninstalled", message, generation, now)


def _in_state(status: Status, state: str, now: datetime) -> dict[str, Any]:
    result = dict(status)
    if status.get("state") != state:
        history = list(cast("list[Mapping[str, Any]]", status.get("stateHistory") or []))
        history.append({"state": state, "lastTransitionTime": rfc3339(now)})
        result["stateHistory"] = history[-_HISTORY:]
    result["state"] = state
    return result


def _operation(status: Status, attempt: Attempt) -> dict[str, Any]:
    kept = {key: value for key, value in operation_of(status).items() if key == "digest"}
    return {
        **kept,
        "target": attempt.target,
        "token": attempt.token,
        "attempts": attempt.count,
        "base": attempt.base,
        "patience": attempt.patience,
        "message": attempt.message[:_MAX_MESSAGE],
    }


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
    conditions = cast("list[Mapping[str, Any]]", status.get("conditions") or [])
    message = message[:_MAX_MESSAGE]
    return {**status, "conditions": set_condition(conditions, type, value, reason, message, generation, now)}
