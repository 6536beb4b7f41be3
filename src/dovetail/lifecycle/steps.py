"""How far an operation has come, as values: who carries it out reports, who keeps the status writes."""

from collections.abc import Callable
from dataclasses import dataclass


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
