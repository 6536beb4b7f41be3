"""In a worker: one entry of each request, put among the reports. What a request pays for it is about a microsecond.

The policy is asked once for a user and a place; the answer is kept as long as the snapshot is in force. A request
whose answer goes on (a tunnel; anything that streams longer than the sweep's step) has an entry at its start, too,
and both carry the same id. Bodies are held only where the policy asks for them, up to its limit, and are left out
when control has not yet taken many of the entries before, so that they cannot pile up.
"""

import logging
from typing import TYPE_CHECKING, Final

from dovetail.gateway.audit.entry import KIND, Bodies, Entry
from dovetail.gateway.audit.event import new_id
from dovetail.gateway.audit.policy import Decision, Level, decide
from dovetail.gateway.audit.redaction import redacted_uri
from dovetail.gateway.proxy.admission import Admitted, Place, caller_of
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Head
from dovetail.iam.attributes import Attributes, parse
from dovetail.iam.rules import ANONYMOUS, UNAUTHENTICATED

if TYPE_CHECKING:
    from dovetail.gateway.proxy.credentials import User
    from dovetail.gateway.proxy.exchange import Exchange
    from dovetail.gateway.proxy.worker import Worker

_MOST_DECISIONS = 8192
_MOST_AGENTS = 1024
_LONGEST_BLOCK = 8192
_LONGEST_TARGET = 4096
_LONGEST_REASON = 1024
_LONGEST_AGENT = 1024
_MOST_WAITING = 200
"""With more entries than these on their way, bodies are left out."""
_LONG: Final = 0.5
"""Seconds after which a streaming answer counts as one that goes on."""
_NEVER_BODIES: Final = "builtin/oauth"
"""The platform's own log-in: its bodies are credentials."""
_WITH_BODIES: Final = ("Request", "RequestResponse")
_UNREADABLE: Final = Attributes(verb="", path="/")

_log = logging.getLogger(__name__)


class Capture:
    """The beginnings of a request's bodies."""

    __slots__ = ("_most", "request", "response")

    def __init__(self, most: int, *, response: bool) -> None:
        self._most = most
        self.request = bytearray()
        self.response = bytearray() if response else None

    def sent(self, data: bytes) -> None:
        """A piece of the request's body."""
        if len(self.request) <= self._most:
            self.request += data[: self._most + 1]

    def answered(self, data: bytes) -> None:
        """A piece of the answer's."""
        if self.response is not None and len(self.response) <= self._most:
            self.response += data[: self._most + 1]

    def bodies(self) -> Bodies:
        """What goes into the entry: a body is whole or is not there."""
        request, response = self.request, self.response or b""
        cut, response_cut = len(request) > self._most, len(response) > self._most
        return Bodies(b"" if cut else bytes(request), b"" if response_cut else bytes(response), cut, response_cut)


class Recorder:
    """One of a worker. Everything that it is told of is a moment ago."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._serving = worker.serving
        self.wants_bodies = False
        self._by_user = True
        self._decisions: dict[tuple[User | None, Place], Decision] = {}
        self._agents: dict[bytes, bytes] = {}
        self._opened: dict[str, float] = {}

    def adopted(self) -> None:
        """Another snapshot is in force: nothing that was decided before counts any more."""
        self._serving = self._worker.serving
        policy = self._serving.snapshot.audit
        self.wants_bodies = policy.wants_bodies
        self._by_user = any(rule.users or rule.groups for rule in policy.rules)
        self._decisions = {}

    def capture(self, admitted: Admitted | None, head: Head) -> Capture | None:
        """What is to hold the bodies of a request that has just been admitted: mostly nothing."""
        if admitted is None or head.upgrade or admitted.route.id.startswith(_NEVER_BODIES):
            return None
        level = self._decide(admitted.user, admitted.place, head.method).level
        if level not in _WITH_BODIES:
            return None
        return Capture(self._serving.snapshot.audit.max_body, response=level == "RequestResponse")

    def opened(self, exchange: "Exchange") -> None:
        """A request's answer has begun and goes on: the first of its two entries."""
        exchange.audit_id = new_id()
        admitted = exchange.admitted
        if admitted is not None:
            decision = self._decide(admitted.user, admitted.place, exchange.head.method)
            if decision.level != "None" and "ResponseStarted" not in decision.omit_stages:
                self._put(exchange, decision, self._worker.now() - exchange.begun, started=True)

    def look(self, exchange: "Exchange", now: float) -> None:
        """Called now and then for each request that is under way."""
        if exchange.answered and not exchange.audit_id and now - exchange.begun > _LONG:
            self.opened(exchange)

    def finished(self, exchange: "Exchange", seconds: float) -> None:
        """A request is over. A fault in here costs its record, not the request."""
        try:
            self._finished(exchange, seconds)
        except Exception:
            _log.exception("a request was not recorded", extra={"fields": {"route": exchange.route_id}})
        if exchange.audit_id:
            self._opened.pop(exchange.audit_id, None)

    def _finished(self, exchange: "Exchange", seconds: float) -> None:
        admitted = exchange.admitted
        if admitted is None:
            self._refused(exchange, seconds)
            return
        user, place = admitted.user, admitted.place
        key = (user if self._by_user else None, place)
        decision = self._decisions.get(key) or self._decide(user, place, exchange.head.method)
        if decision.level == "None" or "ResponseComplete" in decision.omit_stages:
            return
        if exchange.audit_id or exchange.capture is not None:
            self._put(exchange, decision, seconds)
        else:
            self._put_plain(exchange, decision.level, seconds, user, place.route.id)

    def unreadable(self, address: bytes, refusal: Refusal) -> None:
        """Something that was no request has been refused."""
        decision = decide(self._serving.snapshot.audit, ANONYMOUS, (UNAUTHENTICATED,), _UNREADABLE)
        if decision.level != "None":
            reason = refusal.message[:_LONGEST_REASON]
            entry = Entry("", False, self._worker.wall(), 0.0, "", b"", refusal.code, reason, None, address,
                          b"", "", 0, 0, decision.level)  # fmt: skip
            self._worker.reports.put(KIND, entry)

    def _refused(self, exchange: "Exchange", seconds: float) -> None:
        """One that was not let in: who and what is found out here, since nobody was in a hurry for it."""
        worker, head, serving = self._worker, exchange.head, self._serving
        user = caller_of(head, serving, worker.wall(), secure=exchange.peer.secure)
        place = serving.places.get((head.method, head.target))
        if place is not None:
            decision = self._decide(user, place, head.method)
        else:
            path, _, query = redacted_uri(head.target.decode("latin-1")).partition("?")
            decision = self._decide_for(user, parse(head.method, path or "/", query))
        if decision.level != "None" and "ResponseComplete" not in decision.omit_stages:
            route = place.route.id if place is not None else ""
            self._put(exchange, decision, seconds, user=user, route=route)

    def _put_plain(self, exchange: "Exchange", level: Level, seconds: float, user: "User | None", route: str) -> None:
        """The short way for a request that came, was answered and is over; nearly all are of this kind."""
        head, worker = exchange.head, self._worker
        block = head.rendered
        agent = self._agents.get(block) if block is not None else None
        worker.reports.put(
            KIND,
            Entry(
                "", False, worker.wall() - seconds, seconds, head.method, head.target[:_LONGEST_TARGET], exchange.code,
                exchange.reason[:_LONGEST_REASON],
                user.identity if user is not None else None, exchange.peer.address,
                agent if agent is not None else self._agent(head), route, exchange.received, exchange.sent, level,
            ),
        )  # fmt: skip

    def _put(
        self, exchange: "Exchange", decision: Decision, seconds: float, *, started: bool = False,
        user: "User | None" = None, route: str = "",
    ) -> None:  # fmt: skip
        worker, head, admitted, capture = self._worker, exchange.head, exchange.admitted, exchange.capture
        if admitted is not None:
            user, route = admitted.user, admitted.place.route.id
        at = worker.wall() - seconds
        if exchange.audit_id:  # one of two records, which say the same of the beginning
            at = self._opened.setdefault(exchange.audit_id, at)
        with_bodies = capture is not None and not started and decision.level in _WITH_BODIES
        entry = Entry(
            exchange.audit_id, started, at, seconds, head.method, head.target[:_LONGEST_TARGET], exchange.code,
            exchange.reason[:_LONGEST_REASON], user.identity if user is not None else None,
            exchange.peer.address, self._agent(head), route, exchange.received, exchange.sent, decision.level,
            self._bodies(capture) if capture is not None and with_bodies else None,
        )  # fmt: skip
        worker.reports.put(KIND, entry)

    def _agent(self, head: Head) -> bytes:
        """The user agent; heads that repeat share the bytes of their headers."""
        block = head.rendered
        agent = next((value[:_LONGEST_AGENT] for name, value in head.kept if name.lower() == b"user-agent"), b"")
        if block is not None and len(block) <= _LONGEST_BLOCK:
            if len(self._agents) >= _MOST_AGENTS:
                self._agents.clear()
            self._agents[block] = agent
        return agent

    def _decide(self, user: "User | None", place: Place, method: str) -> Decision:
        key = (user if self._by_user else None, place)  # most policies ask for places only
        known = self._decisions.get(key)
        if known is None:
            known = self._decide_for(user, place.asks or parse(method, place.path, place.query))
            if len(self._decisions) >= _MOST_DECISIONS:
                self._decisions.clear()
            self._decisions[key] = known
        return known

    def _decide_for(self, user: "User | None", asks: Attributes) -> Decision:
        policy = self._serving.snapshot.audit
        if user is None:
            return decide(policy, ANONYMOUS, (UNAUTHENTICATED,), asks)
        return decide(policy, user.identity.name, user.identity.groups, asks)

    def _bodies(self, capture: Capture) -> Bodies:
        if self._worker.reports.waiting(KIND) > _MOST_WAITING:
            return Bodies(b"", b"", True, True)
        return capture.bodies()
