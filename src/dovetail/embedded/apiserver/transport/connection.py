"""One client's connection: requests in, one after the other, replies out.

Model. llhttp (strict) calls back as it reads; a request is handed over when it is complete. While one is being
answered, further pipelined ones wait in a short queue, and beyond that the socket is not read. A reply is written at
once; what comes from an iterator waits whenever the client does not keep up; what is pushed (a ``Flow``) asks the
outlet. The listener's sweep calls ``check`` now and then and thereby ends connections that are idle, that do not
finish a request, or that do not read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, cast

import httptools

from .heads import CONTINUE, head, refusal, switching
from .messages import BODY_LIMIT, Application, Flow, Headers, Peer, Reply, Request
from .outlets import ChunkedOutlet, WebSocketOutlet, accept_key, chosen_protocol

if TYPE_CHECKING:
    from .listener import Listener

IDLE_SECONDS = 180.0
REQUEST_SECONDS = 60.0
STUCK_SECONDS = 60.0
HEAD_LIMIT = 256 * 1024
DRAIN_LIMIT = 16 * BODY_LIMIT
"""As much of a body that is too large is read and thrown away, so that its sender gets to reading the refusal."""
READ_SIZE = 256 * 1024  # uvloop's
PIPELINED = 8
WRITE_BUFFER = 512 * 1024

_log = logging.getLogger("dovetail.embedded.apiserver")


class TooLong(Exception):
    """Raised inside the parser's callbacks; ``code`` is the status to refuse with."""

    def __init__(self, code: int) -> None:
        self.code = code


class Connection(asyncio.Protocol):
    """``peer_of(transport)`` reads the client certificate once."""

    def __init__(
        self, application: Application, listener: Listener, peer_of: Callable[[asyncio.Transport], Peer | None]
    ) -> None:
        self._application, self._listener, self._peer_of = application, listener, peer_of
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._peer: Peer | None = None
        self._url = b""
        self._headers: Headers = []
        self._body: list[bytes] = []
        self._size = self._head_size = self._read = 0
        self._reading = False  # inside a request that is not complete
        self._request: Request | None = None
        self._queue: deque[Request] = deque()
        self._held = False  # the socket is not read: too many requests wait
        self._busy = self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._flow: Flow | None = None
        self._socket: WebSocketOutlet | None = None
        self._upgraded = False
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._since = listener.now  # when the present state began: idle, reading or stuck

    # -- the transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._listener.stopping:  # its handshake began before
            self.abort()
            return
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._peer = self._peer_of(self._transport)
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.connections.discard(self)
        self._transport = None
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()
        self._end_flow()
        self._wake()

    def pause_writing(self) -> None:
        self._paused, self._since = True, self._listener.now

    def resume_writing(self) -> None:
        self._paused, self._since = False, self._listener.now
        self._wake()
        if self._flow is not None:
            self._flow.resume()

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            if self._socket is not None and not self._socket.received(data):
                self._close()
            return
        self._read = len(data)
        self._head_size += self._read
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded = True
            if self._socket is not None:
                self.data_received(data[int(upgrade.args[0]) :])
        except TooLong as error:
            self._refuse(error.code)
        except httptools.HttpParserCallbackError as error:
            inner = error.__context__
            self._refuse(inner.code if isinstance(inner, TooLong) else 400)
        except httptools.HttpParserError:
            self._refuse(400)
        else:
            if self._reading and self._request is None and self._head_size > HEAD_LIMIT + READ_SIZE:
                self._refuse(431)

    # -- the parser's calls

    def on_message_begin(self) -> None:
        self._url, self._headers, self._body, self._size = b"", [], [], 0
        self._request = None
        self._reading, self._head_size = True, self._read  # at most: what came before in the same read counts, too
        if not self._busy:
            self._since = self._listener.now

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))
        self._size += len(name) + len(value)
        if self._size > HEAD_LIMIT:
            raise TooLong(431)

    def on_headers_complete(self) -> None:
        path, _, query = self._url.partition(b"?")
        if path[:1] != b"/":  # absolute-form, as to a proxy
            path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
        method = self._parser.get_method().decode("ascii")
        alive = self._parser.should_keep_alive()
        request = Request(method, path.decode("latin-1"), query, self._headers, self._peer, alive)
        self._request, self._size = request, 0
        if self._parser.should_upgrade():
            request.upgrade = request.header(b"upgrade").decode("latin-1").lower()
        length = request.header(b"content-length")
        if length and int(length) > DRAIN_LIMIT:
            raise TooLong(413)
        request.oversized = bool(length) and int(length) > BODY_LIMIT
        if length != b"0" and request.header(b"expect").lower() == b"100-continue" and not self._busy:
            self._write(CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > DRAIN_LIMIT:
            raise TooLong(413)
        if self._size <= BODY_LIMIT:
            self._body.append(body)
        elif self._request is not None:
            self._request.oversized = True
            self._body.clear()

    def on_message_complete(self) -> None:
        request = self._request
        if request is None:
            return
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body, self._reading = [], False
        self._queue.append(request)
        if not self._busy:
            self._serve()
        elif len(self._queue) >= PIPELINED and self._transport is not None and not self._held:
            self._held = True
            self._transport.pause_reading()

    # -- answering

    def _serve(self) -> None:
        """Answer what waits, until something takes time."""
        while self._queue and not self._busy and self._transport is not None and not self._closing:
            request = self._queue.popleft()
            self._busy = True
            reply = self._application.respond(request)
            if isinstance(reply, Reply):
                self._send(request, reply)
            else:
                self._task = asyncio.create_task(self._await(request, reply), name="request")
        if self._held and len(self._queue) < PIPELINED and self._transport is not None:
            self._held = False
            self._transport.resume_reading()

    async def _await(self, request: Request, reply: Awaitable[Reply]) -> None:
        self._send(request, await reply)

    def _send(self, request: Request, reply: Reply) -> None:
        self._task = None
        if self._transport is None:
            self._drop(reply)
            return
        body, alive = reply.body, request.keep_alive and not self._closing and not request.upgrade
        if isinstance(body, Sequence):
            start = head(reply.code, reply.headers, keep_alive=alive, length=sum(map(len, body)))
            self._write(start if request.method == "HEAD" else b"".join((start, *body)))
            self._done(alive)
        elif request.upgrade == "websocket" and not isinstance(body, AsyncIterator):
            self._open_socket(request, body)
        else:
            self._write(head(reply.code, reply.headers, keep_alive=alive, length=None))
            if request.method == "HEAD":
                self._drop(reply)
                self._done(False)
            elif isinstance(body, AsyncIterator):
                self._task = asyncio.create_task(self._pump(body, alive), name="stream")
            else:
                self._open(body, ChunkedOutlet(self._write, self._is_writable, lambda: self._done(alive)))

    def _drop(self, reply: Reply) -> None:
        """A reply that nobody gets: what would be pushed is told so."""
        if not isinstance(reply.body, (Sequence, AsyncIterator)):
            reply.body.close()

    def _open_socket(self, request: Request, flow: Flow) -> None:
        key = request.header(b"sec-websocket-key")
        if not key or request.header(b"sec-websocket-version") != b"13":
            flow.close()
            self._busy = False
            self._refuse(400)
            return
        self._write(switching(accept_key(key), chosen_protocol(request.header(b"sec-websocket-protocol"))))
        self._socket = WebSocketOutlet(self._write, self._is_writable, lambda: self._done(False))
        self._open(flow, self._socket)

    def _open(self, flow: Flow, outlet: ChunkedOutlet | WebSocketOutlet) -> None:
        self._flow = flow
        flow.open(outlet)

    async def _pump(self, chunks: AsyncIterator[bytes], alive: bool) -> None:
        try:
            async for chunk in chunks:
                if chunk:
                    self._write(b"%x\r\n" % len(chunk))
                    self._write(chunk)
                    self._write(b"\r\n")
                await self._writable()
        except Exception:
            _log.exception("a list broke off")
            self.abort()  # without the last chunk: the client must not take the part for the whole
            return
        self._task = None
        self._write(b"0\r\n\r\n")
        self._done(alive)

    async def _writable(self) -> None:
        """Wait for the client if need be, and in any case let others have their turn."""
        if self._paused and self._transport is not None:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained
        else:
            await asyncio.sleep(0)

    def _is_writable(self) -> bool:
        return not self._paused and self._transport is not None

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _done(self, alive: bool) -> None:
        self._end_flow()
        self._busy, self._since = False, self._listener.now
        if not alive or self._closing:
            self._close()
        elif self._queue:
            asyncio.get_running_loop().call_soon(self._serve)

    def _end_flow(self) -> None:
        flow, self._flow = self._flow, None
        if flow is not None:
            flow.close()

    def _wake(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # -- the end

    def _refuse(self, code: int) -> None:
        """The rest of what the client sends cannot be understood or is not wanted; a reply under way is finished."""
        if self._busy:
            self._closing, self._upgraded = True, True
            return
        self._write(refusal(code))
        self._close()

    def _close(self) -> None:
        self._closing, self._upgraded = True, True  # nothing more is parsed
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()

    def abort(self) -> None:
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def stop(self) -> None:
        """Serve what is under way, then close."""
        self._closing = True
        if not self._busy:
            self._close()

    @property
    def busy(self) -> bool:
        return self._busy

    def check(self, now: float) -> None:
        """Called now and then: end what takes too long."""
        waited = now - self._since
        if self._paused:
            if waited > STUCK_SECONDS:
                self.abort()
        elif self._reading and not self._busy:
            if waited > REQUEST_SECONDS:
                self._refuse(408)
        elif not self._busy and waited > IDLE_SECONDS:
            self._close()
