"""What was done to a release once: by whom, when, and how it ended. Pure: a status in, a status out.

`status.history` keeps the last twenty operations, the newest last. An operation is an attempt at one target: its
retries count up in it, a crash ends it as Interrupted and what goes on from there is another one, and a plan that
changes its mind ends it as Superseded. So at most the last one is Running.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from dovetail.kube.timestamps import rfc3339
from dovetail.lifecycle import states
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Version

INSTALL: Final = "Install"
UPGRADE: Final = "Upgrade"
ROLLBACK: Final = "Rollback"
CONFIGURE: Final = "Configure"
ENABLE: Final = "Enable"
DISABLE: Final = "Disable"
HEAL: Final = "Heal"
UNINSTALL: Final = "Uninstall"

RUNNING: Final = "Running"
SUCCEEDED: Final = "Succeeded"
FAILED: Final = "Failed"
INTERRUPTED: Final = "Interrupted"
SUPERSEDED: Final = "Superseded"

_KEPT: Final = 20
_MAX_MESSAGE: Final = 1024
Status = Mapping[str, Any]
Record = Mapping[str, Any]


def action_of(status: Status, version: str, target: str) -> str:
    """What making `target` of this version means for a plan with this status."""
    before = str(status.get("version") or "")
    if not before:
        return INSTALL
    if before != version:
        return ROLLBACK if _is_older(version, before) else UPGRADE
    operation = cast("Mapping[str, Any]", status.get("operation") or {})
    repaired = status.get("state") == states.INSTALLED and operation.get("target") == target
    return HEAL if repaired else CONFIGURE


def opened(
    status: Status, action: str, version: str, *, by: str, attempts: int, now: datetime, fresh: bool, reason: str = ""
) -> dict[str, Any]:
    """An operation runs: a `fresh` one, or the one that failed before is tried again."""
    records = _records(status)
    last: Record = records[-1] if records else {}
    outcome = last.get("outcome")
    if not fresh and outcome == RUNNING:
        return _replaced(status, {**last, "attempts": attempts})
    if not fresh and outcome == FAILED:
        going_on = {key: value for key, value in last.items() if key not in ("finishedAt", "reason")}
        return _replaced(status, {**going_on, "outcome": RUNNING, "attempts": attempts})
    if not fresh and outcome == INTERRUPTED:
        action = str(last.get("action") or action)
    before = ended(status, SUPERSEDED, now, message="the plan was changed")
    record = {
        "id": _next_id(records),
        "action": action,
        "version": version,
        "fromVersion": str(status.get("version") or ""),
        "requestedBy": by,
        "startedAt": rfc3339(now),
        "outcome": RUNNING,
        "attempts": attempts,
        "reason": reason,
    }
    return {**before, "history": [*_records(before), _without_empty(record)][-_KEPT:]}


def ended(
    status: Status,
    outcome: str,
    now: datetime,
    *,
    attempts: int = 0,
    revision: int = 0,
    reason: str = "",
    message: str = "",
) -> dict[str, Any]:
    """The operation that runs, if one does, ended like this."""
    last = running(status)
    if last is None:
        return dict(status)
    result = {"reason": reason, "message": message[:_MAX_MESSAGE], "attempts": attempts, "revision": revision}
    record = {**last, **_without_empty(result), "outcome": outcome, "finishedAt": rfc3339(now)}
    return _replaced(status, record)


def happened(
    status: Status, action: str, version: str, outcome: str, now: datetime, *, by: str = "", message: str = ""
) -> dict[str, Any]:
    """An operation that was over at once, such as enabling."""
    begun = opened(status, action, version, by=by, attempts=1, now=now, fresh=True)
    return ended(begun, outcome, now, message=message)


def running(status: Status) -> Record | None:
    """The operation that runs."""
    records = _records(status)
    return records[-1] if records and records[-1].get("outcome") == RUNNING else None


def last_id(status: Status) -> str:
    """Of the newest operation; empty when there was none."""
    records = _records(status)
    return str(records[-1].get("id") or "") if records else ""


def _records(status: Status) -> list[Record]:
    found = status.get("history")
    if not isinstance(found, list):
        return []
    return [cast("Record", one) for one in cast("list[object]", found) if isinstance(one, Mapping)]


def _replaced(status: Status, record: Record) -> dict[str, Any]:
    return {**status, "history": [*_records(status)[:-1], record]}


def _next_id(records: list[Record]) -> str:
    text = str(records[-1].get("id") or "") if records else ""
    return str(int(text) + 1) if text.isdecimal() else str(len(records) + 1)


def _without_empty(record: Record) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value not in ("", 0)}


def _is_older(version: str, than: str) -> bool:
    try:
        return Version.parse(version) < Version.parse(than)
    except PackagingError:
        return False
