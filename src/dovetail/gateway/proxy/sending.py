"""The way of a request to a backend: one half of an exchange (`exchange.Exchange` is the whole).

The request is admitted or refused -> a connection is taken or dialled -> head and body are sent as they come. What
comes of the body before there is a connection is held, and the client is paused when that becomes too much.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, cast

from dovetail.gateway.passwords import Login, NoVerdict, ask
from dovetail.gateway.proxy.admission import Admitted, admit
from dovetail.gateway.proxy.answer_headers import Framing
from dovetail.gateway.proxy.credentials import Unchecked
from dovetail.gateway.proxy.local import local_answer
from dovetail.gateway.proxy.outgoing import Outgoing, outgoing
from dovetail.gateway.proxy.pool import DialFailed, Pool
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Head
from dovetail.gateway.proxy.traffic.attempts import Attempts
from dovetail.gateway.proxy.traffic.gate import enter
from dovetail.gateway.proxy.trailers import last_chunk
from dovetail.gateway.proxy.upstream import UpstreamConnection
from dovetail.routing.traffic import Traffic

if TYPE_CHECKING:
    from dovetail.gateway.audit.recorder import Capture
    from dovetail.gateway.proxy.downstream import Downstream

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_LINES: list[str] = []


class Sending(ABC):
    """See the module. Times are the loop's, in seconds."""

    __slots__ = (
        "_admitted", "_attempts", "_framed", "_out", "_outbox", "_pending", "_pending_size", "_pool", "_retried",
        "answered", "audit_id", "begun", "body_done", "capture", "client", "code", "head", "keep_alive", "last", "over",
        "peer", "quiet", "reason", "received", "sent", "trailers", "tunnel", "upstream",
    )  # fmt: skip

    def __init__(self, client: "Downstream") -> None:
        self.client = client
        self.peer = client.peer
        """Who asks: the connection's other end, or the one for whom a trusted proxy has called."""
        self.head: Head = cast("Head", None)
        self.keep_alive = True
        self.begun = self.last = 0.0
        self.upstream: UpstreamConnection | None = None
        self.answered = self.body_done = self.over = self.quiet = self.tunnel = False
        self.code = 0
        self._admitted: Admitted | None = None
        self._attempts: Attempts | None = None
        """Looks after the request where its route has traffic rules."""
        self._pending: list[bytes] = []
        self._outbox: list[bytes] = []
        self._pending_size = 0
        self.received: int = 0
        self.sent: int = 0
        self.audit_id = self.reason = ""
        self.capture: Capture | None = None
        self._retried = False
        self.trailers = b""
        """Fields behind the body that go on."""
        self._framed: Framing = "none"

    @property
    def admitted(self) -> Admitted | None:
        """Where the request goes and as whom; None before, and for one that is refused."""
        return self._admitted

    @property
    def route_id(self) -> str:
        """The route's, or empty."""
        return self._admitted.route.id if self._admitted else ""

    @abstractmethod
    def refuse(self, refusal: Refusal) -> None:
        """Answer without a backend, or cut the connection when an answer has begun."""

    @abstractmethod
    def _finish(self, *, keep: bool) -> None:
        """The exchange is over; `keep` says that the backend's connection can be used again."""

    def failed(self) -> None:
        """Something of ours went wrong, which is in the log."""
        self.refuse(Refusal(500, "the gateway could not serve this request", close=True))

    def begin(self, now: float, wall: float) -> None:
        """Admit the request and find it a connection. `wall` in seconds of the epoch."""
        self.begun = self.last = now
        worker, head = self.client.worker, self.head
        serving = worker.serving
        if self._answered_here(serving.snapshot.generation > 0):
            return
        if self.peer.trusted:
            self.peer = worker.told_client(self.peer, head)
        admitted = admit(head, serving, wall, secure=self.peer.secure)
        if isinstance(admitted, Refusal):
            self.refuse(admitted)
            return
        if isinstance(admitted, Unchecked):
            worker.spawn(self._check_password(admitted, serving.snapshot.password_socket), "password", self.failed)
            return
        self._admitted = admitted
        if worker.recorder.wants_bodies:
            self.capture = worker.recorder.capture(self.admitted, head)
        rules, lines = admitted.route.traffic, _NO_LINES
        if rules is not None:
            lines = enter(rules, admitted, head, self.peer, worker.limiter)
            if isinstance(lines, Refusal):
                self.refuse(lines)
                return
        upstream = serving.snapshot.table.upstreams.get(admitted.route.upstream)
        if upstream is None:
            self.refuse(Refusal(503, f"the backend of {admitted.route.id} is not known"))
            return
        self._pool = worker.pools.of(upstream)
        token = self._pool.token(now)
        if token is None:
            self.refuse(Refusal(503, f"the gateway's own credential for the backend of {admitted.route.id} is missing"))
            return
        out = outgoing(head, admitted, upstream, self.peer, token)
        if isinstance(out, Refusal):
            self.refuse(out)
            return
        self._out = out
        if self.received > admitted.route.max_body:
            self._too_large()
            return
        if rules is not None:
            self._attempt(rules, out, lines)
            return
        connection = self._pool.take(now, repeatable=out.repeatable)
        if connection is None:
            worker.spawn(self._dial(self._pool, out), "dial", self.failed)
        else:
            self.send(connection, out)

    def _attempt(self, rules: Traffic, out: Outgoing, lines: list[str]) -> None:
        """Leave the way to the backend to the route's traffic rules. `lines` are for the head of the answer."""
        attempts = Attempts(self, rules, self._pool, self.client.worker.pools.guards, out, lines)
        self._attempts, self._out = attempts, attempts.out
        attempts.begin(self._pending)

    @property
    def public_path(self) -> str:
        """The path of the request as the client sent it."""
        return self._admitted.place.path if self._admitted else ""

    def drop_try(self, body: list[bytes]) -> None:
        """Leave the connection that was working for this, to send the request again. `body` is what came of it."""
        connection, self.upstream = self.upstream, None
        if connection is not None:
            connection.abort()
        self._pending, self._pending_size = list(body), sum(map(len, body))
        self.client.resume("backend")

    async def _check_password(self, asked: Unchecked, socket: str) -> None:
        """Have control look at a password, then begin anew."""
        worker = self.client.worker
        try:
            verdict = await ask(Path(socket), Login(asked.name, asked.password, self.peer.address.decode()))
        except NoVerdict as error:
            self.refuse(Refusal(503, f"the password could not be checked: {error}"))
            return
        worker.serving.credentials.learn(asked, verdict, worker.wall())
        if not self.over:
            self.begin(worker.now(), worker.wall())

    def _answered_here(self, serving: bool) -> bool:
        """Answer a health check."""
        keep = self.keep_alive and self.body_done and not self.client.worker.draining
        answer = local_answer(self.head.method, self.head.target, serving=serving, keep_alive=keep)
        if answer is None or self.head.refusal is not None:
            return False
        if isinstance(answer, Refusal):
            self.refuse(answer)
        else:
            self.code, self.answered, self.keep_alive = 200, True, keep
            self.client.transport.write(answer)
            self._finish(keep=False)
        return True

    def body(self, data: bytes) -> None:
        """A piece of the request's body."""
        self.received += len(data)
        if self.capture is not None:
            self.capture.sent(data)
        self.last = self.client.worker.now()
        if self.over:
            return
        if self._admitted is not None and self.received > self._admitted.route.max_body:
            self._too_large()
            return
        if self._attempts is not None:
            self._attempts.keep(data)
        if self.upstream is not None:
            self._write_body(self.upstream, data)
        else:
            self._pending.append(data)
            self._pending_size += len(data)
            if self._pending_size > self.client.worker.limits.buffer:
                self.client.pause("body")

    def body_end(self) -> None:
        """The whole request has come."""
        self.body_done = True
        self.last = self.client.worker.now()
        if self.upstream is not None and not self.over:
            self._end_body(self.upstream)

    # towards the backend

    async def _dial(self, pool: Pool, out: Outgoing) -> None:
        try:
            connection = await pool.dial()
        except DialFailed as error:
            if not self.over:
                route = self._admitted.route.id if self._admitted else ""
                self.refuse(
                    Refusal(504 if error.timed_out else 502, f"the backend of {route} cannot be reached: {error}")
                )
            return
        if self.over:
            connection.transport.close()
        elif connection.closing:
            self.refuse(Refusal(502, "the backend closed the connection without an answer"))
        else:
            self.last = self.client.worker.now()
            self.send(connection, out)

    def send(self, connection: UpstreamConnection, out: Outgoing) -> None:
        """Send what there is of the request."""
        self.upstream = connection
        connection.attach(self, head_only=out.method == "HEAD")  # pyright: ignore[reportArgumentType] - it is an Exchange
        if self.client.full:
            connection.pause()
        if not self._pending:
            connection.transport.write(out.head)
        else:
            framed = [self._frame(piece) for piece in self._pending]
            connection.transport.write(b"".join([out.head, *framed]))
            self._pending.clear()
            self._pending_size = 0
            self.client.resume("body")
        if self.body_done:
            self._end_body(connection)
        elif self.head.expects_continue and not self.received:
            self.client.transport.write(_CONTINUE)

    def _write_body(self, connection: UpstreamConnection, data: bytes) -> None:
        connection.transport.write(self._frame(data))

    def _frame(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self.head.chunked else data

    def _end_body(self, connection: UpstreamConnection) -> None:
        if self.head.chunked:
            edited = self._admitted is not None and bool(self._admitted.route.header_up)
            connection.transport.write(last_chunk(b"" if edited else self.trailers))

    def _too_large(self) -> None:
        most = self._admitted.route.max_body if self._admitted else 0
        self.refuse(Refusal(413, f"the body is larger than the {most} bytes allowed here", close=True))

    def backend_full(self) -> None:
        """The backend does not take the request's body: stop reading from the client."""
        self.client.pause("backend")

    def backend_drained(self) -> None:
        self.client.resume("backend")
