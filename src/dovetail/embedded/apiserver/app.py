"""The application: who asks, may they, which resource, what is the answer. No framework: paths are data.

Order as in kube-apiserver: authenticate, parse the path, authorize, then find the resource (so that nobody without
rights learns what exists). Every error leaves as a ``metav1.Status``. A get is answered at once, without a task; what
may wait (writes, large answers that are compressed) is awaited, within ``timeout``.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable
from dataclasses import dataclass
from time import perf_counter
from typing import cast

from .access.authentication import Authenticator
from .access.identity import User
from .access.rbac import Attributes
from .aggregation.aggregator import Aggregator
from .aggregation.backends import Backend
from .compression import GZIP_HEADERS, compressed, compressed_chunks, wants_gzip
from .discovery.endpoints import Endpoints
from .errors import BadRequest, Forbidden, InternalError, MethodNotAllowed, NoSuchPath, StatusError, TooLarge
from .media_types import JSON
from .overload import Overload
from .protobuf_replies import in_json, translated
from .replies import headers_of, pretty, reply_to_error
from .requests import Query, RequestInfo, parse, timeout_seconds
from .transport.messages import BODY_LIMIT, Reply, Request
from .transport.outlets import bearer
from .verbs import reading, watching
from .verbs.answer import Answer, Stream
from .verbs.call import Api, Call
from .verbs.dispatch import dispatch


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An authorized request for a group and version that an aggregated API server serves."""

    backend: Backend
    user: User


Result = Answer | Stream | watching.Watch | Elsewhere
_log = logging.getLogger("dovetail.embedded.apiserver")
_ORJSON_TOO_DEEP = "Recursion limit reached"


class PageNotFound(Exception):
    """A path below which nothing is served at all: told in plain text, as Go's server does, not as a Status."""


class RequestTimeout(StatusError):
    code, reason = 504, "Timeout"

    def __init__(self) -> None:
        super().__init__("Timeout: request did not complete within requested timeout - context deadline exceeded", {})


class App:
    """The ``Application`` of the transport."""

    def __init__(self, api: Api, authenticator: Authenticator, endpoints: Endpoints, aggregator: Aggregator) -> None:
        self._api, self._authenticator, self._endpoints = api, authenticator, endpoints
        self._aggregator = aggregator
        self._overload = Overload()

    def respond(self, request: Request) -> Reply | Awaitable[Reply]:
        started = perf_counter()
        served: list[RequestInfo] = []
        reply = self._respond(request, served)
        if not isinstance(reply, Reply):
            return self._counted(reply, served, started)
        if served:
            self._endpoints.metrics.observed(served[0], reply.code, perf_counter() - started)
        return reply

    def _count_watch(self, watch: watching.Watch, served: list[RequestInfo]) -> None:
        if served:
            running, info = self._endpoints.metrics.running, served[0]
            running(info, 1)
            watch.on_close = lambda: running(info, -1)

    async def _counted(self, waiting: Awaitable[Reply], served: list[RequestInfo], started: float) -> Reply:
        metrics = self._endpoints.metrics
        for info in served:
            metrics.running(info, 1)
        try:
            reply = await waiting
        finally:
            for info in served:
                metrics.running(info, -1)
        for info in served:
            metrics.observed(info, reply.code, perf_counter() - started)
        return reply

    def _respond(self, request: Request, served: list[RequestInfo]) -> Reply | Awaitable[Reply]:
        """``served`` gets the request when what it asks for exists: only such requests are counted, by their names."""
        warnings: list[str] = []
        try:
            result = self._begin(request, warnings, served)
            if isinstance(result, Answer):
                if wants_gzip(request, result):
                    return self._compress(request, result, warnings)
                return self._reply(request, result, warnings)
            if isinstance(result, Stream):
                return self._stream(request, result)
            if isinstance(result, watching.Watch):
                self._count_watch(result, served)
                return _sent(request, Reply(200, headers_of(request, result.content_type), result))
            if isinstance(result, Elsewhere):
                return self._forwarded(request, result)
            return self._finish(request, result, warnings)
        except Exception as error:
            return self._failure(request, error)

    async def _finish(self, request: Request, waiting: Awaitable[Answer | Stream], warnings: list[str]) -> Reply:
        try:
            answer = await waiting
            if isinstance(answer, Stream):
                return self._stream(request, answer)
            if wants_gzip(request, answer):
                return await self._compress(request, answer, warnings)
            return self._reply(request, answer, warnings)
        except Exception as error:
            return self._failure(request, error)

    async def _forwarded(self, request: Request, elsewhere: Elsewhere) -> Reply:
        try:
            return await self._aggregator.answer(elsewhere.backend, request, elsewhere.user)
        except Exception as error:
            return self._failure(request, error)

    def _failure(self, request: Request, error: Exception) -> Reply:
        if isinstance(error, PageNotFound):
            return Reply(
                404, headers_of(request, "text/plain; charset=utf-8", nosniff=True), (b"404 page not found\n",)
            )
        if isinstance(error, sqlite3.Error):
            _log.error("the database failed: %s (%s %s)", error, request.method, request.path)
            error = InternalError(f"the database cannot be used: {error}")
        if isinstance(error, RecursionError) or (isinstance(error, TypeError) and str(error) == _ORJSON_TOO_DEEP):
            error = BadRequest("the object is nested too deeply")
        if not isinstance(error, StatusError):
            _log.error("request failed: %s %s", request.method, request.path, exc_info=error)
            error = InternalError(type(error).__name__)
        return _sent(request, reply_to_error(request, error))

    def _begin(
        self, request: Request, warnings: list[str], served: list[RequestInfo]
    ) -> Result | Awaitable[Answer | Stream]:
        headers = request.headers
        if request.upgrade == "websocket" and (token := bearer(request.header(b"sec-websocket-protocol"))):
            headers = [*headers, (b"authorization", b"Bearer " + token.encode())]
        user = self._authenticator.identify(request.peer, headers)
        query = Query(request.query)
        info = parse(request.method, request.path, query)
        self._authorize(user, info, query)
        if request.oversized:
            raise TooLarge(BODY_LIMIT)
        if (backend := self._aggregator.backend(info)) is not None:
            return Elsewhere(backend, user)
        if not info.is_resource:
            return self._endpoint(info, request, query)
        resource = self._api.catalogue.find(info.group, info.version, info.plural)
        if resource is None or (info.namespace and not resource.namespaced and info.plural != "namespaces"):
            raise self._missing(info)
        if resource.namespaced and not info.namespace and (info.name or info.verb in ("create", "deletecollection")):
            raise NoSuchPath
        served.append(info)
        known = dict(headers)
        accept = known.get(b"accept", b"").decode("latin-1")
        call = Call(
            self._api, info, resource, user, query, request.body,
            content_type=known.get(b"content-type", b"application/json").decode("latin-1"),
            accept=in_json(accept) if resource.custom is None else accept,
            user_agent=known.get(b"user-agent", b"").decode("latin-1"), warnings=warnings,
        )  # fmt: skip
        if resource.deprecation:
            warnings.append(resource.deprecation)
        if not info.subresource and info.verb in ("get", "list", "watch"):
            return self._read(call)
        return self._within(call, timeout_seconds(query))

    def _endpoint(self, info: RequestInfo, request: Request, query: Query) -> Answer:
        try:
            return self._endpoints.answer(info, dict(request.headers), query)
        except NoSuchPath as error:
            raise PageNotFound from error

    def _missing(self, info: RequestInfo) -> Exception:
        """An unknown resource of a built-in version is a Status; of anything else there is no page."""
        served = self._api.catalogue.of(info.group, info.version)
        return NoSuchPath() if any(resource.custom is None for resource in served) else PageNotFound()

    def _read(self, call: Call) -> Result:
        if call.info.verb not in call.resource.verbs:
            raise MethodNotAllowed(call.resource.group, call.resource.plural, call.info.verb)
        if call.info.verb == "get":
            return reading.get(call)
        if call.info.verb == "list":
            return reading.list_objects(call)
        return watching.watch(call)

    async def _within(self, call: Call, seconds: float) -> Answer | Stream:
        with self._overload.admitted():
            try:
                async with asyncio.timeout(seconds):
                    return await dispatch(call)
            except TimeoutError as error:
                raise RequestTimeout from error
            except StatusError:
                # A refusal may rest on what others wrote in this tick: who reads after it must find that.
                await self._api.store.committed()
                raise

    def _authorize(self, user: User, info: RequestInfo, query: Query) -> None:
        if info.is_resource:
            name = info.name or _selected_name(info, query)
            asked = Attributes(info.verb, info.group, info.plural, info.subresource, info.namespace, name)
        else:
            asked = Attributes(info.verb, path=info.path)
        if not self._api.authorizer.allows(user, asked):
            raise Forbidden(info.group, info.plural, asked.name, self._api.authorizer.refusal(user, asked))

    def _reply(self, request: Request, answer: Answer, warnings: list[str]) -> Reply:
        pieces = answer.pieces
        if answer.content_type == JSON and (indented := pretty(request, pieces)) is not None:
            pieces = [indented]
        headers = headers_of(request, answer.content_type, answer.headers, warnings)
        return _sent(request, Reply(answer.code, headers, pieces))

    async def _compress(self, request: Request, answer: Answer, warnings: list[str]) -> Reply:
        plain = self._reply(request, answer, warnings)
        body = await compressed(cast("list[bytes]", plain.body))
        return Reply(plain.code, [*plain.headers, *GZIP_HEADERS], [body])

    def _stream(self, request: Request, stream: Stream) -> Reply:
        headers = headers_of(request, stream.content_type)
        if wants_gzip(request, stream):
            return Reply(200, [*headers, *GZIP_HEADERS], compressed_chunks(stream.chunks))
        return _sent(request, Reply(200, headers, stream.chunks))


def _sent(request: Request, reply: Reply) -> Reply:
    """The server's own replies in the form that the client takes; those of aggregated servers pass as they are."""
    return translated(reply, request.header(b"accept"))


def _selected_name(info: RequestInfo, query: Query) -> str:
    """A list or watch of one object by field selector is asked for under its name."""
    if info.verb not in ("list", "watch", "deletecollection"):
        return ""
    for term in query.get("fieldSelector").split(","):
        field, found, value = term.partition("=")
        if found and field == "metadata.name":
            return value.lstrip("=")
    return ""
