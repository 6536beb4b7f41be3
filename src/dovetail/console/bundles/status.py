"""From what is served to the object's status: link, state, digest, size and one condition. Pure.

Nothing here ever turns `Disabled` into anything else: that state belongs to who manages the extension's life, and an
object that has it is left alone.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from dovetail.console.bundles.model import File, Missing, Outcome
from dovetail.console.bundles.planning import DISABLED
from dovetail.console.reading import child, items
from dovetail.kube import metadata, set_condition

CONDITION: Final = "Available"


def wanted_status(obj: Mapping[str, Any], outcome: Outcome | Missing, now: datetime) -> dict[str, Any] | None:
    """The status fields to merge into the object; None when it says all this already, or is disabled.

    `outcome` is a Missing for an object that could not even be read.
    """
    current = child(obj, "status")
    if current.get("state") == DISABLED:
        return None
    wanted = _fields(outcome) | {
        "observedGeneration": _generation(obj),
        "conditions": _conditions(current, outcome, _generation(obj), now),
    }
    return None if all(current.get(name) == value for name, value in wanted.items()) else wanted


def _fields(outcome: Outcome | Missing) -> dict[str, Any]:
    if isinstance(outcome, Missing):
        return {"state": "Unavailable"}
    main = outcome.main
    link = {"link": outcome.plan.main.link}
    if isinstance(main, Missing):
        return {**link, "state": "Unavailable"}
    return {**link, "state": "Available", "digest": main.sha256, "size": len(main.content)}


def _conditions(
    current: Mapping[str, Any], outcome: Outcome | Missing, generation: int, now: datetime
) -> list[dict[str, Any]]:
    before = items(current, "conditions")
    missing = outcome if isinstance(outcome, Missing) else outcome.main
    if isinstance(missing, Missing):
        return set_condition(before, CONDITION, "False", missing.reason, missing.message, generation, now)
    assert isinstance(outcome, Outcome)  # a Missing was returned above
    reason, message = _served(outcome)
    return set_condition(before, CONDITION, "True", reason, message, generation, now)


def _served(outcome: Outcome) -> tuple[str, str]:
    main = outcome.main
    assert isinstance(main, File)
    lost = [f"{link}: {part.message}" for link, part in outcome.parts.items() if isinstance(part, Missing)]
    if lost:
        return "AssetsMissing", "Served without some of its files. " + " ".join(lost)
    return "Served", f"Served at {outcome.plan.main.link}, {len(main.content)} bytes."


def _generation(obj: Mapping[str, Any]) -> int:
    value: object = metadata(obj).get("generation")
    return value if isinstance(value, int) else 0
