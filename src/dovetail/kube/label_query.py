"""The text form of a label selector, as queries carry it: parsed, matched, written again.

The grammar is Kubernetes' (apimachinery's labels.Parse): requirements joined by commas, all of which must hold: `a=b`,
`a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, `a>1`, `a<1`. A label that is missing satisfies `!=` and
`notin`. What does not parse is an error: a selector that is ignored would show more than was asked for.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Operator = Literal["in", "notin", "exists", "missing", "above", "below"]

_PREFIX = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:(?P<prefix>{_PREFIX})/)?{_NAME}\Z")
_VALUE = re.compile(rf"(?:{_NAME})?\Z")
_LONGEST_PREFIX: Final = 253
_TERM = re.compile(
    r"\s*(?:(?P<not>!)\s*(?P<missing>[^\s,()=!<>]+)"
    r"|(?P<key>[^\s,()=!<>]+)(?:\s*(?P<sign>==|!=|=|>|<)\s*(?P<value>[^\s,()=!<>]*)"
    r"|\s+(?P<set>in|notin)\s*\((?P<values>[^()=!<>]*)\))?)\s*(?:,|\Z)"
)
_INTEGER = re.compile(r"[0-9]{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels satisfy it."""
        value = labels.get(self.key)
        match self.operator:
            case "in":
                return value in self.values
            case "notin":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "missing":
                return value is None
            case _:
                return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        if not _INTEGER.match(value):
            return False
        (limit,) = self.values
        return int(value) > int(limit) if self.operator == "above" else int(value) < int(limit)

    def __str__(self) -> str:
        values = sorted(self.values)
        match self.operator:
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(values)})"
            case "exists":
                return self.key
            case "missing":
                return f"!{self.key}"
            case "above":
                return f"{self.key}>{values[0]}"
            case "below":
                return f"{self.key}<{values[0]}"


@dataclass(frozen=True, slots=True)
class LabelQuery:
    """All requirements must hold; none at all means everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.holds(labels) for requirement in self.requirements)

    def narrowed(self, key: str, value: str) -> "LabelQuery":
        """This query and, on top of it, `key=value`: what it selects can only become less."""
        return LabelQuery((*self.requirements, Requirement(key, "in", frozenset({value}))))

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def parse_label_query(text: str) -> LabelQuery:
    """Read a selector. Raises ValueError with what is wrong."""
    return LabelQuery(tuple(_requirements(text))) if text.strip() else LabelQuery()


def _requirements(text: str) -> Iterator[Requirement]:
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise ValueError(f"{text[at:]!r} is not a requirement such as a=b, a!=b, a in (b,c), a or !a")
        yield _requirement(found)
        at = found.end()
    if text.rstrip().endswith(","):
        raise ValueError("it ends with a comma")


def _requirement(found: re.Match[str]) -> Requirement:
    if found["not"]:
        return Requirement(_key(found["missing"]), "missing")
    key = _key(found["key"])
    if found["set"]:
        return Requirement(key, "in" if found["set"] == "in" else "notin", _values(found["values"]))
    match found["sign"]:
        case None:
            return Requirement(key, "exists")
        case "=" | "==":
            return Requirement(key, "in", frozenset({_value(found["value"])}))
        case "!=":
            return Requirement(key, "notin", frozenset({_value(found["value"])}))
        case sign:
            if not _INTEGER.match(_value(found["value"])):
                raise ValueError(f"{found['value']!r} is not a whole number")
            return Requirement(key, "above" if sign == ">" else "below", frozenset({found["value"]}))


def _key(text: str) -> str:
    found = _KEY.match(text)
    if found is None or len(found["prefix"] or "") > _LONGEST_PREFIX:
        raise ValueError(f"{text!r} is not the name of a label")
    return text


def _values(text: str) -> frozenset[str]:
    return frozenset(_value(one.strip()) for one in text.split(","))


def _value(text: str) -> str:
    if not _VALUE.match(text):
        raise ValueError(f"{text!r} cannot be the value of a label")
    return text
