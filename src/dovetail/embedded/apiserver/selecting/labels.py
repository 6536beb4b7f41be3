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
from ..foreign import part, parts

_TOKEN = re.compile(r"\s*(==|!=|=|>|<|!|\(|\)|,|[^\s,()=!<>]+)")
_KEY = re.compile(
    r"(?:(?=.{1,253}/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)\Z"
)
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?\Z")


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
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [match.group(1) for match in _TOKEN.finditer(text)]
        self.at = 0

    def fail(self, why: str) -> BadRequest:
        return BadRequest(f"unable to parse requirement: {why}")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirements(self) -> list[Requirement]:
        found = [self.requirement()]
        while self.peek():
            if self.next() != ",":
                raise self.fail(f"found '{self.tokens[self.at - 1]}', expected: ',' or 'end of string'")
            found.append(self.requirement())
        return found

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.next()
            return Requirement(self.key(), "missing")
        key, operator = self.key(), self.peek()
        if operator in ("", ","):
            return Requirement(key, "exists")
        self.next()
        if operator in ("=", "=="):
            return Requirement(key, "in", frozenset({self.value()}))
        if operator == "!=":
            return Requirement(key, "notin", frozenset({self.value()}))
        if operator in ("in", "notin"):
            return Requirement(key, operator, self.values())
        if operator in (">", "<"):
            return self.comparison(key, operator)
        raise self.fail(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def comparison(self, key: str, operator: str) -> Requirement:
        value = self.value()
        if not value.lstrip("-").isdigit():
            raise self.fail(
                f"values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer"
            )
        return Requirement(key, "gt" if operator == ">" else "lt", frozenset({value}))

    def key(self) -> str:
        token = self.next()
        if not token or not _KEY.match(token):
            shown = token or "<nil>"
            raise self.fail(
                f"<nil>: Invalid value: \"{shown}\": name part must consist of alphanumeric characters, '-', '_' or '.'"
            )
        return token

    def value(self) -> str:
        if self.peek() in ("", ","):
            return ""
        token = self.next()
        if not _VALUE.match(token):
            raise self.fail(
                f'values[0][{token}]: Invalid value: "{token}": a valid label must be an empty string or '
                "consist of alphanumeric characters, '-', '_' or '.'"
            )
        return token

    def values(self) -> frozenset[str]:
        if self.next() != "(":
            raise self.fail("found the end, expected: '('")
        found: set[str] = set()
        while True:
            token = self.peek()
            found.add("" if token in (",", ")") else self.value())
            separator = self.next()
            if separator == ")":
                return frozenset(found)
            if separator != ",":
                raise self.fail(f"found '{separator}', expected: ',' or ')'")
