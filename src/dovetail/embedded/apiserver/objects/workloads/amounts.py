"""Numbers or percentages (``maxSurge: 25%``), and counters of a status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import part
from ..pods.formats import each, not_negative, percent

Object = dict[str, Any]


def amount_errors(amount: Any, field: str) -> Iterator[FieldError]:
    if isinstance(amount, str):
        yield from each(field, amount, percent(amount))
    else:
        yield from not_negative(field, amount)


def number(amount: Any) -> int:
    """The number, or that before the percent sign; 0 for what is neither."""
    if isinstance(amount, str):
        digits = amount[:-1] if amount.endswith("%") else amount
        return int(digits) if digits.isdigit() else 0
    return int(amount or 0)


def whole_errors(amount: Any, field: str) -> Iterator[FieldError]:
    """Not more than all."""
    if isinstance(amount, str) and not percent(amount) and number(amount) > 100:
        yield fe.invalid(field, amount, "must not be greater than 100%")


def counter_errors(
    obj: Object, old: Object | None, names: tuple[str, ...], *, within: tuple[str, ...], ready: str = ""
) -> Iterator[FieldError]:
    """Counters of a status: none negative; those in ``within`` not above ``replicas``; available ones are ready ones
    (``ready`` is how the message calls these); and collisions are not forgotten.
    """
    status, before = part(obj, "status"), part(old or {}, "status")
    for name in names:
        yield from not_negative(f"status.{name}", status.get(name))
    for name in within:
        if status.get(name, 0) > status.get("replicas", 0):
            yield fe.invalid(f"status.{name}", status[name], "cannot be greater than status.replicas")
    if ready and status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
        yield fe.invalid("status.availableReplicas", status["availableReplicas"], f"cannot be greater than {ready}")
    if "collisionCount" in names and before.get("collisionCount") is not None:
        count = status.get("collisionCount")
        if count is None or count < before["collisionCount"]:
            yield fe.invalid("status.collisionCount", count or 0, "cannot be decremented")
