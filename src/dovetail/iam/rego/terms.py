"""What the terms of a module are turned into: a getter gives a value, a matcher takes one apart."""

from collections.abc import Sequence
from typing import Any, cast

from dovetail.iam.rego.running import Frame, Get, Match, State, step_into
from dovetail.iam.rego.values import UNDEFINED, Obj


def constant(value: Any) -> Get:
    return lambda _, __: value


def anything(state: State, frame: Frame, value: Any) -> bool:
    return True


def into(slot: int) -> Match:
    def match(state: State, frame: Frame, value: Any) -> bool:
        frame[slot] = value
        return True

    return match


def equal_to(get: Get) -> Match:
    def match(state: State, frame: Frame, value: Any) -> bool:
        state.spend(state.size(value))
        return bool(get(state, frame) == value)

    return match


def array_of(items: Sequence[Match]) -> Match:
    def match(state: State, frame: Frame, value: Any) -> bool:
        if not isinstance(value, tuple):
            return False
        inside = cast("tuple[Any, ...]", value)
        return len(inside) == len(items) and all(map(lambda one, inner: one(state, frame, inner), items, inside))

    return match


def object_like(keys: Sequence[Get], values: Sequence[Match]) -> Match:
    def match(state: State, frame: Frame, value: Any) -> bool:
        if not isinstance(value, Obj) or len(value) != len(keys):
            return False
        found = [value.get(key(state, frame), UNDEFINED) for key in keys]
        return all(
            inner is not UNDEFINED and one(state, frame, inner) for one, inner in zip(values, found, strict=True)
        )

    return match


def looked_up(base: Get, steps: Sequence[Get]) -> Get:
    def get(state: State, frame: Frame) -> object:
        value = base(state, frame)
        for step in steps:
            value = step_into(value, step(state, frame))
        return value

    return get


def collection_of(kind: str, items: Sequence[Get]) -> Get:
    def get(state: State, frame: Frame) -> object:
        values = [item(state, frame) for item in items]
        if UNDEFINED in values:
            return UNDEFINED
        return state.made(tuple(values) if kind == "array" else frozenset(values))

    return get


def object_of(items: Sequence[tuple[Get, Get]]) -> Get:
    def get(state: State, frame: Frame) -> object:
        made = Obj({key(state, frame): value(state, frame) for key, value in items})
        if UNDEFINED in made or UNDEFINED in made.values():
            return UNDEFINED
        return state.made(made)

    return get


def applied(name: str, args: Sequence[Get]) -> Get:
    def get(state: State, frame: Frame) -> object:
        values = tuple(arg(state, frame) for arg in args)
        return UNDEFINED if UNDEFINED in values else state.function(name, values)

    return get


def builtin(name: str, args: Sequence[Get]) -> Get:
    def get(state: State, frame: Frame) -> object:
        values = tuple(arg(state, frame) for arg in args)
        return UNDEFINED if any(value is UNDEFINED for value in values) else state.builtin(name, values)

    return get
