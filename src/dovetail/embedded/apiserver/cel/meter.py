"""The meter that bounds what an evaluation may do, and the shape of what is evaluated.

A closure takes the environment, a dict of variables whose ``METER`` entry counts the cost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .errors import CelCostExceeded

METER = "@meter"
_CHECK_EVERY = 2_000
Env = dict[str, Any]
Run = Callable[[Env], Any]


class Meter:
    """What is left of the allowed cost and time."""

    __slots__ = ("_deadline", "_next_look", "left")

    def __init__(self, cost: int, seconds: float) -> None:
        self.left = cost
        self._deadline = time.monotonic() + seconds
        self._next_look = cost - _CHECK_EVERY

    def pay(self, cost: int) -> None:
        self.left -= cost
        if self.left < self._next_look:
            self._next_look = self.left - _CHECK_EVERY
            if self.left < 0 or time.monotonic() > self._deadline:
                raise CelCostExceeded
