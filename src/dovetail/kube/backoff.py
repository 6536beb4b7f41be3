"""How long to wait after failures: exponential, capped, with jitter so that clients do not come back in step.

Pure but for the random source, which is injectable.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Seconds: the first wait, the factor for each further one, the longest; `jitter` adds up to this fraction."""

    initial: float = 0.1
    factor: float = 2.0
    maximum: float = 15.0
    jitter: float = 0.5

    def delay(self, failures: int) -> float:
        """The wait after this many failures in a row (at least 1), without jitter."""
        exponent = min(max(failures, 1) - 1, 64)  # more would overflow long after the maximum is reached
        return min(self.maximum, self.initial * self.factor**exponent)


class Backoff:
    """Counts failures in a row."""

    def __init__(self, policy: BackoffPolicy = BackoffPolicy(), chance: Callable[[], float] = random.random) -> None:
        self._policy, self._chance = policy, chance
        self.failures = 0

    def next(self) -> float:
        """Count one more failure; how long to wait, in seconds."""
        self.failures += 1
        return self._policy.delay(self.failures) * (1.0 + self._policy.jitter * self._chance())

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
