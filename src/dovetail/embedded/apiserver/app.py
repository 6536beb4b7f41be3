"""The ASGI application: who asks, may they, which resource, what is the answer. No framework: paths are data.

Order as in kube-apiserver: authenticate, parse the path, authorize, then find the resource (so that nobody without
rights learns what exists). Every error leaves as a ``metav1.Status``. A stream ends as soon as the client is gone: it
races ``receive``.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from email.utils import formatdate
from typing import Any

from .access.authentication import Authenticator, Peer
from .access.identity import User
from .access.rbac import Attributes, forbidden_sentence
from .discovery.endpoints import Endpoints
from .errors import Forbidden, InternalError, NoSuchPath, StatusError, TooLarge, Unavailable
from .requests import Query, RequestInfo, parse
from .verbs.answer import JSON, Answer, Stream
from .verbs.call import Api, Call
from .verbs.dispatch import dispatch

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_LIMIT = 3 * 1024 * 1024  # kube-apiserver's limit for JSON bodies
BODY_SECONDS = 60.0
_log = logging.getLogger("dovetail.embedded.apiserver")


class App:
    """``peer_of(scope)`` gives the subject of the connection's client certificate."""

    def __init__(
        self, api: Api, authenticator: Authenticator, endpoints: Endpoints, peer_of: Callable[[Message], Peer | None]
    ) -> None:
        self._api, self._authenticator, self._endpoints, self._peer_of = api, authenticator, endpoints, peer_of

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        warnings: list[str] = []
        try:
            answer = await self._answer(scope, receive, warnings)
        except StatusError as error:
            answer = _failure(error)
        except Exception as error:
            _log.exception("request failed", extra={"path": scope["path"], "method": scope["method"]})
            answer = _failure(InternalError(f"{type(error).__name__}"))
        if isinstance(answer, Stream):
            await _stream(answer, receive, send)
        else:
            await _send(answer, warnings, send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Message, receive: Receive, warnings: list[str]) -> Answer | Stream:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        user = self._authenticator.identify(self._peer_of(scope), headers)
        query = Query(scope["query_string"])
        info = parse(scope["method"], scope["raw_path"].decode("latin-1"), query)
        self._authorize(user, info, query)
        if not info.is_resource:
            return self._endpoints.answer(info, dict(headers), query)
        resource = self._api.catalogue.find(info.group, info.version, info.plural)
        if resource is None or (info.namespace and not resource.namespaced and info.plural != "namespaces"):
            raise NoSuchPath
        if resource.namespaced and not info.namespace and (info.name or info.verb in ("create", "deletecollection")):
            raise NoSuchPath
        known = dict(headers)
        body = await _read(receive) if scope["method"] not in ("GET", "HEAD") else b""
        call = Call(
            self._api, info, resource, user, query, body,
            content_type=known.get(b"content-type", b"application/json").decode("latin-1"),
            accept=known.get(b"accept", b"").decode("latin-1"),
            user_agent=known.get(b"user-agent", b"").decode("latin-1"), warnings=warnings,
        )  # fmt: skip
        return await dispatch(call)

    def _authorize(self, user: User, info: RequestInfo, query: Query) -> None:
        if info.is_resource:
            name = info.name or _selected_name(info, query)
            asked = Attributes(info.verb, info.group, info.plural, info.subresource, info.namespace, name)
        else:
            asked = Attributes(info.verb, path=info.path)
        if not self._api.authorizer.allows(user, asked):
            raise Forbidden(info.group, info.dotted, info.name, forbidden_sentence(user, asked))


def _selected_name(info: RequestInfo, query: Query) -> str:
    """A list or watch of one object by field selector is asked for under its name."""
    if info.verb not in ("list", "watch", "deletecollection"):
        return ""
    for term in query.get("fieldSelector").split(","):
        field, found, value = term.partition("=")
        if found and field == "metadata.name":
            return value.lstrip("=")
    return ""


async def _read(receive: Receive) -> bytes:
    """The whole body. Raises TooLarge beyond BODY_LIMIT."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Unavailable("the client went away")
                part = message.get("body", b"")
                size += len(part)
                if size > BODY_LIMIT:
                    raise TooLarge(BODY_LIMIT)
                parts.append(part)
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError as error:
        raise Unavailable("the request body did not arrive in time") from error


def _failure(error: StatusError) -> Answer:
    headers: tuple[tuple[bytes, bytes], ...] = ()
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        headers = ((b"retry-after", str(seconds).encode()),)
    return Answer(error.body(), error.code, JSON, headers)


def _headers(content_type: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"audit-id", str(uuid.uuid4()).encode()),
        (b"cache-control", b"no-cache, private"),
        (b"content-type", content_type.encode()),
        (b"date", formatdate(usegmt=True).encode()),
    ]


def _warning(text: str) -> tuple[bytes, bytes]:
    """A Warning header (RFC 7234). The text quotes names that clients chose: control characters must not reach the
    header.
    """
    printable = "".join(char if char.isprintable() else "?" for char in text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"')
    return b"warning", f'299 - "{escaped}"'.encode("latin-1", "replace")


async def _send(answer: Answer, warnings: list[str], send: Send, *, head: bool) -> None:
    headers = _headers(answer.content_type)
    headers += answer.headers
    headers += [_warning(text) for text in dict.fromkeys(warnings)]
    pieces = answer.pieces
    headers.append((b"content-length", str(sum(map(len, pieces))).encode()))
    await send({"type": "http.response.start", "status": answer.code, "headers": headers})
    if not head:
        for piece in pieces[:-1]:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"" if head else pieces[-1]})


async def _stream(stream: Stream, receive: Receive, send: Send) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": _headers(stream.content_type)}
    await send(start)
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    pump = asyncio.create_task(_pump(stream.chunks, send), name="watch")
    gone = asyncio.create_task(_gone(receive), name="watch-disconnect")
    try:
        await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        if pump.done() and not pump.cancelled() and (error := pump.exception()) is not None:
            _log.error("watch failed", exc_info=error)
    finally:
        for task in (pump, gone):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(pump, gone, return_exceptions=True)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pump(chunks: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
