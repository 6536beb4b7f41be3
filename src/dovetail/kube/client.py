"""The client: the verbs of the Kubernetes REST API over one `Transport`.

Objects go in and come out as plain mappings. Every refusal is an `ApiError` of the fitting class. Lists are fetched
page by page and come back whole. `impersonate` gives a view that shares connections and cache but acts as another user.

It does not keep objects (`informer` does), does not retry conflicts (the caller knows what changed), and does not speak
the upgrade protocols (exec, port-forward): `stream` and `request` are the seams for what it lacks.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

import orjson

from dovetail.kube.answers import complete, read_object, refusal
from dovetail.kube.catalog import Catalog
from dovetail.kube.config import ClusterConfig
from dovetail.kube.discovery import ServedResource
from dovetail.kube.errors import Gone, InvalidPath, WatchBroken
from dovetail.kube.impersonation import impersonation_headers
from dovetail.kube.objects import key_of
from dovetail.kube.options import Propagation, delete_options, selectors, write_options
from dovetail.kube.resources import Object, Resource, ResourceLike, api_version_of, path_of
from dovetail.kube.transport import Headers, Query, Request, RequestObserver, Response, Stream, Transport
from dovetail.kube.watching import LineSplitter, WatchEvent, read_event

USER_AGENT = "dovetail"
REQUEST_TIMEOUT = 30.0
LIST_TIMEOUT = 120.0
WATCH_TIMEOUT = 290.0
WATCH_GRACE = 15.0
PAGE = 500
_MAX_ERROR = 4 * 1024 * 1024

# Methods are called `list` here, so annotations of the class cannot say list[...]: these say it outside.
Patch = Mapping[str, Any] | list[Any]
"""A merge patch, or the operations of a JSON patch."""
Body = bytes | Mapping[str, Any] | list[Any] | None
Objects = list[Object]
HeaderList = list[tuple[str, str]]
ServedResources = list[ServedResource]

PatchContent = Literal["merge", "json", "strategic"]
_PATCH_TYPES: Mapping[str, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


@dataclass(frozen=True, slots=True)
class ObjectList:
    """A list at one moment: `resource_version` is where a watch goes on."""

    items: list[Object]
    resource_version: str


class Client:
    """One cluster as one user; an async context manager (or call `close`)."""

    def __init__(
        self,
        config: ClusterConfig,
        *,
        user_agent: str = USER_AGENT,
        timeout: float = REQUEST_TIMEOUT,
        observer: RequestObserver | None = None,
    ) -> None:
        self.config = config
        self._transport = Transport(config, user_agent, observer)
        self._timeout = timeout
        self._headers: list[tuple[str, str]] = []
        if config.impersonate_user:
            self._headers = impersonation_headers(
                config.impersonate_user,
                config.impersonate_groups,
                config.impersonate_uid,
                dict(config.impersonate_extra),
            )
        self._catalog = Catalog(self._fetch)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection, those of impersonating views included."""
        await self._transport.close()

    def impersonate(
        self, user: str, groups: Iterable[str] = (), uid: str = "", extra: Mapping[str, Iterable[str]] | None = None
    ) -> "Client":
        """A view that acts as this user; it lives as long as this client. Raises ConfigError for unusable values."""
        view = object.__new__(Client)
        view.config, view._transport, view._timeout = self.config, self._transport, self._timeout
        view._headers = impersonation_headers(user, groups, uid, extra)
        view._catalog = self._catalog
        return view

    async def get(
        self, resource: ResourceLike, name: str, namespace: str | None = None, *, metadata_only: bool = False
    ) -> Object:
        """One object. Raises NotFound."""
        accept = [("Accept", _METADATA)] if metadata_only else []
        obj = await self._object("GET", path_of(resource, namespace, name), headers=accept)
        if metadata_only:
            complete([obj], resource, metadata_only)
        return obj

    async def list(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        metadata_only: bool = False,
    ) -> ObjectList:
        """All objects that match; `limit` is the page size (0: 500), not a bound on the result.

        Items carry apiVersion and kind even where the API leaves them out. With `metadata_only` they have nothing but
        metadata. Raises ApiError; a list that outlives the server's snapshot is fetched again in one piece.
        """
        query = selectors(label_selector, field_selector) | {"limit": str(limit or PAGE)}
        try:
            return await self._pages(resource, namespace, query, metadata_only)
        except Gone:
            del query["limit"]
            return await self._pages(resource, namespace, query, metadata_only)

    async def create(
        self,
        resource: ResourceLike,
        obj: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
        field_manager: str | None = None,
        subresource: str | None = None,
    ) -> Object:
        """The created object. The namespace is the argument's, else the object's. Raises AlreadyExists, Invalid."""
        key = key_of(obj)
        namespace = namespace or key.namespace or None
        if resource.namespaced and namespace is None:
            raise InvalidPath(resource.plural, "namespace", "", "is missing in the object that is to be created")
        name = key.name if subresource else None
        return await self._object(
            "POST",
            path_of(resource, namespace, name, subresource),
            body=obj,
            query=write_options(dry_run, field_manager),
        )

    async def update(
        self,
        resource: ResourceLike,
        obj: Mapping[str, Any],
        *,
        subresource: str | None = None,
        dry_run: bool = False,
        field_manager: str | None = None,
    ) -> Object:
        """Replace the object; with its resourceVersion set, only that version. Raises Conflict, NotFound, Invalid."""
        return await self._object(
            "PUT", _object_path(resource, obj, subresource), body=obj, query=write_options(dry_run, field_manager)
        )

    async def patch(
        self,
        resource: ResourceLike,
        name: str,
        patch: Patch,
        namespace: str | None = None,
        *,
        content: PatchContent = "merge",
        subresource: str | None = None,
        dry_run: bool = False,
        field_manager: str | None = None,
    ) -> Object:
        """The patched object. A `metadata.resourceVersion` or `uid` inside a merge patch is a precondition."""
        return await self._object(
            "PATCH",
            path_of(resource, namespace, name, subresource),
            body=patch,
            query=write_options(dry_run, field_manager),
            headers=[("Content-Type", _PATCH_TYPES[content])],
        )

    async def apply(
        self,
        resource: ResourceLike,
        obj: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: `obj` is all that `field_manager` wants. Raises Conflict naming other managers' fields."""
        intent = {"apiVersion": api_version_of(resource), "kind": resource.kind, **obj}
        return await self._object(
            "PATCH",
            _object_path(resource, obj, subresource),
            body=intent,
            query=write_options(dry_run, field_manager) | {"force": "true" if force else "false"},
            headers=[("Content-Type", "application/apply-patch+yaml")],
        )

    async def delete(
        self,
        resource: ResourceLike,
        name: str,
        namespace: str | None = None,
        *,
        propagation: Propagation | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_period: int | None = None,
    ) -> Object:
        """The object if finalizers hold it, else a Status. Raises NotFound, Conflict (a precondition failed)."""
        options = delete_options(propagation, uid, resource_version, grace_period)
        return await self._object("DELETE", path_of(resource, namespace, name), body=options)

    async def delete_collection(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        propagation: Propagation | None = None,
    ) -> Object:
        """Delete all objects that match. Raises ApiError 405 where the resource does not offer it."""
        return await self._object(
            "DELETE",
            path_of(resource, namespace),
            body=delete_options(propagation, None, None, None),
            query=selectors(label_selector, field_selector),
            timeout=LIST_TIMEOUT,
        )

    async def watch(
        self,
        resource: ResourceLike,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str = "",
        field_selector: str = "",
        timeout: float = WATCH_TIMEOUT,
        metadata_only: bool = False,
    ) -> AsyncGenerator[WatchEvent]:
        """Changes after `resource_version`, bookmarks included, until the server ends the stream (after `timeout` s).

        Raises Gone when the version is no longer kept, WatchBroken or Unreachable when the stream breaks.
        """
        query = selectors(label_selector, field_selector) | {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, int(timeout))),
        }
        if resource_version:
            query["resourceVersion"] = resource_version
        headers = [("Accept", _METADATA if metadata_only else "application/json")]
        request = Request("GET", path_of(resource, namespace), query, headers)
        splitter = LineSplitter()
        async with self._stream(request, idle=timeout + WATCH_GRACE) as stream:
            await _check(stream, request)
            async for chunk in stream.chunks():
                for line in splitter.feed(chunk):
                    yield read_event(line)
        if splitter.pending:
            raise WatchBroken(self.config.server, f"a watch of {resource.plural} ended within an event")

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """Any request, any status: 4xx and 5xx are not raised. `path` is percent-encoded; mappings go as JSON."""
        return await self._send(
            Request(method, path, query or (), headers or (), _encode(body)), timeout or self._timeout
        )

    def stream(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        idle: float = 60.0,
    ) -> AbstractAsyncContextManager[Stream]:
        """Any request whose answer is read piece by piece (`async with ... as stream`), such as a pod's log.

        `idle` bounds the silence between two pieces in seconds. The caller checks `stream.status`.
        """
        return self._stream(Request(method, path, query or (), headers or (), body), idle)

    async def discover(self, api_version: str, kind: str) -> Resource:
        """The resource of a kind; cached. Raises UnknownKind."""
        return await self._catalog.find(api_version, kind)

    async def discover_all(self) -> ServedResources:
        """Every resource of every version that the cluster serves now; refreshes the cache of `discover`."""
        return await self._catalog.all()

    def forget_discovery(self) -> None:
        """Empty the cache of `discover`; call it when CRDs change."""
        self._catalog.forget()

    async def _pages(
        self, resource: ResourceLike, namespace: str | None, query: dict[str, str], metadata_only: bool
    ) -> ObjectList:
        path = path_of(resource, namespace)
        items: Objects = []
        accept = [("Accept", _METADATA_LIST if metadata_only else "application/json")]
        version, token = "", ""
        while True:
            page = await self._object(
                "GET", path, query=query | {"continue": token} if token else query, headers=accept, timeout=LIST_TIMEOUT
            )
            meta: Mapping[str, Any] = page.get("metadata") or {}
            items += cast("Objects", page.get("items") or [])
            version, token = str(meta.get("resourceVersion") or version), str(meta.get("continue") or "")
            if not token:
                break
        complete(items, resource, metadata_only)
        return ObjectList(items, version)

    async def _fetch(self, path: str, accept: str) -> Mapping[str, Any]:
        return await self._object("GET", path, headers=[("Accept", accept)])

    async def _object(
        self,
        method: str,
        path: str,
        *,
        body: Body = None,
        query: Query = (),
        headers: HeaderList | None = None,
        timeout: float | None = None,
    ) -> Object:
        request = Request(method, path, query, headers or (), _encode(body))
        response = await self._send(request, timeout or self._timeout)
        if response.status >= 300:
            raise refusal(request, response.status, response.body)
        return read_object(request, response.body)

    async def _send(self, request: Request, timeout: float) -> Response:
        return await self._transport.send(self._dressed(request), timeout)

    def _stream(self, request: Request, idle: float) -> AbstractAsyncContextManager[Stream]:
        return self._transport.stream(self._dressed(request), idle)

    def _dressed(self, request: Request) -> Request:
        given = list(request.headers.items()) if isinstance(request.headers, Mapping) else list(request.headers)
        names = {name.lower() for name, _ in given}
        if "accept" not in names:
            given.append(("Accept", "application/json"))
        if request.body is not None and "content-type" not in names:
            given.append(("Content-Type", "application/json"))
        headers: Headers = [*given, *self._headers]
        return Request(request.method, request.path, request.query, headers, request.body)


def _object_path(resource: ResourceLike, obj: Mapping[str, Any], subresource: str | None) -> str:
    key = key_of(obj)
    return path_of(resource, key.namespace or None, key.name, subresource)


def _encode(body: Body) -> bytes | None:
    return body if body is None or isinstance(body, bytes) else orjson.dumps(body)


async def _check(stream: Stream, request: Request) -> None:
    if stream.status >= 300:
        raise refusal(request, stream.status, await stream.read(_MAX_ERROR))
