"""How far an operation has come, as values: who carries it out reports, who keeps the status writes.

Helm tells which objects it waits for and deletes; `Course` knows from the rendering which hooks come in which order,
and makes percentages of the whole of it. They are shares of what is to be done, not of time: how long a hook takes
nobody knows. A percentage never goes back within a course. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dovetail.helm import Progress
from dovetail.helm.log_lines import APPLYING, DELETING, WAITING
from dovetail.lifecycle.rendered import Rendered, hooks_of


@dataclass(frozen=True)
class Step:
    """`percent` of the whole operation; `object` is what is waited for, such as `Job extension-a/migrate`."""

    percent: int
    what: str
    object: str = ""


Report = Callable[[Step], None]
"""Called on the event loop; cheap, and never raises."""


def quiet(step: Step) -> None:
    """For who is not interested."""


FETCHING: Final = Step(2, "fetching and verifying the package")
NAMESPACE: Final = Step(8, "making the namespace")
ACCOUNT: Final = Step(11, "preparing the account and its rights")
RENDERING: Final = Step(15, "rendering the package")
CHECKING: Final = Step(20, "looking whether every object is free or ours")
DEFINITIONS: Final = Step(24, "bringing the custom resource definitions in line")
INSTALLING: Final = Step(28, "installing")
ROLLING_BACK: Final = Step(10, "bringing the last good revision back")
UNINSTALLING: Final = Step(5, "uninstalling")
TESTING: Final = Step(92, "running the package's tests")
RIGHTS: Final = Step(98, "taking back the rights that only the old version needed")

_FROM: Final = INSTALLING.percent
_TO: Final = 90
_OBJECTS: Final = 3
"""Applying all objects counts as much as so many hooks."""


def named(kind: str, namespace: str, name: str) -> str:
    """As a user would look it up."""
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


class Course:
    """Helm's part of an installation or an upgrade: what it tells, as steps between INSTALLING and TESTING."""

    def __init__(self, objects: Sequence[Rendered], *, upgrade: bool) -> None:
        event = "upgrade" if upgrade else "install"
        self._before = [(one.kind, one.name) for one in hooks_of(objects, f"pre-{event}")]
        self._after = [(one.kind, one.name) for one in hooks_of(objects, f"post-{event}")]
        self._objects = sum(not one.hooks for one in objects)
        self._units = len(self._before) + _OBJECTS + len(self._after)
        self._done = 0

    @property
    def hooks(self) -> int:
        """How many hooks will run."""
        return len(self._before) + len(self._after)

    def step(self, told: Progress) -> Step | None:
        """What to report of it; None for nothing new."""
        if told.step == APPLYING:
            return self._applying(told.count)
        if told.step not in (WAITING, DELETING):
            return None
        where, hook = named(told.kind, told.namespace, told.name), (told.kind, told.name)
        if hook in self._before and self._done <= len(self._before):
            self._reach(self._before.index(hook))
            return self._now(
                "running a hook before the installation" if told.step == WAITING else "preparing a hook", where
            )
        if hook in self._after:
            self._reach(len(self._before) + _OBJECTS + self._after.index(hook))
            return self._now(
                "running a hook after the installation" if told.step == WAITING else "preparing a hook", where
            )
        if told.step == DELETING:
            return self._now("deleting", where)
        self._reach(len(self._before) + _OBJECTS - 1)
        return self._now("waiting for the workload", where)

    def _applying(self, count: int) -> Step | None:
        if count != self._objects or self._done < len(self._before) - 1:
            return None
        self._reach(len(self._before) + 1)
        return self._now(f"applying {count} object{'' if count == 1 else 's'}")

    def _reach(self, unit: int) -> None:
        self._done = max(self._done, unit)

    def _now(self, what: str, where: str = "") -> Step:
        return Step(_FROM + (_TO - _FROM) * self._done // self._units, what, where)


class Sequel:
    """A roll-back or an uninstall: how much there is to do Helm does not say, so the rest is halved again and again."""

    def __init__(self, first: Step) -> None:
        self._percent = first.percent
        self._what = first.what
        self._last = ""

    def step(self, told: Progress) -> Step | None:
        """What to report of it; None for nothing new."""
        if told.step not in (WAITING, DELETING):
            return None
        where = named(told.kind, told.namespace, told.name)
        if where != self._last:
            self._percent += (_TO - self._percent) // 8
            self._last = where
        return Step(self._percent, f"{self._what}: {told.step}", where)


class Tests:
    """The package's tests, one after the other."""

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    def __init__(self, count: int) -> None:
        self._count = count
        self._seen: list[str] = []

    def step(self, told: Progress) -> Step | None:
        """What to report of it; None for nothing new."""
        if told.step != WAITING:
            return None
        where = named(told.kind, told.namespace, told.name)
        if where not in self._seen:
            self._seen.append(where)
        share = min(len(self._seen) - 1, self._count)
        return Step(TESTING.percent + (RIGHTS.percent - TESTING.percent) * share // self._count, "testing", where)


Following = Course | Sequel | Tests
