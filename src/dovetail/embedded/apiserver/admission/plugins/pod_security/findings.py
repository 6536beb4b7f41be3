"""Words and walks that the rules share. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ....foreign import part, parts

Object = dict[str, Any]


class Finding(NamedTuple):
    """Why a rule does not allow a pod: in short, and in detail."""

    reason: str
    detail: str


Rule = Callable[[Mapping[str, Any], Object], "Finding | None"]
"""metadata and spec of a pod -> what is wrong with it."""


def containers(spec: Object) -> list[Object]:
    """In the order in which messages name them."""
    return [*parts(spec, "initContainers"), *parts(spec, "containers"), *parts(spec, "ephemeralContainers")]


def context(holder: Object) -> Object:
    """The securityContext of a pod spec or a container."""
    return part(holder, "securityContext")


def plural(singular: str, many: str, count: int) -> str:
    return singular if count == 1 else many


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def named(names: list[str]) -> str:
    """``container "a"``, ``containers "a", "b"``."""
    return f"{plural('container', 'containers', len(names))} {quoted(names)}"


def setters(pod: bool, names: list[str]) -> str:
    """``pod and containers "a", "b"``; "" when nobody set it."""
    return " and ".join([*(["pod"] if pod else []), *([named(names)] if names else [])])


def names_where(spec: Object, bad: Callable[[Object], bool]) -> list[str]:
    return [str(container.get("name", "")) for container in containers(spec) if bad(container)]


def is_windows(spec: Object) -> bool:
    return part(spec, "os").get("name") == "windows"


def in_user_namespace(spec: Object) -> bool:
    """Root of such a pod is nobody outside of it."""
    return spec.get("hostUsers") is False
