"""Field selectors: ``metadata.name=x,status.phase!=Running`` on the fields that a kind supports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..errors import BadRequest

_ALWAYS = ("metadata.name", "metadata.namespace")
_TERM = re.compile(r"(?P<field>[^=!]+?)(?P<operator>==|!=|=)(?P<value>.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """``terms`` are (path, must be equal, value)."""

    terms: tuple[tuple[str, bool, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def matches(self, obj: Mapping[str, Any]) -> bool:
        return all((_lookup(obj, path) == value) is equal for path, equal, value in self.terms)

    def exactly(self, path: str) -> str:
        """The value that ``path`` must have, or "" when the selector does not fix it."""
        return next((value for field, equal, value in self.terms if field == path and equal), "")


EVERYTHING = FieldSelector()


def parse(text: str, supported: Sequence[str], custom: bool = False) -> FieldSelector:
    """Raises BadRequest when the text is none, or names a field that the kind does not offer."""
    if not text:
        return EVERYTHING
    terms: list[tuple[str, bool, str]] = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        found = _TERM.match(part)
        if found is None:
            raise BadRequest(f"invalid selector: '{text}'; can't understand '{part}'")
        field = found["field"]
        if field not in _ALWAYS and field not in supported:
            raise BadRequest(_unknown(field, bool(supported) or custom))
        value = re.sub(r"\\(.)", r"\1", found["value"])
        terms.append((_STORED.get(field, field), found["operator"] != "!=", value))
    return FieldSelector(tuple(terms))


def _unknown(field: str, listed: bool) -> str:
    """Kinds that list their fields say less."""
    if listed:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _lookup(obj: Mapping[str, Any], path: str) -> str:
    if path == "source":
        return str(_found(obj, "source.component") or obj.get("reportingComponent") or "")
    if path == "status.podIPs":
        return str(_found(obj, "status.podIP") or "")
    value = _found(obj, path)
    if value is None:
        return _ABSENT.get(path, "")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _found(obj: Mapping[str, Any], path: str) -> Any:
    value: Any = obj
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(part)
    return value


# What Go's zero value of the field prints as.
_ABSENT = {
    "spec.unschedulable": "false", "spec.hostNetwork": "false", "status.successful": "0", "status.replicas": "0",
    "involvedObject.resourceVersion": "",
}  # fmt: skip
# Names of events.k8s.io for what is stored in the shape of core/v1.
_REFERENCE = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_STORED = {
    **{f"regarding.{name}": f"involvedObject.{name}" for name in _REFERENCE},
    "reportingController": "reportingComponent",
}
