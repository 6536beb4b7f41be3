"""Replies in protobuf, for the clients that take nothing else.

Model. Every part of the server answers in JSON; most typed Go clients name protobuf first and take JSON. A client
that does not gets the JSON translated on its way out: an object, a list, an error, each event of a watch. That costs
time for each object, so it is done for nobody else. Custom resources have no form in protobuf, neither have tables:
their requests are refused with 406 before they come here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import cast

import orjson

from .errors import NotAcceptable
from .media_types import JSON, OFFERED, PROTOBUF, ranges
from .schema.protobuf_writing import NotEncodable, encode, encode_event
from .transport.messages import Flow, Headers, Outlet, Reply

_MEDIA = PROTOBUF.encode()


def in_json(accept: str) -> str:
    """The Accept header with JSON in the place of protobuf when the client takes nothing else; else as it is."""
    return accept.replace(PROTOBUF, JSON) if _only_protobuf(accept) else accept


def _only_protobuf(accept: str) -> bool:
    if PROTOBUF not in accept:
        return False
    taken = ranges(accept)
    return any(one.media == PROTOBUF for one in taken) and not any(
        one.covers(offered) for one in taken for offered in OFFERED
    )


def translates(accept: bytes, content_type: str) -> bool:
    """Whether an answer of this type leaves as protobuf. Until then it must stay readable: nothing compresses it."""
    return _MEDIA in accept and content_type.partition(";")[0] == JSON and _only_protobuf(accept.decode("latin-1"))


def translated(reply: Reply, accept: bytes) -> Reply:
    """The reply in protobuf, when the client takes nothing else and it is JSON."""
    if _MEDIA not in accept or reply.code == NotAcceptable.code:
        return reply
    kinds = [value for name, value in reply.headers if name.lower() == b"content-type"]
    if not kinds or not translates(accept, kinds[0].decode("latin-1")):
        return reply
    if isinstance(reply.body, Sequence):
        return _whole(reply, reply.body)
    headers = _typed(reply.headers, _MEDIA + b";stream=watch")
    if isinstance(reply.body, AsyncIterator):
        return Reply(reply.code, _typed(reply.headers, _MEDIA), _gathered(reply.body))
    return Reply(reply.code, headers, _Frames(reply.body))


def _whole(reply: Reply, pieces: Sequence[bytes]) -> Reply:
    try:
        body = encode(orjson.loads(b"".join(pieces)))
    except (NotEncodable, orjson.JSONDecodeError):
        error = NotAcceptable(OFFERED)
        return Reply(error.code, reply.headers, (error.body(),))
    return Reply(reply.code, _typed(reply.headers, _MEDIA), (body,))


def _typed(headers: Headers, kind: bytes) -> Headers:
    return [(name, kind if name.lower() == b"content-type" else value) for name, value in headers]


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A list that comes in parts is one message."""
    yield encode(orjson.loads(b"".join([chunk async for chunk in chunks])))


class _Frames:
    """A watch whose lines become frames."""

    def __init__(self, inner: Flow) -> None:
        self._inner = inner

    def open(self, outlet: Outlet) -> None:
        self._inner.open(_Framing(outlet))

    def resume(self) -> None:
        self._inner.resume()

    def close(self) -> None:
        self._inner.close()


class _Framing:
    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    @property
    def writable(self) -> bool:
        return self._outlet.writable

    def send(self, messages: Sequence[bytes]) -> None:
        lines = [line for message in messages for line in message.split(b"\n") if line]
        self._outlet.send([encode_event(cast("dict[str, object]", orjson.loads(line))) for line in lines])

    def end(self) -> None:
        self._outlet.end()
