"""``x-kubernetes-validations``: the CEL rules of a schema, compiled once and evaluated on every write.

A ``RuleTree`` mirrors the schema where it has rules below. A rule sees ``self``, the value at its place, and
``oldSelf``, the value that was there before (then it only runs on updates, at places that can be told apart: fields,
map keys, items of ``list-type: map``). What did not change is not held against an update (ratcheting): the failure of
an unchanged value becomes a warning. One object's rules share a budget; beyond it the write fails.
Texts: apiextensions-apiserver ``pkg/apiserver/schema/cel``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .. import fielderrors as fe
from ..cel import CelCompileError, CelCostExceeded, CelEvaluationError, Program, compile_typed
from ..cel.types import Type, optional_of
from ..cel.values import Optional
from ..fielderrors import FieldError
from ..foreign import part, parts
from .declarations import Bind, Schema, binder, declared, whole

OBJECT_COST = 10_000_000
OBJECT_SECONDS = 3.0
_CALL_COST = 1_000_000
_MESSAGE_BYTES = 5 * 1024
OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"


@dataclass(slots=True)
class Rule:
    """One entry of ``x-kubernetes-validations``. ``program`` is None when it does not compile (``problem``)."""

    raw: Mapping[str, Any]
    program: Program | None = None
    problem: str = ""
    message: Program | None = None
    message_problem: str = ""

    @property
    def transition(self) -> bool:
        return self.program is not None and "oldSelf" in self.program.uses

    @property
    def optional_old(self) -> bool:
        return bool(self.raw.get("optionalOldSelf"))

    @property
    def short(self) -> str:
        """What names the rule in errors about its evaluation."""
        return str(self.raw.get("message") or self.raw.get("rule") or "").strip()

    def static_message(self) -> str:
        message = str(self.raw.get("message") or "")
        return message.strip() if message else f"failed rule: {self.short}"


@dataclass(slots=True)
class RuleTree:
    """The rules at one place of a schema and below."""

    type: str
    rules: list[Rule] = field(default_factory=list[Rule])
    bind: Bind | None = None
    properties: dict[str, RuleTree] = field(default_factory=dict[str, "RuleTree"])
    values: RuleTree | None = None
    items: RuleTree | None = None
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_map_list: bool = False


def rule_tree(schema: Schema, root: bool = False) -> RuleTree | None:
    """The rules of a schema; None when there are none."""
    if not has_rules(schema):
        return None
    tree = RuleTree(str(schema.get("type") or ""))
    if entries := parts(schema, "x-kubernetes-validations"):
        of = declared(schema, root)
        tree.rules = [compile_rule(entry, of) for entry in entries] if of is not None else []
        tree.bind = binder(whole(schema) if root or schema.get("x-kubernetes-embedded-resource") else schema)
    for name, child in cast("dict[str, Schema]", part(schema, "properties")).items():
        if (below := rule_tree(child)) is not None:
            tree.properties[name] = below
    if isinstance(values := schema.get("additionalProperties"), Mapping):
        tree.values = rule_tree(cast("Schema", values))
    if items := part(schema, "items"):
        tree.items = rule_tree(items)
        tree.is_map_list = schema.get("x-kubernetes-list-type") == "map"
        tree.keys = tuple(parts(schema, "x-kubernetes-list-map-keys"))
        known = part(items, "properties")
        tree.key_defaults = {key: part(known, key)["default"] for key in tree.keys if "default" in part(known, key)}
    return tree


def has_rules(schema: Any) -> bool:
    """Whether there is any rule at or below a schema (outside of allOf and its like, where none may be)."""
    if not isinstance(schema, Mapping):
        return False
    known = cast("Schema", schema)
    if known.get("x-kubernetes-validations"):
        return True
    if has_rules(known.get("items")) or has_rules(known.get("additionalProperties")):
        return True
    return any(has_rules(child) for child in part(known, "properties").values())


def compile_rule(raw: Mapping[str, Any], of: Type) -> Rule:
    rule = Rule(raw)
    old = optional_of(of) if raw.get("optionalOldSelf") else of
    variables = {"self": of, "oldSelf": old}
    try:
        rule.program = compile_typed(str(raw.get("rule") or ""), variables)
        if rule.program.result.name not in ("bool",):
            rule.program, rule.problem = None, "cel expression must evaluate to a bool"
    except CelCompileError as error:
        rule.problem = str(error)
    if str(raw.get("messageExpression") or "").strip():
        _compile_message(rule, variables)
    return rule


def _compile_message(rule: Rule, variables: Mapping[str, Type]) -> None:
    try:
        rule.message = compile_typed(str(rule.raw["messageExpression"]), variables)
        if rule.message.result.name != "string":
            rule.message, rule.message_problem = None, "messageExpression must evaluate to a string"
    except CelCompileError as error:
        rule.message_problem = f"messageExpression {error}"


# -- evaluation

_NOTHING: Any = object()


@dataclass(slots=True)
class Evaluation:
    """One object's run through its rules."""

    errors: list[FieldError] = field(default_factory=list[FieldError])
    warnings: list[str] = field(default_factory=list[str])
    budget: int = OBJECT_COST
    deadline: float = field(default_factory=lambda: time.monotonic() + OBJECT_SECONDS)

    def run(self, tree: RuleTree, value: Any, path: str, old: Any = _NOTHING, unchanged: bool = False) -> None:
        """``old`` is the value of before where it can be told; ``unchanged`` that an enclosing one is the same."""
        if value is None or self.budget < 0:
            return
        same = value == old if old is not _NOTHING else unchanged
        if tree.rules:
            self._rules(tree, value, path, None if old is _NOTHING else old, same)
        if isinstance(value, dict):
            self._fields(tree, cast("dict[str, Any]", value), path, old, same)
        elif isinstance(value, list) and tree.items is not None:
            self._items(tree, cast("list[Any]", value), path, old, same)

    def _fields(self, tree: RuleTree, value: dict[str, Any], path: str, old: Any, same: bool) -> None:
        before = cast("dict[str, Any]", old) if isinstance(old, dict) else {}
        for name, child in tree.properties.items():
            if name in value:
                self.run(child, value[name], f"{path}.{name}" if path else name, before.get(name, _NOTHING), same)
        if tree.values is not None:
            for name, item in value.items():
                if name not in tree.properties:
                    self.run(tree.values, item, f"{path}[{name}]", before.get(name, _NOTHING), same)

    def _items(self, tree: RuleTree, value: list[Any], path: str, old: Any, same: bool) -> None:
        assert tree.items is not None
        known: dict[str, Any] = {}
        if tree.is_map_list and isinstance(old, list):
            known = {_identity(tree, item): item for item in cast("list[Any]", old)}
        for index, item in enumerate(value):
            before = known.get(_identity(tree, item), _NOTHING) if known else _NOTHING
            self.run(tree.items, item, f"{path}[{index}]", before, same)

    # -- one place

    def _rules(self, tree: RuleTree, value: Any, path: str, old: Any, same: bool) -> None:
        try:
            bound = tree.bind(value) if tree.bind is not None else value
            before = tree.bind(old) if tree.bind is not None and old is not None else old
        except CelEvaluationError as error:
            self.errors.append(fe.invalid(path or "<nil>", tree.type, f"{error} evaluating rule: conversion of self"))
            return
        for rule in tree.rules:
            if self.budget < 0:
                return
            failed = self._rule(tree, rule, bound, before, path or "<nil>")
            if failed is not None:
                self._say(_because(rule, path or "<nil>", value, failed), rule, same)

    def _rule(self, tree: RuleTree, rule: Rule, value: Any, old: Any, path: str) -> str | None:
        """The message of a rule that does not hold; what cannot be evaluated goes to the errors."""
        if rule.program is None:
            self.errors.append(fe.invalid(path, tree.type, f"rule compile error: {rule.problem}"))
            return None
        if rule.transition and old is None and not rule.optional_old:
            return None
        bindings = {"self": value, "oldSelf": old}
        if rule.optional_old:
            bindings["oldSelf"] = Optional(old, True) if old is not None else Optional()
        try:
            if self._spend(rule.program, bindings) is True:
                return None
        except CelCostExceeded as error:
            self._stop(fe.invalid(path, tree.type, self._exceeded(error, rule)))
            return None
        except CelEvaluationError as error:
            self.errors.append(fe.invalid(path, tree.type, _failure(error, rule)))
            return None
        return self._message(rule, bindings)

    def _spend(self, program: Program, bindings: Mapping[str, Any]) -> Any:
        allowed = min(_CALL_COST, self.budget)
        left = max(self.deadline - time.monotonic(), 0.001)
        try:
            value, cost = program.measure(bindings, allowed, left)
        except CelCostExceeded:
            raise
        except CelEvaluationError:
            self.budget -= 10
            raise
        self.budget -= cost
        return value

    def _exceeded(self, error: CelCostExceeded, rule: Rule) -> str:
        if self.budget < _CALL_COST or time.monotonic() > self.deadline:
            return OUT_OF_BUDGET
        reason = "no further validation rules will be run due to call cost exceeds limit for rule"
        return f"'{error}': {reason}: {rule.short}"

    def _stop(self, error: FieldError) -> None:
        self.errors.append(error)
        self.budget = -1

    def _message(self, rule: Rule, bindings: Mapping[str, Any]) -> str:
        if rule.message is None:
            return rule.static_message()
        try:
            text = str(self._spend(rule.message, bindings)).strip()
        except CelEvaluationError:
            return rule.static_message()
        usable = text and "\n" not in text and len(text.encode()) <= _MESSAGE_BYTES
        return text if usable else rule.static_message()

    def _say(self, error: FieldError, rule: Rule, same: bool) -> None:
        if same and not rule.transition:
            self.warnings.append(str(error))
        else:
            self.errors.append(error)


def _identity(tree: RuleTree, item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    fields = cast("dict[str, Any]", item)
    return repr([fields.get(key, tree.key_defaults.get(key)) for key in tree.keys])


def _failure(error: CelEvaluationError, rule: Rule) -> str:
    if str(error).startswith("no such overload"):
        what = "call arguments did not match a supported operator, function or macro signature for rule"
        return f"'{error}': {what}: {rule.short}"
    return f"{error} evaluating rule: {rule.short}"


def _because(rule: Rule, path: str, value: Any, message: str) -> FieldError:
    """Kubernetes shows the value of a scalar, and none of an object or list."""
    shown = "" if isinstance(value, (dict, list)) else fe.show(value)
    if below := str(rule.raw.get("fieldPath") or "").strip():
        below = "".join(field_path(below))
        path = below.removeprefix(".") if path == "<nil>" else path + below
    match rule.raw.get("reason"):
        case "FieldValueForbidden":
            return fe.forbidden(path, message)
        case "FieldValueRequired":
            return fe.required(path, message)
        case "FieldValueDuplicate":
            return FieldError("FieldValueDuplicate", "Duplicate value", path, shown)
        case _:
            return FieldError("FieldValueInvalid", "Invalid value", path, shown, message)


def field_path(text: str) -> Iterator[str]:
    """A JSON path (``.spec['a.b'].c``) in the notation of errors (``.spec.a.b.c``)."""
    at = 0
    while at < len(text):
        if text.startswith("['", at):
            end = text.find("']", at)
            yield "." + text[at + 2 : end].replace("\\'", "'").replace("\\\\", "\\")
            at = end + 2
        else:
            end = min((i for i in (text.find(".", at + 1), text.find("[", at + 1)) if i > 0), default=len(text))
            yield text[at:end]
            at = end
