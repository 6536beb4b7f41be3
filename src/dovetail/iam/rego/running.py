"""What a compiled module does: getters and steps over a frame, with every piece of work paid from a budget.

A frame is a list with one slot for each variable of a definition. A getter gives the value of a term, or UNDEFINED. A
step is one literal of a body: it yields once for each way in which it holds, with its variables set in the frame; the
next step runs inside that. So a body is a nest of loops, and backtracking is leaving a loop.

The budget counts steps, elements and characters. Values may share parts, so that a small module could build a value
that takes for ever to compare; therefore a collection costs the size of all that is in it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

from dovetail.iam.rego.builtins import FUNCTIONS, call
from dovetail.iam.rego.values import FALSE, UNDEFINED, Obj, RegoError, RegoLimit

BUDGET: Final = 10_000
_DEEPEST: Final = 30

Frame = list[Any]


class State:
    """One evaluation: the input, what rules came to, and what is left of the budget."""

    def __init__(self, rules: "dict[str, Rule]", given: Any, budget: int = BUDGET) -> None:
        self.given = given
        self._rules = rules
        self._values: dict[str, Any] = {}
        self._left = budget
        self._depth = 0
        self._sizes: dict[int, tuple[Any, int]] = {}

    @property
    def left(self) -> int:
        """What is left of the budget; below 0 once there was not enough."""
        return self._left

    def spend(self, amount: int = 1) -> None:
        """Raises RegoLimit."""
        self._left -= amount
        if self._left < 0:
            raise RegoLimit("the evaluation takes too many steps")

    def rule(self, name: str) -> Any:
        """The value of a rule, found out once."""
        if name not in self._values:
            self.enter()
            self._values[name] = self._rules[name].value(self)
            self._depth -= 1
        return self._values[name]

    def function(self, name: str, args: tuple[Any, ...]) -> Any:
        """The value of a function of the module."""
        self.enter()
        value = self._rules[name].applied(self, args)
        self._depth -= 1
        return value

    def builtin(self, name: str, args: tuple[Any, ...]) -> Any:
        """The value of a built-in function."""
        self.spend(sum(map(self.size, args)))
        return self.made(call(name, args))

    def enter(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise RegoLimit("rules lead to rules too deeply")

    def made(self, value: Any) -> Any:
        """A value that was just made, paid for."""
        self.spend(self.size(value))
        return value

    def size(self, value: Any) -> int:
        if isinstance(value, str):
            return 1 + len(value) // 64
        if not isinstance(value, tuple | frozenset | Obj):
            return 1
        held = cast("Any", value)
        known = self._sizes.get(id(held))
        if known is None:
            inner = (*held.keys(), *held.values()) if isinstance(held, Obj) else held
            known = self._sizes[id(held)] = (held, 1 + sum(map(self.size, inner)))
        return known[1]


Get = Callable[[State, Frame], Any]
Step = Callable[[State, Frame], Iterator[None]]


class Body:
    """The steps of a body in the order in which they can be done."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)

    def solutions(self, state: State, frame: Frame, at: int = 0) -> Iterator[None]:
        """Once for each way in which all steps hold."""
        if at == len(self._steps):
            yield
            return
        state.spend()
        for _ in self._steps[at](state, frame):
            yield from self.solutions(state, frame, at + 1)

    def holds(self, state: State, frame: Frame) -> bool:
        return any(True for _ in self.solutions(state, frame))


class Definition:
    """One clause: a frame's size, patterns of arguments, a body, what it gives."""

    def __init__(self, slots: int, args: Sequence["Match"], body: Body, key: Get | None, value: Get) -> None:
        self._slots = slots
        self._args = tuple(args)
        self._body = body
        self._key = key
        self._value = value

    def results(self, state: State, args: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any]]:
        """(key or None, value) for each way in which the body holds."""
        frame: Frame = [UNDEFINED] * self._slots
        if not all(match(state, frame, arg) for match, arg in zip(self._args, args, strict=True)):
            return
        for _ in self._body.solutions(state, frame):
            key = self._key(state, frame) if self._key is not None else None
            value = self._value(state, frame)
            if key is not UNDEFINED and value is not UNDEFINED:
                yield key, value


Match = Callable[[State, Frame, Any], bool]


class Rule:
    """All definitions of one name."""

    def __init__(self, name: str, kind: str, definitions: Sequence[Definition], default: Get | None) -> None:
        self._name = name
        self._kind = kind
        self._definitions = tuple(definitions)
        self._default = default

    def value(self, state: State) -> Any:
        """What it comes to. Raises RegoError when its definitions contradict each other."""
        if self._kind == "complete":
            return self.applied(state, ())
        found = [result for one in self._definitions for result in one.results(state)]
        if self._kind == "set":
            return state.made(frozenset(value for _, value in found))
        made = Obj()
        for key, value in found:
            if made.setdefault(key, value) != value:
                raise RegoError(f"{self._name} has two values for one key")
        return state.made(made)

    def applied(self, state: State, args: tuple[Any, ...]) -> Any:
        """The value for arguments."""
        found: Any = UNDEFINED
        for definition in self._definitions:
            for _, value in definition.results(state, args):
                if found is not UNDEFINED and found != value:
                    raise RegoError(f"{self._name} has two values")
                found = value
        if found is UNDEFINED and self._default is not None:
            return self._default(state, [])
        return found


def step_into(value: Any, key: Any) -> Any:
    """What a value has under a key, or UNDEFINED."""
    if isinstance(value, Obj):
        return value.get(key, UNDEFINED)
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        return items[key] if isinstance(key, int) and 0 <= key < len(items) else UNDEFINED
    if isinstance(value, frozenset):
        return key if key in value else UNDEFINED
    return UNDEFINED


def entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """Keys and values of a collection: an element of a set is its own key."""
    if isinstance(value, Obj):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from enumerate(cast("tuple[Any, ...]", value))
    elif isinstance(value, frozenset):
        for one in cast("frozenset[Any]", value):
            yield one, one


def check(get: Get) -> Step:
    """Holds once when the value is something other than false."""

    def step(state: State, frame: Frame) -> Iterator[None]:
        value = get(state, frame)
        if value is not UNDEFINED and value is not FALSE:
            yield

    return step


def bind(match: Match, get: Get) -> Step:
    """Holds once when the value fits the pattern."""

    def step(state: State, frame: Frame) -> Iterator[None]:
        value = get(state, frame)
        if value is not UNDEFINED and match(state, frame, value):
            yield

    return step


def enumerate_(get: Get, key: Match, rest: Match) -> Step:
    """Holds for each entry of a collection whose key and value fit."""

    def step(state: State, frame: Frame) -> Iterator[None]:
        for at, value in entries(get(state, frame)):
            state.spend()
            if key(state, frame, at) and rest(state, frame, value):
                yield

    return step


def negation(body: Body) -> Step:
    def step(state: State, frame: Frame) -> Iterator[None]:
        if not body.holds(state, frame):
            yield

    return step


def every(get: Get, key: Match, value: Match, body: Body) -> Step:
    def step(state: State, frame: Frame) -> Iterator[None]:
        domain = get(state, frame)
        if domain is UNDEFINED:
            return
        for at, one in entries(domain):
            state.spend()
            if not (key(state, frame, at) and value(state, frame, one) and body.holds(state, frame)):
                return
        yield

    return step


def comprehension(kind: str, key: Get | None, value: Get, body: Body) -> Get:
    def get(state: State, frame: Frame) -> Any:
        found: list[tuple[Any, Any]] = []
        for _ in body.solutions(state, frame):
            at, one = key(state, frame) if key is not None else None, value(state, frame)
            if at is not UNDEFINED and one is not UNDEFINED:
                found.append((at, one))
        if kind == "object":
            made = Obj()
            for at, one in found:
                if made.setdefault(at, one) != one:
                    raise RegoError("an object comprehension has two values for one key")
            return state.made(made)
        values = (one for _, one in found)
        return state.made(tuple(values) if kind == "array" else frozenset(values))

    return get


def arity(name: str) -> int:
    return FUNCTIONS[name][0]
