"""A circuit breaker as a state machine: one address of a backend, what has been seen of it, and whether to send there.

    closed --too many failures--> open --ejection time over--> half-open --the probe is answered--> closed
                                    ^------------------------------'  the probe fails

Closed: requests pass and are counted. Open: none passes. Half-open: one passes, the probe, and what becomes of it
decides; a probe that nobody hears of again gives its place up after the ejection time. Each ejection in a row lasts
longer than the one before. Answers to requests that were sent before a change of state do not count after it.

A failure is a connection that could not be made or broke, an answer that did not come in time, and an answer 500, 502,
503 or 504 (`is_failure`). Pure: `step` takes a state, an event and the time, and gives the next state.
"""

from typing import Final, Literal, NamedTuple

from dovetail.routing.traffic import Breaker

State = Literal["closed", "open", "half-open"]
Event = Literal["sent", "good", "bad", "gone"]
"""A request was sent; it had a good answer; it failed; nobody waits for it any more."""

LONGEST_EJECTION: Final = 10
"""Times the ejection time, for an address that fails again and again."""
_FAILURES: Final = frozenset((500, 502, 503, 504))


class Circuit(NamedTuple):
    """What is known of an address.

    `good` and `bad` count the half of the interval that began at `since`, `before` holds both for the half before it.
    """

    state: State = "closed"
    failures: int = 0
    """In a row."""
    good: int = 0
    bad: int = 0
    before: tuple[int, int] = (0, 0)
    since: float = 0.0
    until: float = 0.0
    """Open: when it may be probed. Half-open: when the probe's place may be given to another one."""
    ejections: int = 0
    """In a row."""
    reason: str = ""
    """Why it was opened last."""


CLOSED: Final = Circuit()


def is_failure(status: int) -> bool:
    """Whether an answer counts against the address."""
    return status in _FAILURES


def permits(circuit: Circuit, now: float) -> bool:
    """Whether a request may be sent there."""
    return circuit.state == "closed" or now >= circuit.until


def step(rule: Breaker, circuit: Circuit, event: Event, now: float, *, probe: bool = False) -> Circuit:
    """The state after an event. `probe`: the event is about a request for whose `sent` the circuit was not closed."""
    if circuit.state == "closed":
        return circuit if event in ("sent", "gone") or probe else _counted(rule, circuit, event == "good", now)
    if event == "sent":
        return circuit._replace(state="half-open", until=now + rule.ejection_time)
    if circuit.state == "open" or not probe:
        return circuit
    if event == "good":
        return Circuit(since=now, ejections=circuit.ejections)
    if event == "bad":
        return _opened(rule, circuit, now, "the request that tried it again failed")
    return circuit._replace(state="open", until=now)


def _counted(rule: Breaker, circuit: Circuit, good: bool, now: float) -> Circuit:
    circuit = _turned(rule, circuit, now)
    if good:
        return circuit._replace(failures=0, good=circuit.good + 1)
    circuit = circuit._replace(failures=circuit.failures + 1, bad=circuit.bad + 1)
    if rule.consecutive_failures is not None and circuit.failures >= rule.consecutive_failures:
        return _opened(rule, circuit, now, f"{circuit.failures} failures in a row")
    bad, total = circuit.bad + circuit.before[1], circuit.good + circuit.bad + sum(circuit.before)
    if rule.error_percent is not None and total >= rule.minimum_requests and bad * 100 >= rule.error_percent * total:
        return _opened(rule, circuit, now, f"{bad} of {total} requests failed")
    return circuit


def _turned(rule: Breaker, circuit: Circuit, now: float) -> Circuit:
    """The counts of the interval that ends now. An interval without an ejection forgets the ones before."""
    half = rule.interval / 2
    if now - circuit.since < half:
        return circuit
    fresh = now - circuit.since >= rule.interval
    return circuit._replace(
        good=0, bad=0, before=(0, 0) if fresh else (circuit.good, circuit.bad), since=now,
        ejections=0 if fresh or circuit.before != (0, 0) else circuit.ejections,
    )  # fmt: skip


def _opened(rule: Breaker, circuit: Circuit, now: float, reason: str) -> Circuit:
    ejections = circuit.ejections + 1
    until = now + rule.ejection_time * min(ejections, LONGEST_EJECTION)
    return Circuit(state="open", until=until, ejections=ejections, reason=reason)
