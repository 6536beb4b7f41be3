"""/kapis/tenant.kubesphere.io/v1beta1: the projects (namespaces) that a caller sees, and those of a workspace.

    GET                       /namespaces
    GET|POST                  /workspaces/{workspace}/namespaces
    GET|PUT|PATCH|DELETE      /workspaces/{workspace}/namespaces/{namespace}
    GET                       /workspaces/{workspace}/workspacemembers/{member}/namespaces

A project belongs to the workspace of the URL or is not found. The platform writes as itself, so a body gives a
namespace its labels and annotations and nothing else; the workspace is the URL's, and stays. Names that the platform
and its extensions use for their own namespaces are only for those who may create namespaces anywhere: whoever made
`extension-x` first would read the secrets of extension x later. The same goes for labels that lift the cluster's own
restrictions (Pod Security).
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.iam_v1beta1 import WORKSPACEROLEBINDINGS
from dovetail.apis.labels import CREATOR, EXTENSION_NAMESPACE_PREFIX, WORKSPACE
from dovetail.apis.tenant_v1beta1 import GROUP, WORKSPACES
from dovetail.iam.policy import Identity, Place
from dovetail.iam.tenancy.actions import carry_out
from dovetail.iam.tenancy.membership import Community, members_of
from dovetail.iam.tenancy.projects import (
    GUARDED_ANNOTATIONS,
    PROJECT_ADMIN,
    first_administrator,
    is_system,
    new_project,
    workspace_of_project,
)
from dovetail.iam.visibility import visible
from dovetail.kube.errors import AlreadyExists
from dovetail.kube.objects import annotations_of, is_deleting, key_of, labels_of, resource_version_of, uid_of
from dovetail.kube.resources import NAMESPACES
from dovetail.kube.status import status_body
from dovetail.platform.answers import JSON, NO_STORE, body_of, json_answer, json_body, media_type
from dovetail.platform.callers import caller
from dovetail.platform.catching_up import caught_up, roles_are_made
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, Json, describes
from dovetail.platform.directories import BY_WORKSPACE
from dovetail.platform.errors import AccessDenied, BadRequest, Clash, Missing
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.patches import PATCH_BODIES, again, patched
from dovetail.platform.rights import demand_outside
from dovetail.platform.shown_objects import shown
from dovetail.platform.workspaces import BASES

Object = dict[str, Any]
Objects = list[Object]  # said here because a method is called `list` below

_INSIDE: Final = "/workspaces/{workspace}/namespaces"
_LIFTING: Final = ("pod-security.kubernetes.io/",)

_PROJECT: Final[Json] = {
    "type": "object",
    "description": "A Namespace of Kubernetes.",
    "properties": {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"},
        "metadata": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}  # fmt: skip
_PROJECTS: Final[Json] = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": _PROJECT}, "totalItems": {"type": "integer"}},
}


class Projects:
    """The endpoints of projects."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        reading = [route for base in BASES for route in self._reading(base)]
        path = BASES[0] + _INSIDE
        return [
            *reading,
            Route(path, self.create, methods=["POST"]),
            Route(path + "/{namespace}", self.replace, methods=["PUT"]),
            Route(path + "/{namespace}", self.patch, methods=["PATCH"]),
            Route(path + "/{namespace}", self.delete, methods=["DELETE"]),
        ]

    def _reading(self, base: str) -> list[Route]:
        return [
            Route(base + "/namespaces", self.list, methods=["GET"]),
            Route(base + _INSIDE, self.list, methods=["GET"]),
            Route(base + _INSIDE + "/{namespace}", self.get, methods=["GET"]),
            Route(
                base + "/workspaces/{workspace}/workspacemembers/{member}/namespaces", self.of_member, methods=["GET"]
            ),
        ]

    @describes(answer=_PROJECTS, query=LIST_QUERY)
    async def list(self, request: Request) -> Response:
        """The namespaces that the caller may see, of one workspace if the URL names one."""
        return self._listed(request, self._seen_by(caller(request)))

    @describes(answer=_PROJECTS, query=LIST_QUERY)
    async def of_member(self, request: Request) -> Response:
        """The projects of the workspace that a member of it sees, as far as the caller sees them, too."""
        member, workspace = request.path_params["member"], request.path_params["workspace"]
        account = self._deps.policy().accounts.get(member)
        bindings = self._deps.directory(WORKSPACEROLEBINDINGS).by_index(BY_WORKSPACE, workspace)
        if account is None or member not in members_of(bindings):
            raise Missing(f'workspace member "{member}" not found')
        identity = caller(request)
        theirs = self._seen_by(Identity(name=member, groups=account.groups))
        own = {key_of(one).name for one in self._seen_by(identity)} if member != identity.name else None
        return self._listed(request, [one for one in theirs if own is None or key_of(one).name in own])

    @describes(answer=_PROJECT)
    async def get(self, request: Request) -> Response:
        """One project of the workspace."""
        return json_answer(self._found(request), headers=NO_STORE)

    @describes(body=_PROJECT, answer=_PROJECT, code=201)
    async def create(self, request: Request) -> Response:
        """A new project of the workspace; the caller is its administrator."""
        identity, workspace = caller(request), request.path_params["workspace"]
        body = _bound(await json_body(request), workspace)
        self._demand_workspace(workspace)
        self._demand_harmless(identity, None, body)
        made = new_project(body, workspace, identity.name)
        try:
            stored = await self._deps.client.create(NAMESPACES, made)
        except AlreadyExists as error:
            raise Clash(f'namespaces "{key_of(made).name}" already exists', exists=True) from error
        name = key_of(stored).name
        with contextlib.suppress(AlreadyExists):  # the controller was faster
            await carry_out(self._deps.client, [first_administrator(name, identity.name)])
        await caught_up(lambda: self._complete(name, workspace, identity.name), 4.0)
        return _answer(stored, 201)

    @describes(body=_PROJECT, answer=_PROJECT)
    async def replace(self, request: Request) -> Response:
        """Give a project the labels and annotations of the body."""
        body = await json_body(request)

        async def once() -> Response:
            return await self._written(request, await self._latest(request), body)

        return await again(once)

    @describes(body=PATCH_BODIES, answer=_PROJECT)
    async def patch(self, request: Request) -> Response:
        """A JSON patch or a merge patch of a project's labels and annotations."""
        content, body = media_type(request), await body_of(request)

        async def once() -> Response:
            before = await self._latest(request)
            after = await patched(self._deps.client, NAMESPACES, before, content, body)
            return await self._written(request, before, after)

        return await again(once)

    @describes(answer="Status")
    async def delete(self, request: Request) -> Response:
        """Delete a project with all that is in it."""
        project = self._found(request)
        name = key_of(project).name
        if is_system(name):
            raise AccessDenied(f"the namespace {name} belongs to the system")
        await self._deps.client.delete(NAMESPACES, name, uid=uid_of(project))
        return Response(status_body(200, "", f"project {name} is being deleted"), 200, NO_STORE, JSON)

    def _seen_by(self, identity: Identity) -> Objects:
        items, names = self._deps.directory(NAMESPACES).list(), self._deps.directory(WORKSPACES).list()
        seen = visible(
            self._deps.policy(), identity, "list", "", "namespaces", workspaces=[key_of(one).name for one in names],
            members=True,
        )  # fmt: skip
        return [one for one in items if seen.holds(workspace=workspace_of_project(one), namespace=key_of(one).name)]

    def _listed(self, request: Request, items: Iterable[Object]) -> Response:
        query, workspace = read_query(request.query_params.multi_items()), request.path_params.get("workspace")
        shown = [one for one in items if workspace is None or workspace_of_project(one) == workspace]
        return json_answer(page_of(shown, query), headers=NO_STORE)

    def _found(self, request: Request) -> Object:
        """The project, if it is one of the URL's workspace."""
        name, workspace = request.path_params["namespace"], request.path_params["workspace"]
        found = self._deps.directory(NAMESPACES).get(name)
        if found is None or workspace_of_project(found) != workspace:
            raise Missing(f'namespaces "{name}" not found in the workspace "{workspace}"')
        return found

    async def _latest(self, request: Request) -> Object:
        """The same as it is now, to be changed."""
        found = await self._deps.client.get(NAMESPACES, key_of(self._found(request)).name)
        if workspace_of_project(found) != request.path_params["workspace"]:
            raise Missing(f'namespaces "{key_of(found).name}" has just left the workspace')
        return found

    def _demand_workspace(self, name: str) -> None:
        workspace = self._deps.directory(WORKSPACES).get(name)
        if workspace is None:
            raise Missing(f'workspaces.{GROUP} "{name}" not found')
        if is_deleting(workspace):
            raise Clash(f"the workspace {name} is being deleted")

    def _demand_harmless(self, identity: Identity, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> None:
        name, said = key_of(after).name, labels_of(after)
        if before is None and (is_system(name) or name.startswith(EXTENSION_NAMESPACE_PREFIX)):
            demand_outside(self._deps, identity, "create", "", "namespaces", f"use the name {name} for a project")
        known = labels_of(before or {})
        lifted = [key for key in {*said, *known} if key.startswith(_LIFTING) and said.get(key) != known.get(key)]
        if lifted:
            demand_outside(self._deps, identity, "update", "", "namespaces", f"change the label {min(lifted)}")

    async def _written(self, request: Request, before: Object, given: Mapping[str, Any]) -> Response:
        given = _bound(given, workspace_of_project(before), key_of(before).name)
        self._demand_harmless(caller(request), before, given)
        labels = {**labels_of(given), WORKSPACE: workspace_of_project(before)}
        own = {key: value for key, value in annotations_of(before).items() if key in {*GUARDED_ANNOTATIONS, CREATOR}}
        free = {
            key: value for key, value in annotations_of(given).items() if key not in {*GUARDED_ANNOTATIONS, CREATOR}
        }
        version = resource_version_of(given) or resource_version_of(before)
        metadata = {**before["metadata"], "labels": labels, "annotations": {**free, **own}, "resourceVersion": version}
        stored = await self._deps.client.update(NAMESPACES, {**before, "metadata": metadata})
        return _answer(stored)

    def _complete(self, name: str, workspace: str, user: str) -> bool:
        """Whether the creator's next request in the project succeeds."""
        policy, place = self._deps.policy(), Place("namespace", name)
        held = policy.user_bindings.get(user)
        holds = held is not None and PROJECT_ADMIN in held.namespaces.get(name, ())
        known = place.key(PROJECT_ADMIN) in policy.scoped_roles and policy.namespaces.get(name) == workspace
        return holds and known and roles_are_made(self._deps, Community("namespace", name))


def _bound(body: Mapping[str, Any], workspace: str, name: str = "") -> Mapping[str, Any]:
    """The body, if it is a Namespace and says nothing else than the URL. Raises BadRequest."""
    if body.get("kind", "Namespace") != "Namespace" or body.get("apiVersion", "v1") != "v1":
        raise BadRequest("the body is not a Namespace of v1")
    for part in ("metadata", "spec"):
        if not isinstance(body.get(part, {}), dict):
            raise BadRequest(f"{part} is not an object")
    for part in ("labels", "annotations"):
        said: object = body.get("metadata", {}).get(part) or {}
        if not isinstance(said, dict) or not all(isinstance(one, str) for one in cast("Object", said).values()):
            raise BadRequest(f"metadata.{part} does not map strings to strings")
    said_name = key_of(body).name
    if not said_name or (name and said_name != name):
        raise BadRequest(f"metadata.name is {said_name!r} in the body" + (f" and {name!r} in the URL" if name else ""))
    said_workspace = labels_of(body).get(WORKSPACE, workspace)
    if said_workspace != workspace:
        raise BadRequest(
            f"metadata.labels[{WORKSPACE}] is {said_workspace!r} in the body and {workspace!r} in the URL: a project "
            "cannot be moved to another workspace here"
        )
    return body


def _answer(obj: Object, code: int = 200) -> Response:
    return json_answer(shown(obj, "", NAMESPACES.plural), code, NO_STORE)
