"""The guard against too much at once: beyond a number of requests under way, the next are told to come back.

Model. Reads are answered within one turn of the loop and cannot pile up; long-running requests (watches) cost nothing
while they wait. What piles up is what waits: writes, for the disk or for an admission webhook. kube-apiserver allows
200 mutating requests and queues several thousand more before it refuses; here waiting is cheap, so there is one number.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from .errors import StatusError

LIMIT = 2000
RETRY_SECONDS = 1


class TooManyRequests(StatusError):
    code, reason = 429, "TooManyRequests"

    def __init__(self) -> None:
        text = "the server has received too many requests and has asked us to try again later"
        super().__init__(text, {"retryAfterSeconds": RETRY_SECONDS})


class Overload:
    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self.under_way = 0

    @contextmanager
    def admitted(self) -> Generator[None]:
        """Raises TooManyRequests."""
        if self.under_way >= self._limit:
            raise TooManyRequests
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
