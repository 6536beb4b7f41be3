"""All tries of one request on a route with traffic rules, from its admission to its end.

An exchange asks `enter` first, and then leaves to the `Attempts` how the request gets to the backend: on which
connection, what becomes of a failure, whether an answer is passed on. What they decide is pure (`retrying`,
`circuit`); what they hold is the copy of a small body, the timers, and the place of the request in the guard's gauges.
"""

import asyncio
import random
from typing import TYPE_CHECKING, Final

from dovetail.gateway.proxy.outgoing import IDEMPOTENT, Outgoing
from dovetail.gateway.proxy.pool import DialFailed, Pool
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.traffic.circuit import Event, is_failure
from dovetail.gateway.proxy.traffic.guard import Guards, Refused, Target
from dovetail.gateway.proxy.traffic.lanes import Lane, Lanes
from dovetail.gateway.proxy.traffic.links import HtmlLinks, Links, wrapped
from dovetail.gateway.proxy.traffic.retrying import cause_of, may_retry, pause
from dovetail.routing.traffic import RetryCause, Traffic

if TYPE_CHECKING:
    from dovetail.gateway.proxy.answer_headers import AnswerHead
    from dovetail.gateway.proxy.sending import Sending
    from dovetail.gateway.proxy.upstream import UpstreamConnection

_REDIRECTS: Final = range(300, 400)


class Attempts:
    """See the module."""

    __slots__ = (
        "_connection", "_counted", "_deadline", "_exchange", "_failed", "_guard", "_html", "_kept", "_kept_size",
        "_lines", "_links", "_pool", "_retrying", "_rules", "_stale", "_task", "_timer", "_tries", "out",
    )  # fmt: skip

    def __init__(
        self, exchange: "Sending", rules: Traffic, pool: Pool, guards: Guards, out: Outgoing, lines: list[str]
    ) -> None:
        """`lines` are headers that the answer gets."""
        self._exchange = exchange
        self._rules = rules
        self._pool = pool
        self._guard = pool.guard if isinstance(pool, Lanes) else guards.of(pool.upstream)
        self._lines = [line.encode("latin-1") for line in lines] if lines else ()
        self._links: Links | None = None
        self._html: HtmlLinks | None = None
        if rules.wrap:
            self._links, out = wrapped(exchange.public_path, pool.upstream, out)
        self.out = out
        """The request, as it is sent."""
        self._tries = 0
        self._failed: tuple[Target, ...] = ()
        self._connection: UpstreamConnection | None = None
        """The one whose try has no outcome yet."""
        self._kept: list[bytes] | None = [] if _may_be_repeated(rules, out, exchange) else None
        self._kept_size = 0
        self._counted = self._retrying = self._stale = False
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, waiting: list[bytes]) -> None:
        """Make the first try. `waiting` is what has come of the body."""
        try:
            self._guard.admit()
        except Refused as refused:
            self._exchange.refuse(refused.refusal(self._exchange.route_id))
            return
        self._counted = True
        for piece in waiting:
            self.keep(piece)
        if self._rules.request_timeout:
            left = self._exchange.begun + self._rules.request_timeout - self._now()
            self._deadline = asyncio.get_running_loop().call_later(left, self._too_late)
        self._launch()

    def keep(self, data: bytes) -> None:
        """A piece of the body has come: keep it for another try while the body is small."""
        if self._kept is not None:
            self._kept_size += len(data)
            if self._rules.retries is None or self._kept_size > self._rules.retries.max_body:
                self._kept = None
            else:
                self._kept.append(data)

    # one try

    def _launch(self) -> None:
        self._timer = None
        if self._exchange.over:
            return
        self._tries += 1
        pool, repeatable = self._pool, self.out.repeatable
        if self._stale:
            connection = None
        elif isinstance(pool, Lanes):
            connection = pool.take(self._now(), repeatable=repeatable, avoid=self._failed)
        else:
            connection = pool.take(self._now(), repeatable=repeatable)
        if connection is None:
            self._task = self._exchange.client.worker.spawn(self._dial(), "dial", self._exchange.failed)
        else:
            self._send(connection)

    async def _dial(self) -> None:
        pool, exchange = self._pool, self._exchange
        try:
            connection = await (pool.dial(self._failed) if isinstance(pool, Lanes) else pool.dial())
        except (Refused, DialFailed) as error:
            connection = error
        finally:
            self._task = None
        if isinstance(connection, Refused):
            exchange.refuse(connection.refusal(exchange.route_id))
        elif isinstance(connection, DialFailed):
            if not exchange.over and not self._again("ConnectFailure"):
                text = f"the backend of {exchange.route_id} cannot be reached: {connection}"
                exchange.refuse(Refusal(504 if connection.timed_out else 502, text))
        elif exchange.over:
            self._connection = connection
            self._settle("gone")
            connection.transport.close()
        elif connection.closing:
            self._connection = connection
            if not self.lost(connection):
                exchange.refuse(Refusal(502, "the backend closed the connection without an answer"))
        else:
            self._send(connection)

    def _send(self, connection: "UpstreamConnection") -> None:
        self._connection = connection
        rule = self._rules.retries
        if rule is not None and rule.per_try_timeout:
            self._timer = asyncio.get_running_loop().call_later(rule.per_try_timeout, self._expired)
        self._exchange.send(connection, self.out)

    # what becomes of it

    def lost(self, connection: "UpstreamConnection") -> bool:
        """The connection broke before an answer. Whether another try follows."""
        if connection.used > 1 and self.out.repeatable and not self._stale:
            # It was closed while it lay in the pool: nothing has reached the backend, and nothing is said about it.
            self._stale = True
            self._tries -= 1
            self._settle("gone")
            self._relaunch(0.0)
            return True
        self._settle("bad")
        return self._again("Reset")

    def unusable(self) -> bool:
        """The backend's answer was no answer. Whether another try follows."""
        self._settle("bad")
        return self._again("Reset")

    def opened(self) -> None:
        """The backend agreed to an upgrade."""
        self._settle("good")

    def takes_back(self, head: "AnswerHead") -> bool:
        """An answer begins. Whether it is not to be passed on; if it is, it has been edited."""
        self._settle("bad" if is_failure(head.status) else "good")
        cause = cause_of(head.status)
        if cause is not None and self._again(cause):
            return True
        if self._rules.reject_redirects and head.status in _REDIRECTS and _has_location(head):
            self._exchange.refuse(Refusal(502, "the backend tried to redirect the request, which is not allowed here"))
            return True
        if self._links is not None:
            self._html = self._links.edited(head)
        head.lines += self._lines
        return False

    def passed_on(self, data: bytes) -> bytes:
        """A piece of the answer's body, as the client gets it."""
        return data if self._html is None else self._html.feed(data)

    def passed_on_end(self) -> bytes:
        """What is left of the body at its end."""
        return b"" if self._html is None else self._html.end()

    def ended(self) -> None:
        """The exchange is over, whoever ended it."""
        self._settle("bad" if self._exchange.code == 504 else "gone")
        if self._deadline is not None:
            self._deadline.cancel()
        if self._task is not None:
            self._task.cancel()
        if self._counted:
            self._counted = False
            self._guard.requests -= 1
            self._guard.retries -= self._retrying

    def _settle(self, event: Event) -> None:
        """The try under way has an outcome, its last."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection, self._connection = self._connection, None
        if connection is not None and isinstance(connection.pool, Lane):
            target = connection.pool.target
            self._guard.told(target, event, self._now(), probe=connection.probe)
            if event == "bad":
                self._failed += (target,)

    def _again(self, cause: RetryCause) -> bool:
        """Try again after a pause, if the rules allow it."""
        rule, exchange, guard = self._rules.retries, self._exchange, self._guard
        if rule is None or exchange.over:
            return False
        load = guard.load()
        if self._retrying:
            load = load._replace(retries=load.retries - 1)
        if not may_retry(rule, cause, tries=self._tries, repeatable=self._kept is not None, load=load):
            return False
        if not self._retrying:
            self._retrying = True
            guard.retries += 1
        guard.retried += 1
        self._relaunch(pause(rule, self._tries, random.random()))
        return True

    def _relaunch(self, seconds: float) -> None:
        self._exchange.drop_try(self._kept or [])
        self._timer = asyncio.get_running_loop().call_later(seconds, self._launch)

    # timers

    def _expired(self) -> None:
        """The try has taken too long."""
        rule = self._rules.retries
        self._timer = None
        self._settle("bad")
        if rule is not None and not self._again("Timeout"):
            text = f"the backend did not answer within {rule.per_try_timeout:g} s"
            self._exchange.refuse(Refusal(504, text))

    def _too_late(self) -> None:
        self._deadline = None
        exchange = self._exchange
        if not exchange.tunnel and not exchange.over:
            text = f"the request was not complete within {self._rules.request_timeout:g} s"
            exchange.refuse(Refusal(504, text, close=not exchange.body_done))

    def _now(self) -> float:
        return self._exchange.client.worker.now()


def _may_be_repeated(rules: Traffic, out: Outgoing, exchange: "Sending") -> bool:
    return rules.retries is not None and out.method in IDEMPOTENT and not exchange.head.upgrade


def _has_location(head: "AnswerHead") -> bool:
    return any(line[:9].lower() == b"location:" for line in head.lines)
