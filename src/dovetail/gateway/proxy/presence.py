"""Who is here: what a worker does about users between their requests.

Now and then it tells control which sessions were used (`dovetail.iam.idle_sessions`), streams and tunnels that go on
among them, and lets go of header values that nobody has sent for a while. When a snapshot brings another policy or
other sessions, every request that is still under way is judged again: a watch, a shell or a WebSocket of somebody who
has logged out or lost his rights ends within a second, not when he closes it.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dovetail.gateway.proxy.admission import still_admitted

if TYPE_CHECKING:
    from dovetail.gateway.proxy.exchange import Exchange
    from dovetail.gateway.proxy.serving import Serving
    from dovetail.gateway.reports import Reports

REPORT = "sessions"
_FORGET_SECONDS = 60.0
_USE_SECONDS = 10.0
"""How often a request that goes on counts as a use."""


class Presence:
    """Call `look` a few times a second; `forget` is what else keeps credentials as they came."""

    def __init__(self, reports: "Reports", forget: Callable[[], None] = lambda: None) -> None:
        self._reports = reports
        self._forget = forget
        self._judged: Serving | None = None
        self._forgotten = self._used = 0.0

    def look(self, active: "Iterable[Exchange]", serving: "Serving", now: float) -> None:
        """`active` are the exchanges under way; `now` in seconds of the epoch."""
        credentials = serving.credentials
        under_way = [exchange for exchange in active if exchange.admitted is not None]
        if now - self._used >= _USE_SECONDS:
            self._used = now
            for exchange in under_way:
                admitted = exchange.admitted
                if admitted is not None and admitted.user is not None:
                    credentials.use(admitted.user, now)
        if self._judged is None or not serving.judges_like(self._judged):
            self._judge(under_way, serving)
        self._judged = serving
        if now - self._forgotten >= _FORGET_SECONDS:
            self._forgotten = now
            credentials.forget_headers()
            self._forget()
        uses = credentials.take_uses()
        if uses:
            self._reports.put(REPORT, uses)

    def _judge(self, under_way: "Iterable[Exchange]", serving: "Serving") -> None:
        for exchange in under_way:
            admitted = exchange.admitted
            refusal = still_admitted(admitted, serving) if admitted is not None else None
            if refusal is not None:
                exchange.refuse(refusal)
