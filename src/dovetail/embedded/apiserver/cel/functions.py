"""The table of functions: name -> overloads, filled by the ``library_*`` modules with ``define``.

A signature is written as ``string.charAt(int): string``, ``sets.contains(list<T>, list<T>): bool`` (a qualified
name: its first part is no type) or ``size(string): int``. ``T``, ``K`` and ``V`` are type variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .types import Type
from .values import type_name

Implementation = Callable[..., Any]
_SIGNATURE = re.compile(
    r"(?:(?P<receiver>[\w.]+(?:<.*?>+)?)\.)?(?P<name>\w+|@in|[-!_<>=+*/%?\[\]]+)\((?P<params>.*)\): (?P<result>.+)"
)
_NAMESPACES = frozenset(("sets", "optional", "ip", "format", "strings"))
_ALIASES = {"Quantity": "kubernetes.Quantity", "URL": "kubernetes.URL", "IP": "net.IP", "CIDR": "net.CIDR",
            "Semver": "kubernetes.Semver", "Format": "kubernetes.NamedFormat", "Image": "kubernetes.Image"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Overload:
    """One form of a function. ``params`` begin with the receiver of a method."""

    params: tuple[Type, ...]
    result: Type
    method: bool
    call: Implementation

    def takes(self, values: tuple[Any, ...]) -> bool:
        """Whether these values may be passed."""
        return all(_is(param, value) for param, value in zip(self.params, values, strict=True))


def _is(wanted: Type, value: Any) -> bool:
    name = wanted.name
    return name[0] == "?" or name == "dyn" or name == type_name(value)


OVERLOADS: dict[str, list[Overload]] = {}


def define(*signatures: str) -> Callable[[Implementation], Implementation]:
    """Register a Python function under one or more signatures."""

    def register(call: Implementation) -> Implementation:
        for signature in signatures:
            name, overload = _parse(signature, call)
            OVERLOADS.setdefault(name, []).append(overload)
        return call

    return register


def unary(*signatures: str) -> Callable[[Callable[[Any], Any]], Any]:
    """``define`` for a function of one argument, so that the type of a lambda is known."""
    return define(*signatures)


def binary(*signatures: str) -> Callable[[Callable[[Any, Any], Any]], Any]:
    """``define`` for a function of two arguments."""
    return define(*signatures)


def _parse(signature: str, call: Implementation) -> tuple[str, Overload]:
    match = _SIGNATURE.fullmatch(signature)
    assert match is not None, signature
    params = tuple(map(_type, _split(match["params"])))
    receiver, name = match["receiver"], match["name"]
    if receiver in _NAMESPACES:
        return f"{receiver}.{name}", Overload(params, _type(match["result"]), False, call)
    if receiver:
        return name, Overload((_type(receiver), *params), _type(match["result"]), True, call)
    return name, Overload(params, _type(match["result"]), False, call)


def _split(text: str) -> list[str]:
    parts: list[str] = []
    depth = 0
    for piece in filter(None, (part.strip() for part in text.split(","))):
        if depth:
            parts[-1] += f", {piece}"
        else:
            parts.append(piece)
        depth += piece.count("<") - piece.count(">")
    return parts


def _type(text: str) -> Type:
    name, _, inner = text.strip().partition("<")
    if name in ("T", "K", "V"):
        return Type("?" + name)
    return Type(_ALIASES.get(name, name), tuple(map(_type, _split(inner.rpartition(">")[0]))))
