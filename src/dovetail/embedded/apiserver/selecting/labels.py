"""Label selectors: the text form of query strings and the object form of specs.

``parse`` accepts all operators of Kubernetes: ``a=b``, ``a==b``, ``a!=b``, ``a in (b,c)``, ``a notin (b,c)``, ``a``,
``!a``, ``a>1``, ``a<1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadRequest
from ..fielderrors import show
from ..foreign import part, parts
from ..objects import names

_TOKEN = re.compile(r"\s*(==|!=|=|>|<|!|\(|\)|,|[^\s,()=!<>]+)")
_OPERATORS = {"=": "in", "==": "in", "!=": "notin", "in": "in", "notin": "notin", ">": "gt", "<": "lt"}
_SPECIAL = frozenset(("=", "==", "!=", ">", "<", "!", "(", ")", ",", ""))


@dataclass(frozen=True, slots=True)
class Requirement:
    """``operator``: in, notin, exists, missing, gt, lt. A missing label satisfies notin, as in Kubernetes."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        if self.operator == "exists":
            return present
        if self.operator == "missing":
            return not present
        if self.operator == "notin":
            return not present or labels[self.key] not in self.values
        if not present:
            return False
        if self.operator == "in":
            return labels[self.key] in self.values
        return self._compares(labels[self.key])

    def _compares(self, text: str) -> bool:
        try:
            number, limit = int(text), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > limit if self.operator == "gt" else number < limit


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none means everything."""

    requirements: tuple[Requirement, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.requirements)

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


EVERYTHING = LabelSelector()


def parse(text: str) -> LabelSelector:
    """Raises BadRequest with the reason."""
    if not text.strip():
        return EVERYTHING
    return LabelSelector(tuple(_Parser(text).requirements()))


def from_object(selector: Mapping[str, Any] | None) -> LabelSelector:
    """A ``metav1.LabelSelector`` (matchLabels, matchExpressions)."""
    if not selector:
        return EVERYTHING
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "missing"}
    requirements = [Requirement(k, "in", frozenset({v})) for k, v in part(selector, "matchLabels").items()]
    for item in parts(selector, "matchExpressions"):
        operator = operators.get(str(item.get("operator")))
        if operator is None:
            raise BadRequest(f'"{item.get("operator")}" is not a valid label selector operator')
        requirements.append(Requirement(item["key"], operator, frozenset(parts(item, "values"))))
    return LabelSelector(tuple(requirements))


class _Parser:
    """Kubernetes' grammar (apimachinery ``labels/selector.go``) and its sentences for what does not fit."""

    def __init__(self, text: str) -> None:
        self.tokens = [match.group(1) for match in _TOKEN.finditer(text)]
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while True:
            if self.peek() in _SPECIAL and self.peek() != "!":
                raise BadRequest(f"found '{self.peek()}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self.requirement())
            except _Unfit as error:
                raise BadRequest(f"unable to parse requirement: {error}") from error
            separator = self.next()
            if not separator:
                return found
            if separator != ",":
                raise BadRequest(f"found '{separator}', expected: ',' or 'end of string'")
            if self.peek() in _SPECIAL and self.peek() != "!":
                raise BadRequest(f"found '{self.peek()}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.next()
            return Requirement(self.key(), "missing")
        key = self.key()
        if self.peek() in ("", ","):
            return Requirement(key, "exists")
        token = self.next()
        operator = _OPERATORS.get(token)
        if operator is None:
            raise _Unfit(f"found '{token}', expected: in, notin, =, ==, !=, gt, lt")
        values = self.values() if token in ("in", "notin") else [self.value()]
        self.check(key, operator, values)
        return Requirement(key, operator, frozenset(values))

    def check(self, key: str, operator: str, values: list[str]) -> None:
        for index, value in enumerate(sorted(values)):
            if operator in ("gt", "lt") and not value.lstrip("-").isdigit():
                text = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _Unfit(f"values[{index}]: Invalid value: {show(value)}: {text}")
            if problems := names.label_value(value):
                raise _Unfit(f"values[{index}][{key}]: Invalid value: {show(value)}: {'; '.join(problems)}")

    def key(self) -> str:
        token = self.next()
        if token in _SPECIAL:
            raise _Unfit(f"found '{token}', expected: identifier")
        if problems := names.qualified(token):
            raise _Unfit(f"<nil>: Invalid value: {show(token)}: {'; '.join(problems)}")
        return token

    def value(self) -> str:
        if self.peek() in ("", ","):
            return ""
        token = self.next()
        if token in _SPECIAL:
            raise _Unfit(f"found '{token}', expected: identifier")
        return token

    def values(self) -> list[str]:
        token = self.next()
        if token != "(":
            raise _Unfit(f"found '{token}' expected: '('")
        if self.peek() == ")":
            self.next()
            return [""]
        if self.peek() in _SPECIAL and self.peek() != ",":
            raise _Unfit(f"found '{self.peek()}', expected: ',', ')' or identifier")
        found: list[str] = []
        while True:
            token = self.peek()
            if token in _SPECIAL and token not in (",", ")"):
                raise _Unfit(f"found '{token}', expected: identifier")
            found.append("" if token in (",", ")") else self.next())
            separator = self.next()
            if separator == ")":
                return list(dict.fromkeys(found))
            if separator != ",":
                raise _Unfit(f"found '{separator}', expected: ',' or ')'")


class _Unfit(ValueError):
    """A requirement that is none; the text says why."""
