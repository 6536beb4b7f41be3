"""The waits after failures, kept in memory on the monotonic clock."""

import asyncio

from dovetail.apis.dialects.policies import Retry

_DEFAULT = Retry()


class Pauses:
    """When each plan (by uid) may be tried again. In memory only: after a restart everybody may try at once."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def begin(self, uid: str, failures: int, retry: Retry = _DEFAULT) -> float:
        """A pause that doubles with each failure; its length in seconds."""
        seconds = length(failures, retry)
        self._until[uid] = asyncio.get_running_loop().time() + seconds
        return seconds

    def left(self, uid: str) -> float:
        return max(0.0, self._until.get(uid, 0.0) - asyncio.get_running_loop().time())

    def is_over(self, uid: str) -> bool:
        return self.left(uid) <= 0.0

    def forget(self, uid: str) -> None:
        self._until.pop(uid, None)


def length(failures: int, retry: Retry) -> float:
    """Of the pause after this many failures in a row."""
    doublings = min(max(0, failures - 1), 60)  # 2.0 ** 1100 would be an error
    return min(retry.first_pause * 2.0**doublings, max(retry.first_pause, retry.longest_pause))
