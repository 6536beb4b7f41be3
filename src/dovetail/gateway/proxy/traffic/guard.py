"""What a worker knows of one backend: how much is under way, and the circuit of each of its addresses.

A guard belongs to the object whose rules it keeps and outlives a change of the backend's addresses, so that scaling
a Deployment does not make the gateway forget which pod fails. It counts what this worker sends: limits of a breaker
are per worker, and each worker finds out by itself that an address fails, as each Envoy does.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Mapping
from typing import Final

from dovetail.gateway.proxy.pool import DialFailed
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.traffic.circuit import CLOSED, Circuit, Event, permits, step
from dovetail.gateway.proxy.traffic.retrying import Load
from dovetail.routing.model import Address, Upstream
from dovetail.routing.traffic import Breaker

Target = Address | str
"""An address, or the path of a Unix socket."""
_NO_BREAKER: Final = Breaker(name="")
_FORGET: Final = 2

_log = logging.getLogger(__name__)


class Refused(DialFailed):
    """The breaker does not let a request through. `limit` is the directive that says so."""

    def __init__(self, limit: str, why: str, retry_after: float = 1.0) -> None:
        super().__init__(f"circuit breaker ({limit}): {why}")
        self.limit = limit
        self.retry_after = retry_after

    def refusal(self, route: str) -> Refusal:
        """The answer to the client."""
        seconds = max(round(self.retry_after + 0.5), 1)
        text = f"the backend of {route} is spared by its {self}"
        return Refusal(503, text, headers=(f"Retry-After: {seconds}",), quiet=True)


class Guard:
    """See the module. `name` is for metrics."""

    def __init__(self, name: str, rule: Breaker | None) -> None:
        self.name = name
        self.rule = rule or _NO_BREAKER
        self.requests = self.retries = self.connections = 0
        self.waiting: deque[tuple[object, asyncio.Future[object]]] = deque()
        """Who waits for a connection: its `Lanes`, and what tells it."""
        self.refused: Counter[str] = Counter()
        self.retried = self.ejected = 0
        self._circuits: dict[Target, Circuit] = {}

    def load(self) -> Load:
        """For the budget of retries."""
        return Load(self.requests, self.retries, self.rule.max_retries)

    def admit(self) -> None:
        """Count a request that begins. Raises Refused when there are too many."""
        most = self.rule.max_requests
        if most is not None and self.requests >= most:
            raise self.refuse("maxRequests", f"{most} requests are under way")
        self.requests += 1

    def refuse(self, limit: str, why: str, retry_after: float = 1.0) -> Refused:
        """Count a refusal, and name it."""
        self.refused[limit] += 1
        return Refused(limit, why, retry_after)

    def permits(self, target: Target, now: float) -> bool:
        """Whether a request may go to this address."""
        circuit = self._circuits.get(target)
        return circuit is None or permits(circuit, now)

    def sent(self, target: Target, now: float) -> bool:
        """Note that a request goes to this address. Whether it is a probe, to be said when its outcome is told."""
        circuit = self._circuits.get(target)
        if circuit is None or circuit.state == "closed":
            return False
        self._circuits[target] = step(self.rule, circuit, "sent", now)
        return True

    def told(self, target: Target, event: Event, now: float, *, probe: bool) -> None:
        """The outcome of a request that was sent to this address."""
        if self.rule is _NO_BREAKER:
            return
        before = self._circuits.get(target, CLOSED)
        if event == "good" and before is CLOSED and self.rule.error_percent is None:
            return
        after = step(self.rule, before, event, now, probe=probe)
        self._circuits[target] = after
        if after.state != before.state and event != "gone":  # a probe that nobody waits for has found out nothing
            self._changed(target, after, now)

    def _changed(self, target: Target, circuit: Circuit, now: float) -> None:
        """Tell of it once; what an open circuit refuses is counted."""
        fields: dict[str, object] = {"backend": self.name, "address": describe(target)}
        if circuit.state == "open":
            self.ejected += 1
            fields |= {"seconds": round(circuit.until - now, 1), "reason": circuit.reason}
            _log.warning("a circuit is open", extra={"fields": fields})
        else:
            _log.info("a circuit is closed again", extra={"fields": fields})

    def closed_for(self, targets: tuple[Target, ...], now: float) -> Refused:
        """The refusal when none of these addresses may be used."""
        soonest = min((self._circuits.get(target, CLOSED) for target in targets), key=lambda each: each.until)
        return self.refuse("open", soonest.reason or "all addresses fail", max(soonest.until - now, 0.0))

    def keep_only(self, targets: set[Target]) -> None:
        """Forget addresses that are gone, once there are many of them."""
        if len(self._circuits) > _FORGET * len(targets):
            self._circuits = {target: known for target, known in self._circuits.items() if target in targets}

    def circuits(self) -> dict[str, str]:
        """The state of each address that has failed."""
        return {describe(target): circuit.state for target, circuit in self._circuits.items()}

    def release(self) -> None:
        """A connection has ended: whoever waits first may make a new one."""
        self.connections -= 1
        self.wake()

    def wake(self) -> None:
        """Let whoever waits first look again."""
        while self.waiting:
            _, future = self.waiting.popleft()
            if not future.done():
                future.set_result(None)
                return


def describe(target: Target) -> str:
    """An address as text."""
    return target if isinstance(target, str) else f"{target.host}:{target.port}"


class Guards:
    """The guards of a worker, by the object whose rules they keep."""

    def __init__(self) -> None:
        self._guards: dict[str, Guard] = {}
        self._table: Mapping[str, Upstream] | None = None

    def of(self, upstream: Upstream) -> Guard:
        """The guard of a backend; a changed breaker has a new one."""
        rule = upstream.breaker
        name = rule.name if rule else upstream.key
        guard = self._guards.get(name)
        if guard is None or (guard.rule is not _NO_BREAKER and guard.rule != rule):
            guard = self._guards[name] = Guard(rule.name if rule else upstream.authority, rule)
        return guard

    def adopt(self, upstreams: Mapping[str, Upstream]) -> None:
        """Another table is in force; what is not in it any more is forgotten at the next `sweep`."""
        self._table = upstreams

    def sweep(self) -> None:
        """Forget backends that are gone."""
        upstreams, self._table = self._table, None
        if upstreams is not None and self._guards:
            names = {upstream.breaker.name if upstream.breaker else key for key, upstream in upstreams.items()}
            for name in self._guards.keys() - names:
                del self._guards[name]

    def all(self) -> list[Guard]:
        return list(self._guards.values())
