"""A worker's connections without sockets: bytes in, bytes out, as fast as they can be parsed. For fuzzing.

Both ends are read by h11, which shares no line with the gateway: `Sight` says what requests a backend was sent and what
answers a client got. Raises `Broken` when either is not HTTP.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11

from dovetail.gateway.proxy.downstream import Downstream
from dovetail.gateway.proxy.pool import Pool
from dovetail.gateway.proxy.settings import Limits, WorkerSettings
from dovetail.gateway.proxy.upstream import UpstreamConnection
from dovetail.gateway.proxy.worker import Worker
from tests.gateway_proxy.rig import route, snapshot, upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Broken(AssertionError):
    """What came out is not what HTTP allows."""


class Wire(asyncio.Transport):
    """Collects what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.out = bytearray()
        self.closed = self.aborted = self.ended = False

    def write(self, data: Any) -> None:
        if not self.closed:
            self.out += data

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        for data in list_of_data:
            self.write(data)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "socket": self}.get(name, default)

    def setsockopt(self, *_: object) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


@dataclass(frozen=True)
class Message:
    """A request or an answer, whole: `start` is its method and target, or its status."""

    start: tuple[object, ...]
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


@dataclass
class Sight:
    """What was seen at both ends. `whole` says that the client's last answer was not cut off."""

    requests: list[Message] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    whole: bool = True
    closed: bool = False


class InMemory:
    """One worker with one route, `/`, to a backend that answers everything with `answer`."""

    def __init__(self, directory: Path, limits: Limits | None = None) -> None:
        to = upstream(1)
        self._worker = Worker(WorkerSettings(snapshot_socket=directory / "s.sock", limits=limits or Limits()))
        self._worker.adopt(snapshot(1, [route("/", to)], [to]))
        self._pool: Pool = self._worker.pools.of(to)
        self._pool.take = self._take  # type: ignore[method-assign]
        self._wires: list[tuple[UpstreamConnection, Wire]] = []
        self.answer: Callable[[Message], list[bytes]] = lambda _: [OK]

    def _take(self, now: float, *, repeatable: bool) -> UpstreamConnection:
        """A connection of its own for each request, so that what is written to it is that request."""
        connection, wire = UpstreamConnection(self._pool), Wire()
        connection.connection_made(wire)
        self._wires.append((connection, wire))
        return connection

    def run(self, pieces: Iterable[bytes]) -> Sight:
        """A client sends these pieces, then the backend closes, then the client."""
        self._wires, wire = [], Wire()
        client = Downstream(self._worker)
        client.connection_made(wire)
        sight, at = Sight(), 0
        for piece in pieces:
            if wire.closed:
                break
            client.data_received(piece)
            at = self._serve(sight, at)
        for connection, each in self._wires:  # which grows: a next request may have waited for this
            if not each.closed:
                connection.connection_lost(None)
            at = self._serve(sight, at)
        sight.closed = wire.closed or wire.ended
        asked = [request.start[0] for request in sight.requests]
        sight.answers, sight.whole = read_answers(bytes(wire.out), asked)
        client.connection_lost(None)
        self._pool.close()
        self._pool._closed = False
        return sight

    def _serve(self, sight: Sight, at: int) -> int:
        """Answer every request that has arrived whole; those that they made room for, too."""
        while at < len(self._wires):
            connection, wire = self._wires[at]
            request = read_request(bytes(wire.out))
            if request is None:
                if not wire.closed:
                    break
            else:
                sight.requests.append(request)
                for piece in self.answer(request):
                    if wire.closed:
                        break
                    connection.data_received(piece)
            at += 1
        return at


def read_request(data: bytes) -> Message | None:
    """The one request on a connection to a backend; None while it is not complete."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    messages = list(_messages(reader, data))
    if messages and reader.trailing_data[0]:
        raise Broken(f"more than a request: {data!r}")
    return messages[0] if messages else None


def read_answers(data: bytes, asked: list[object]) -> tuple[list[Message], bool]:
    """Every complete answer, and whether nothing is left over. `asked`: the methods, as far as they are known."""
    answers: list[Message] = []
    while data:
        reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        method = asked[len(answers)] if len(answers) < len(asked) else b"GET"
        reader.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))  # type: ignore[arg-type]
        reader.send(h11.EndOfMessage())
        message = next(_messages(reader, data), None)
        if message is None:
            return answers, False
        answers.append(message)
        data = reader.trailing_data[0]
    return answers, True


def _messages(reader: h11.Connection, data: bytes) -> Iterator[Message]:
    try:
        reader.receive_data(data)
        head: Any = None
        body = b""
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Request | h11.Response):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                yield _message(head, body)
                return
            elif not isinstance(event, h11.InformationalResponse):
                return
    except h11.RemoteProtocolError as error:
        raise Broken(f"{error}: {data!r}") from error


def _message(head: Any, body: bytes) -> Message:
    start = (head.method, head.target) if isinstance(head, h11.Request) else (head.status_code,)
    return Message(start, tuple(head.headers), body)


def plainly_read(data: bytes) -> tuple[list[Message], bool]:
    """The requests that h11 finds in what a client sends, and whether it stopped because of an error.

    Empty lines between requests are skipped for it.
    """
    found: list[Message] = []
    while data := data.lstrip(b"\r\n"):
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        try:
            message = next(_messages(reader, data), None)
        except Broken:
            return found, True
        if message is None:
            break
        found.append(message)
        data = reader.trailing_data[0]
    return found, False
