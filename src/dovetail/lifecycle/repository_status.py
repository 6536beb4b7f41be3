"""The status of a Repository: what was found, when, and what is wrong. Values only."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from dovetail.kube import set_condition
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now, rfc3339
from dovetail.lifecycle.objects import conditions_of, generation_of
from dovetail.lifecycle.syncing import Failure, SyncPlan

SYNCED: Final = "Synced"
CONFLICT: Final = "Conflict"
_MAX_FAILURES: Final = 50
_MAX_MESSAGE: Final = 1000
_MAX_NAMED: Final = 10


def succeeded(obj: Object, plan: SyncPlan | None, digest: str) -> dict[str, Any]:
    """The index was read and carried out; `plan` None means that nothing changed."""
    time = rfc3339(now())
    status: dict[str, Any] = {"state": SYNCED, "lastSyncTime": time, "lastSuccessTime": time, "indexDigest": digest}
    if plan is None:
        return _told(obj, status, "True", SYNCED, "the index is what it was")
    status |= counts(plan) | {"failures": _failures(plan.failures)}
    waiting = plan.missing.difference(plan.remove)
    if plan.failures:
        return _told(obj, status, "True", "PartlySynced", f"{len(plan.failures)} packages could not be used")
    if waiting:
        message = f"{len(waiting)} versions are not listed any more; they go if the next reading says so, too"
        return _told(obj, status, "True", SYNCED, message)
    return _told(obj, status, "True", SYNCED, "the index and its packages are read")


def failed(obj: Object, reason: str, message: str) -> dict[str, Any]:
    """Nothing could be learned; what is known of the repository stays."""
    return _told(obj, {"state": "Failed", "lastSyncTime": rfc3339(now())}, "False", reason, message)


def conflicting(obj: Object, sentences: Sequence[str]) -> list[dict[str, Any]]:
    """The conditions, with `Conflict` as it is."""
    if not sentences:
        value, reason, message = "False", "NoConflict", "no other repository offers the same extensions"
    else:
        more = f"; and {len(sentences) - _MAX_NAMED} more" if len(sentences) > _MAX_NAMED else ""
        value, reason = "True", "SharedExtensions"
        message = "; ".join(sentences[:_MAX_NAMED]) + more + ". Give one of them a higher spec.priority, or remove one"
    return set_condition(conditions_of(obj), CONFLICT, _value(value), reason, message, generation_of(obj), now())


def counts(plan: SyncPlan) -> dict[str, int]:
    """How many extensions and versions of the repository can be used."""
    bad = {(failure.extension, failure.version) for failure in plan.failures}
    good = [entry for entry in (*plan.fetch, *plan.unchanged) if (entry.extension, entry.version) not in bad]
    return {"extensions": len({entry.extension for entry in good}), "versions": len(good)}


def _failures(failures: Iterable[Failure]) -> list[dict[str, str]]:
    told = [
        {"name": failure.extension, "version": failure.version, "message": failure.message[:_MAX_MESSAGE]}
        for failure in failures
    ]
    return told[:_MAX_FAILURES]


def _told(obj: Object, status: dict[str, Any], value: str, reason: str, message: str) -> dict[str, Any]:
    generation = generation_of(obj)
    conditions = set_condition(conditions_of(obj), SYNCED, _value(value), reason, message, generation, now())
    return {**status, "observedGeneration": generation, "conditions": conditions}


def _value(text: str) -> Any:
    return text
