"""/kapis/<group>/<version>/...: get, list, create, update, patch and delete on every served kind.

    /<plural>[/{name}]                                         all kinds
    /workspaces/{workspace}/<plural>[/{name}]                  kinds of workspaces
    /namespaces/{namespace}/<plural>[/{name}]                  namespaced kinds
    /workspaces/{workspace}/namespaces/{namespace}/<plural>[/{name}]

Lists have Kubernetes' envelope with the total where a token would be (reference/kubesphere-core.md 1.9), and the query
grammar of `listing`. Watching is Kubernetes' own business: `/apis/...` through the gateway. Other people's kinds share
one route of each shape; those of the platform have their own, so that the OpenAPI documents name them.

The path is read twice, by the router and by the authorizer's grammar; a path that they read differently is refused.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, cast

import yaml
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.yaml_depth import refuse_depth
from dovetail.iam.attributes import parse
from dovetail.platform.answers import NO_STORE, body_of, json_answer, json_body, json_list, media_type
from dovetail.platform.bound_bodies import Target
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.described_verbs import PATCH_TYPES, described_verb
from dovetail.platform.errors import BadRequest, Missing, UnknownMediaType
from dovetail.platform.generic_reads import ObjectReads
from dovetail.platform.generic_writes import ObjectPatch, ObjectWrites
from dovetail.platform.listing import read_query
from dovetail.platform.served_kinds import ServedKind, Verb, foreign_kind, own_kinds
from dovetail.platform.shown_objects import shown
from dovetail.platform.write_options import read_options

_BODY_LIMIT: Final = 3 << 20
"""Kubernetes' own limit of a request."""

KindOf = Callable[[Request], ServedKind]
Handler = Callable[[ServedKind, Request], Awaitable[Response]]
_METHODS: Final[dict[Verb, str]] = {
    "list": "GET", "get": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE",
}  # fmt: skip
_IN_WORKSPACE, _IN_NAMESPACE = "/workspaces/{workspace}", "/namespaces/{namespace}"
_DEEPER: Final = (_IN_WORKSPACE, _IN_NAMESPACE, _IN_WORKSPACE + _IN_NAMESPACE)
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\Z")


class Generic:
    """The endpoints of all served kinds."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps
        self._reads = ObjectReads(deps)
        self._writes = ObjectWrites(deps, self._reads)
        self._handlers: dict[Verb, Handler] = {
            "list": self._list, "get": self._get, "create": self._create, "update": self._update,
            "patch": self._patch, "delete": self._delete,
        }  # fmt: skip

    def routes(self) -> list[Route]:
        own = [route for kind in own_kinds() for route in self._routes_of(kind)]
        return [*own, *self._foreign_routes()]

    def _routes_of(self, kind: ServedKind) -> Iterator[Route]:
        resource = kind.resource
        base = f"/kapis/{resource.group}/{resource.version}"
        for verb in kind.verbs:
            for place in _places(kind, verb):
                yield self._route(f"{base}{place}/{resource.plural}", verb, lambda _: kind, resource.kind)

    def _foreign_routes(self) -> Iterator[Route]:
        for verb in _METHODS:
            for place in ("", *_DEEPER):
                yield self._route(f"/kapis/{{group}}/{{version}}{place}/{{plural}}", verb, self._foreign, "")

    def _route(self, path: str, verb: Verb, kind_of: KindOf, kind: str) -> Route:
        handler = self._handlers[verb]

        async def endpoint(request: Request) -> Response:
            return await handler(kind_of(request), request)

        whole = path if verb in {"list", "create"} else path + "/{name}"
        return Route(whole, described_verb(verb, kind)(endpoint), methods=[_METHODS[verb]])

    async def _list(self, kind: ServedKind, request: Request) -> Response:
        if "watch" in request.query_params:
            raise BadRequest("the query parameter 'watch' is not known here; watch through /apis/...")
        target = self._target(kind, request)
        query = read_query(request.query_params.multi_items())
        return json_answer(await self._reads.list(target, query), headers=NO_STORE)

    async def _get(self, kind: ServedKind, request: Request) -> Response:
        read_options(request, ())
        target = self._target(kind, request)
        return _answer(await self._reads.get(target), target)

    async def _create(self, kind: ServedKind, request: Request) -> Response:
        options = read_options(request, ("dryRun", "fieldManager"))
        target = self._target(kind, request)
        body = await json_body(request, _BODY_LIMIT)
        return _answer(await self._writes.create(target, body, caller(request), options), target, 201)

    async def _update(self, kind: ServedKind, request: Request) -> Response:
        options = read_options(request, ("dryRun", "fieldManager"))
        target = self._target(kind, request)
        body = await json_body(request, _BODY_LIMIT)
        return _answer(await self._writes.update(target, body, caller(request), options), target)

    async def _patch(self, kind: ServedKind, request: Request) -> Response:
        options = read_options(request, ("dryRun", "fieldManager", "force"))
        target = self._target(kind, request)
        patch = await _read_patch(request)
        if patch.kind == "apply" and "fieldManager" not in request.query_params:
            raise BadRequest("the query parameter 'fieldManager' is needed to apply")
        return _answer(await self._writes.patch(target, patch, caller(request), options), target)

    async def _delete(self, kind: ServedKind, request: Request) -> Response:
        options = read_options(request, ("propagationPolicy",))
        target = self._target(kind, request)
        if (await body_of(request)).strip() not in {b"", b"{}"}:
            raise BadRequest("a body is not read here; say propagationPolicy in the query")
        return _answer(await self._writes.delete(target, options), target)

    def _foreign(self, request: Request) -> ServedKind:
        wanted = request.path_params
        kind = foreign_kind(self._deps.definitions(), wanted["group"], wanted["version"], wanted["plural"])
        if kind is None:
            raise Missing("there is no such path")
        return kind

    def _target(self, kind: ServedKind, request: Request) -> Target:
        """What the URL is about. Raises BadRequest, Missing."""
        given = request.path_params
        target = Target(kind, given.get("workspace", ""), given.get("namespace", ""), given.get("name", ""))
        raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
        read = parse(request.method, raw.decode("latin-1"))
        decided = (read.resource, read.workspace, read.namespace, read.name, read.subresource)
        if decided != (kind.resource.plural, target.workspace, target.namespace, target.name, ""):
            raise BadRequest("the path can be read in more than one way")
        if not _known_place(target, request.method):
            raise Missing("there is no such path")
        if target.name and not _NAME.match(target.name):
            raise Missing(f"{target.described} not found")
        whole = target.workspace and target.namespace
        if whole and self._deps.policy().namespaces.get(target.namespace) != target.workspace:
            raise Missing(f'namespaces "{target.namespace}" not found in the workspace "{target.workspace}"')
        return target


def _places(kind: ServedKind, verb: Verb) -> tuple[str, ...]:
    """What may stand in front of the plural."""
    if kind.home == "platform":
        return ("",)
    if kind.home == "workspace":
        return ("", _IN_WORKSPACE)
    return ("", *_DEEPER) if verb == "list" else _DEEPER[1:]


def _known_place(target: Target, method: str) -> bool:
    """Whether the kind lives where the URL says: a place of another scope is no path at all."""
    if target.kind.home == "namespace":
        return bool(target.namespace) or (method in {"GET", "HEAD"} and not target.name)
    return not target.namespace and (target.kind.home != "platform" or not target.workspace)


def _answer(obj: dict[str, Any], target: Target, code: int = 200) -> Response:
    resource = target.kind.resource
    body = shown(obj, resource.group, resource.plural) if "metadata" in obj else obj
    return json_answer(body, code, NO_STORE)


async def _read_patch(request: Request) -> ObjectPatch:
    match media_type(request):
        case "application/merge-patch+json":
            return ObjectPatch("merge", await json_body(request, _BODY_LIMIT))
        case "application/json-patch+json":
            return ObjectPatch("json", await json_list(request, _BODY_LIMIT))
        case "application/apply-patch+yaml":
            return ObjectPatch("apply", _read_yaml(await body_of(request, _BODY_LIMIT)))
        case other:
            raise UnknownMediaType(other, PATCH_TYPES)


def _read_yaml(text: bytes) -> dict[str, Any]:
    try:
        refuse_depth(text)
        value: object = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadRequest("the body is not YAML") from error
    if not isinstance(value, dict):
        raise BadRequest("the body is not an object")
    return cast("dict[str, Any]", value)
