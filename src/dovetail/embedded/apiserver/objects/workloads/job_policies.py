"""When pods of a job count as failed, and when a job has succeeded early: podFailurePolicy and successPolicy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ..names import qualified
from ..pods.formats import each, not_negative
from .indexes import IndexesMalformed, count

Object = dict[str, Any]

_ACTIONS = ["Count", "FailIndex", "FailJob", "Ignore"]
_STATUSES, _OPERATORS = ["False", "True", "Unknown"], ["In", "NotIn"]


def without_value(field: str, detail: str) -> FieldError:
    """``Invalid value`` that shows none."""
    return FieldError("FieldValueInvalid", "Invalid value", field, detail=detail)


def _valid(names: list[str]) -> str:
    return f"valid values: [{' '.join(orjson.dumps(name).decode() for name in names)}]"


def failure_errors(spec: Object, field: str) -> Iterator[FieldError]:
    rules = parts(spec, "podFailurePolicy", "rules")
    if len(rules) > 20:
        yield fe.too_many(f"{field}.rules", len(rules), 20)
    pod = part(spec, "template", "spec")
    names = {c.get("name") for c in [*parts(pod, "containers"), *parts(pod, "initContainers")]}
    for index, rule in enumerate(rules):
        yield from _rule_errors(spec, rule, names, f"{field}.rules[{index}]")


def _rule_errors(spec: Object, rule: Object, names: set[Any], field: str) -> Iterator[FieldError]:
    action, codes, conditions = rule.get("action", ""), rule.get("onExitCodes"), parts(rule, "onPodConditions")
    if not action:
        yield fe.required(f"{field}.action", _valid(_ACTIONS))
    elif action == "FailIndex":
        if spec.get("backoffLimitPerIndex") is None:
            yield fe.invalid(f"{field}.action", action, "requires the backoffLimitPerIndex to be set")
    elif action not in _ACTIONS:
        yield fe.not_supported(f"{field}.action", action, _ACTIONS)
    if is_object(codes):
        yield from _code_errors(codes, names, f"{field}.onExitCodes")
    if len(conditions) > 20:
        yield fe.too_many(f"{field}.onPodConditions", len(conditions), 20)
    for index, pattern in enumerate(conditions):
        where, kind, status = f"{field}.onPodConditions[{index}]", pattern.get("type", ""), pattern.get("status", "")
        yield from each(f"{where}.type", kind, qualified(kind))
        if not status:
            yield fe.required(f"{where}.status", _valid(_STATUSES))
        elif status not in _STATUSES:
            yield fe.not_supported(f"{where}.status", status, _STATUSES)
    if codes is not None and conditions:
        yield without_value(field, "specifying both OnExitCodes and OnPodConditions is not supported")
    if codes is None and not conditions:
        yield without_value(field, "specifying one of OnExitCodes and OnPodConditions is required")


def _code_errors(codes: Object, names: set[Any], field: str) -> Iterator[FieldError]:
    operator, container, values = codes.get("operator", ""), codes.get("containerName"), parts(codes, "values")
    if not operator:
        yield fe.required(f"{field}.operator", _valid(_OPERATORS))
    elif operator not in _OPERATORS:
        yield fe.not_supported(f"{field}.operator", operator, _OPERATORS)
    if container is not None and container not in names:
        text = "must be one of the container or initContainer names in the pod template"
        yield fe.invalid(f"{field}.containerName", container, text)
    if not values:
        yield fe.invalid(f"{field}.values", None, "at least one value is required")
    elif len(values) > 255:
        yield fe.too_many(f"{field}.values", len(values), 255)
    for index, code in enumerate(values):
        where = f"{field}.values[{index}]"
        if operator == "In" and code == 0:
            yield fe.invalid(where, code, "must not be 0 for the In operator")
        if code in values[:index]:
            yield fe.duplicate(where, code)
    if values != sorted(values):
        yield fe.invalid(f"{field}.values", values, "must be ordered")


def success_errors(spec: Object, field: str) -> Iterator[FieldError]:
    rules, completions = parts(spec, "successPolicy", "rules"), spec.get("completions") or 0
    if not rules:
        yield fe.required(f"{field}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(rules) > 20:
        yield fe.too_many(f"{field}.rules", len(rules), 20)
    for index, rule in enumerate(rules):
        where, wanted, indexes = f"{field}.rules[{index}]", rule.get("succeededCount"), rule.get("succeededIndexes")
        if wanted is None and indexes is None:
            yield fe.required(where, "at least one of succeededCount or succeededIndexes must be specified")
        total = 0
        if indexes is not None:
            if len(indexes) > 64 * 1024:
                yield fe.too_long(f"{where}.succeededIndexes", 64 * 1024)
            try:
                total = count(indexes, completions)
            except IndexesMalformed as error:
                yield fe.invalid(f"{where}.succeededIndexes", indexes, f"error parsing succeededIndexes: {error}")
        if wanted is not None:
            yield from _count_errors(wanted, completions, total if indexes is not None else None, where)


def _count_errors(wanted: int, completions: int, total: int | None, field: str) -> Iterator[FieldError]:
    where = f"{field}.succeededCount"
    yield from not_negative(where, wanted)
    if wanted > completions:
        text = f"must be less than or equal to {completions} (the number of specified completions)"
        yield fe.invalid(where, wanted, text)
    if total is not None and wanted > total:
        text = f"must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        yield fe.invalid(where, wanted, text)
