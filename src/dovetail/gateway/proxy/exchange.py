"""One request and its answer, between a client's connection and a backend's.

The life of an exchange: its head is parsed -> admitted or refused -> a connection is taken or dialled -> head and body
are sent as they come -> the answer's head, body and end go to the client -> both connections are free again. Whichever
side is slower slows the other one down. What goes wrong before the answer's head is told as a Status; after it, the
client's connection is cut, so that nobody takes half an answer for a whole one.

Here are the answer and the ends; the way of the request to the backend is `sending`.
"""

from dovetail.gateway.proxy.answer_headers import AnswerHead, framing, render_answer, render_switch
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.sending import Sending
from dovetail.gateway.proxy.trailers import last_chunk
from dovetail.gateway.proxy.upstream import UpstreamConnection

_CLIENT_GONE = 499
"""As nginx counts a client that did not wait for the answer."""


_WORTH_A_LIST = 64 << 10
"""Shorter pieces are put together sooner than the transport makes a vector of them."""


class Exchange(Sending):
    """See the module."""

    __slots__ = ()

    # from the client

    def client_lost(self) -> None:
        """The client has gone: so does the connection that was working for it."""
        if self.over:
            return
        self.over = True
        self.last = self.client.worker.now()
        self.code = self.code or _CLIENT_GONE
        if self._attempts is not None:
            self._end_attempts()
        connection, self.upstream = self.upstream, None
        if connection is not None:
            if self.tunnel:
                connection.end()
            else:
                connection.abort()
        self.client.worker.finished(self)

    def client_full(self) -> None:
        """The client does not take what it gets: stop reading from the backend."""
        if self.upstream is not None:
            self.upstream.pause()

    def client_drained(self) -> None:
        if self.upstream is not None:
            self.upstream.resume()

    # from the backend

    def answer_head(self, head: AnswerHead) -> None:
        """The answer begins."""
        assert self._admitted is not None
        if self._attempts is not None and self._attempts.takes_back(head):
            return
        self.answered = True
        self.code = head.status
        self._framed = framing(head, self.head.method, http10=self.head.http10)
        if self._framed == "close" or not self.body_done or self.client.worker.draining:
            self.keep_alive = False
        self._outbox.append(render_answer(head, self._admitted.route, self._framed, close=not self.keep_alive))

    def answer_body(self, data: bytes) -> None:
        """A piece of the answer's body."""
        self.sent += len(data)
        if self.capture is not None:
            self.capture.answered(data)
        if self._attempts is not None:
            data = self._attempts.passed_on(data)
            if not data:
                return
        if self._framed == "chunked":
            self._outbox += (b"%x\r\n" % len(data), data, b"\r\n")
        elif self._framed != "none":
            self._outbox.append(data)

    def answer_rest(self, data: bytes) -> None:
        """What an edit of the body has held back."""
        if data and self._framed == "chunked":
            self._outbox += (b"%x\r\n" % len(data), data, b"\r\n")
        elif data and self._framed != "none":
            self._outbox.append(data)

    def answer_flush(self) -> None:
        """Send what has come of the answer."""
        if self._outbox:
            self.last = self.client.worker.now()
            self._write_out()

    def _write_out(self) -> None:
        outbox, self._outbox = self._outbox, []
        if len(outbox) == 1:
            self.client.transport.write(outbox[0])
        elif max(map(len, outbox)) < _WORTH_A_LIST:
            self.client.transport.write(b"".join(outbox))
        else:
            self.client.transport.writelines(outbox)

    def answer_end(self, *, keep: bool, trailers: bytes = b"") -> None:
        """The answer is complete; `keep` says that the backend's connection can be used again."""
        if self._attempts is not None:
            self.answer_rest(self._attempts.passed_on_end())
        if self._framed == "chunked":
            self._outbox.append(last_chunk(trailers))
        if self._outbox:
            self._write_out()
        self._finish(keep=keep and self.body_done)

    def backend_lost(self, connection: UpstreamConnection) -> None:
        """The backend closed before the answer was complete."""
        self.upstream = None
        if self.answered:
            self._cut()
        elif self._attempts is not None:
            if not self._attempts.lost(connection):
                self.refuse(Refusal(502, "the backend closed the connection without an answer"))
        elif connection.used > 1 and self._out.repeatable and not self._retried:
            # It was closed while it lay in the pool: nothing has reached the backend.
            self._retried = True
            self.client.worker.spawn(self._dial(self._pool, self._out), "dial again", self.failed)
        else:
            self.refuse(Refusal(502, "the backend closed the connection without an answer"))

    def backend_failed(self, why: str) -> None:
        """The backend's answer cannot be used."""
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
        if self.answered:
            self._cut()
        elif self._attempts is None or not self._attempts.unusable():
            self.refuse(Refusal(502, why))

    # tunnels

    @property
    def wants_tunnel(self) -> bool:
        """The client asked for an upgrade that we know."""
        return bool(self.head.upgrade)

    @property
    def takes_trailers(self) -> bool:
        """The client asked for what comes behind the answer's body, and no rule edits the answer's headers."""
        return self.head.takes_trailers and self._admitted is not None and not self._admitted.route.header_down

    def tunnel_open(self, head: AnswerHead, rest: bytes) -> None:
        """The backend agreed to the upgrade: from here on bytes pass as they are."""
        assert self._admitted is not None
        if self._attempts is not None:
            self._attempts.opened()
        self.answered = self.tunnel = True
        self.code = 101
        self.client.transport.write(render_switch(head, self.head.upgrade, self._admitted.route) + rest)
        self.client.tunnel_opened()
        self.client.worker.recorder.opened(self)

    def tunnel_up(self, data: bytes) -> None:
        """Bytes from the client."""
        self.received += len(data)
        self.last = self.client.worker.now()
        if self.upstream is not None:
            self.upstream.transport.write(data)

    def tunnel_down(self, data: bytes) -> None:
        """Bytes from the backend."""
        self.sent += len(data)
        self.last = self.client.worker.now()
        self.client.transport.write(data)

    def tunnel_lost(self) -> None:
        """The backend closed the tunnel."""
        self.upstream = None
        self._finish(keep=False)

    # its end

    def refuse(self, refusal: Refusal) -> None:
        if self.over:
            return
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
        if self.answered:
            self._cut()
            return
        self.code, self.reason, self.quiet = refusal.code, refusal.message, refusal.quiet
        self.answered = True
        if refusal.close or not self.body_done or self.client.worker.draining:
            self.keep_alive = False
        data = refusal.render(keep_alive=self.keep_alive, head_only=self.head.method == "HEAD")
        self.client.transport.write(data)
        self._finish(keep=False)

    def _cut(self) -> None:
        """The answer will stay incomplete: end the connection so that the client cannot take it for a whole one."""
        self.over = True
        self.last = self.client.worker.now()
        if self._attempts is not None:
            self._end_attempts()
        if self._outbox:
            self._write_out()
        self.client.worker.finished(self)
        # Where the end of the connection is the end of the answer, only a reset tells the difference.
        self.client.abort(reset=self._framed == "close")

    def _end_attempts(self) -> None:
        attempts, self._attempts = self._attempts, None  # each holds the other: without this they would be garbage
        if attempts is not None:
            attempts.ended()

    def _finish(self, *, keep: bool) -> None:
        self.over = True
        self.last = self.client.worker.now()
        if self._attempts is not None:
            self._end_attempts()
        connection, self.upstream = self.upstream, None
        if connection is not None:
            connection.detach(self.last, keep=keep)
        self.client.exchange_over(self)

    @property
    def user(self) -> str:
        admitted = self._admitted
        return admitted.user.identity.name if admitted and admitted.user else ""

    @property
    def longest_silence(self) -> float:
        """Seconds that this backend's streams and tunnels may rest."""
        return self._pool.upstream.idle_timeout

    def overdue(self, now: float) -> Refusal | None:
        """What to tell the client when a wait has been too long; None while all is in time."""
        limits = self.client.worker.limits
        silent = now - self.last
        if not self.body_done and not self.tunnel and silent > limits.body_timeout:
            if self.client.held_back:
                return Refusal(504, "the backend does not take the request's body", close=True)
            return Refusal(408, f"the request's body did not come within {limits.body_timeout:g} s", close=True)
        if self.upstream is None:
            return None  # dialling has its own limit
        upstream = self._pool.upstream
        if not self.answered and self.body_done and silent > upstream.response_timeout:
            return Refusal(504, f"the backend did not answer within {upstream.response_timeout:g} s")
        if self.answered and silent > upstream.idle_timeout:
            return Refusal(504, "the backend fell silent")
        return None
