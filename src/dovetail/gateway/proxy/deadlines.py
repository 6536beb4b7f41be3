"""How long a client may take, decided from where its connection stands. Pure.

Five things have a limit: an answer that lies unread, the end of a connection, the head of a request, the rest between
two requests, and the pace of a body. Whatever a client does to look busy in one of them does not help it in another:
each is measured from a moment that only progress in that very thing moves.
"""

from enum import Enum, auto
from typing import Protocol

from dovetail.gateway.proxy.settings import Limits


class Standing(Protocol):
    """Where a connection stands; times in the loop's seconds."""

    full_since: float | None
    """The client leaves more unread than is held for it."""
    closing_at: float | None
    """The last answer has been written."""
    answered_at: float
    """The last exchange was over."""
    last: float
    """Something came from the client, or an exchange was over."""
    served: bool

    @property
    def head_since(self) -> float | None: ...
    @property
    def unsent(self) -> int: ...
    @property
    def serving(self) -> bool: ...
    @property
    def tunnel_rest(self) -> float | None: ...


class Verdict(Enum):
    """What becomes of a connection."""

    STAYS = auto()
    CUT = auto()
    CLOSED = auto()
    HEAD_LATE = auto()
    EXCHANGE = auto()
    """Its exchange has limits of its own."""


def judge(standing: Standing, now: float, limits: Limits) -> Verdict:
    """Look at a connection."""
    if standing.full_since is not None:
        rest = standing.tunnel_rest
        most = limits.write_timeout if rest is None else rest
        return Verdict.CUT if now - standing.full_since > most else Verdict.STAYS
    if standing.closing_at is not None:
        over = _closing_is_over(standing, now - standing.closing_at, now, limits)
        return Verdict.CUT if over else Verdict.STAYS
    if standing.serving:
        return Verdict.EXCHANGE
    return _at_rest(standing, now, limits)


def _closing_is_over(standing: Standing, since: float, now: float, limits: Limits) -> bool:
    if standing.unsent:
        return since > limits.write_timeout
    return now - standing.last > limits.linger or since > limits.longest_linger


def _at_rest(standing: Standing, now: float, limits: Limits) -> Verdict:
    if standing.unsent and now - standing.answered_at > limits.write_timeout:
        return Verdict.CUT
    if standing.head_since is not None:
        return Verdict.HEAD_LATE if now - standing.head_since > limits.head_timeout else Verdict.STAYS
    if standing.unsent:
        return Verdict.STAYS
    most = limits.keep_alive if standing.served else limits.head_timeout
    return Verdict.CLOSED if now - standing.last > most else Verdict.STAYS


class BodyPace:
    """Whether a request's body comes at a decent pace: so many bytes in each `body_timeout`.

    Silence alone would not do: a byte a minute keeps a connection, and the backend's, for ever. Time during which the
    gateway itself does not read does not count.
    """

    __slots__ = ("_before", "_since", "of")

    def __init__(self, of: object, now: float) -> None:
        self.of = of
        self._since = now
        self._before = 0

    def too_slow(self, received: int, now: float, limits: Limits, *, held_back: bool) -> bool:
        """Look at the body again. `received` counts its bytes so far."""
        if held_back:
            self._since, self._before = now, received
            return False
        waited = now - self._since
        if waited <= limits.body_timeout:
            return False
        if received - self._before < limits.body_rate * waited:
            return True
        self._since, self._before = now, received
        return False
