"""/kapis/tenant.kubesphere.io/v1beta1/workspacetemplates and /workspaces: workspaces over HTTP.

A WorkspaceTemplate is what is written, under either path: a Workspace in a body stands for the template that makes it.
The Workspace itself is made by a controller (`iam.tenancy.workspaces`). Lists hold what the caller may see and nothing
else. Version v1alpha3 reads the same.

Who makes a workspace becomes its manager, unless he names somebody else and could give him that role. Where a workspace
lies is decided outside of it, so its own administrators do not change the placement. A name is only free when nothing
is left of an earlier workspace: whoever made one of that name would inherit its members and projects.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.iam_v1beta1 import USERS, WORKSPACEROLEBINDINGS, WORKSPACEROLES
from dovetail.apis.labels import DELETION_PROPAGATION, SCOPE, SYSTEM_WORKSPACE, WORKSPACE
from dovetail.apis.resource_name import ResourceName
from dovetail.apis.tenant_v1beta1 import GROUP, WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.builtin_roles import ADMIN, builtin_roles, instance_name
from dovetail.iam.escalation import EVERY_RESOURCE, missing
from dovetail.iam.policy import Identity, Place
from dovetail.iam.tenancy.membership import Community
from dovetail.iam.tenancy.workspaces import manager_of, propagation_of
from dovetail.iam.visibility import visible
from dovetail.kube.errors import AlreadyExists
from dovetail.kube.objects import key_of, labels_of, uid_of
from dovetail.kube.resources import NAMESPACES
from dovetail.kube.status import status_body
from dovetail.platform.answers import JSON, NO_STORE, body_of, json_answer, json_body, media_type, part_of
from dovetail.platform.callers import caller
from dovetail.platform.catching_up import caught_up, roles_are_made
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, describes
from dovetail.platform.directories import BY_WORKSPACE
from dovetail.platform.errors import AccessDenied, BadRequest, Clash, Missing, Unacceptable
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.patches import PATCH_BODIES, again, patched
from dovetail.platform.rights import demand_outside
from dovetail.platform.shown_objects import shown

Object = dict[str, Any]

BASES: Final = (f"/kapis/{GROUP}/v1beta1", f"/kapis/{GROUP}/v1alpha3")
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_MADE_WITHIN: Final = 4.0

_DELETION: Final = {"propagationPolicy": "Orphan, Background or Foreground: what becomes of the projects."}


class Workspaces:
    """The endpoints of both kinds."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        reading = [route for base in BASES for route in self._reading(base)]
        return [*reading, *self._writing(BASES[0] + "/workspacetemplates"), *self._writing(BASES[0] + "/workspaces")]

    def _reading(self, base: str) -> list[Route]:
        return [
            Route(base + "/workspacetemplates", self.list_templates, methods=["GET"]),
            Route(base + "/workspacetemplates/{workspace}", self.get_template, methods=["GET"]),
            Route(base + "/workspaces", self.list_workspaces, methods=["GET"]),
            Route(base + "/workspaces/{workspace}", self.get_workspace, methods=["GET"]),
        ]

    def _writing(self, path: str) -> list[Route]:
        return [
            Route(path, self.create, methods=["POST"]),
            Route(path + "/{workspace}", self.replace, methods=["PUT"]),
            Route(path + "/{workspace}", self.patch, methods=["PATCH"]),
            Route(path + "/{workspace}", self.delete, methods=["DELETE"]),
        ]

    @describes(answer="WorkspaceTemplateList", query=LIST_QUERY)
    async def list_templates(self, request: Request) -> Response:
        """The WorkspaceTemplates that the caller may see."""
        return self._list(request, WORKSPACETEMPLATES)

    @describes(answer="WorkspaceList", query=LIST_QUERY)
    async def list_workspaces(self, request: Request) -> Response:
        """The Workspaces that the caller may see."""
        return self._list(request, WORKSPACES)

    @describes(answer="WorkspaceTemplate")
    async def get_template(self, request: Request) -> Response:
        """One WorkspaceTemplate."""
        return json_answer(self._found(WORKSPACETEMPLATES, request.path_params["workspace"]), headers=NO_STORE)

    @describes(answer="Workspace")
    async def get_workspace(self, request: Request) -> Response:
        """One Workspace."""
        return json_answer(self._found(WORKSPACES, request.path_params["workspace"]), headers=NO_STORE)

    @describes(body="WorkspaceTemplate", answer="WorkspaceTemplate", code=201)
    async def create(self, request: Request) -> Response:
        """A new workspace; the caller is its manager unless the body says otherwise."""
        identity, template = caller(request), as_template(await json_body(request))
        name = key_of(template).name
        if not _NAME.match(name):
            raise Unacceptable(
                "the workspace", [("metadata.name", "must be 1 to 63 of a-z, 0-9 and '-' (not at an end)")]
            )
        manager = manager_of(template) or identity.name
        self._demand_free(name)
        self._demand_manager(identity, name, manager)
        try:
            stored = await self._deps.client.create(WORKSPACETEMPLATES, with_manager(template, manager))
        except AlreadyExists as error:
            raise Clash(f'workspacetemplates.{GROUP} "{name}" already exists', exists=True) from error
        await caught_up(lambda: self._complete(name, manager), _MADE_WITHIN)
        return _answer(stored, 201)

    @describes(body="WorkspaceTemplate", answer="WorkspaceTemplate")
    async def replace(self, request: Request) -> Response:
        """Change a workspace: labels, annotations and spec are taken from the body, everything else stays."""
        name, identity = request.path_params["workspace"], caller(request)
        given = as_template(await json_body(request), name)

        async def once() -> Response:
            return await self._written(identity, await self._stored(name), given)

        return await again(once)

    @describes(body=PATCH_BODIES, answer="WorkspaceTemplate")
    async def patch(self, request: Request) -> Response:
        """A JSON patch (RFC 6902) or a merge patch (RFC 7396) of the template."""
        name, content, identity = request.path_params["workspace"], media_type(request), caller(request)
        body = await body_of(request)

        async def once() -> Response:
            before = await self._stored(name)
            after = await patched(self._deps.client, WORKSPACETEMPLATES, before, content, body)
            return await self._written(identity, before, as_template(after, name))

        return await again(once)

    @describes(answer="Status", query=_DELETION)
    async def delete(self, request: Request) -> Response:
        """Delete a workspace; `propagationPolicy` (Orphan, Background, Foreground) in the query or the body says what
        becomes of its projects, else the annotation kubesphere.io/deletion-propagation."""
        name = request.path_params["workspace"]
        template = await self._stored(name)
        if name == SYSTEM_WORKSPACE:
            raise AccessDenied(f"the workspace {SYSTEM_WORKSPACE} stays as long as the platform does")
        policy = await _propagation(request)
        if policy and policy != propagation_of(template, None):
            marked = {"metadata": {"uid": uid_of(template), "annotations": {DELETION_PROPAGATION: policy}}}
            await self._deps.client.patch(WORKSPACETEMPLATES, name, marked)
        await self._deps.client.delete(WORKSPACETEMPLATES, name, uid=uid_of(template))
        return Response(status_body(200, "", f"workspace {name} is deleted"), 200, NO_STORE, JSON)

    def _list(self, request: Request, resource: ResourceName) -> Response:
        query, items = read_query(request.query_params.multi_items()), self._deps.directory(resource).list()
        names = [key_of(item).name for item in items]
        seen = visible(
            self._deps.policy(), caller(request), "list", GROUP, resource.plural, workspaces=names, members=True
        )
        shown = [item for item in items if seen.holds(workspace=key_of(item).name)]
        return json_answer(page_of(shown, query), headers=NO_STORE)

    def _found(self, resource: ResourceName, name: str) -> Object:
        found = self._deps.directory(resource).get(name)
        if found is None:
            raise Missing(f'{resource.plural}.{GROUP} "{name}" not found')
        return found

    async def _stored(self, name: str) -> Object:
        return await self._deps.client.get(WORKSPACETEMPLATES, name)

    async def _written(self, identity: Identity, before: Object, given: Object) -> Response:
        """Write what `given` may change of the stored template."""
        name, manager = key_of(before).name, manager_of(given)
        if _placement(given) != _placement(before):
            demand_outside(
                self._deps, identity, "update", GROUP, WORKSPACETEMPLATES.plural, f"place the workspace {name}"
            )
        if manager and manager != manager_of(before):
            self._demand_manager(identity, name, manager)
        kept = {key: value for key, value in before["metadata"].items() if key not in {"labels", "annotations"}}
        taken = {key: given["metadata"][key] for key in ("labels", "annotations") if given["metadata"].get(key)}
        version = given["metadata"].get("resourceVersion") or kept["resourceVersion"]
        metadata = {**kept, **taken, "resourceVersion": version}
        changed = {**before, "metadata": metadata, "spec": given.get("spec") or {}}
        return _answer(await self._deps.client.update(WORKSPACETEMPLATES, changed))

    def _demand_free(self, name: str) -> None:
        """Nothing of that name, and nothing that a workspace of that name would inherit."""
        directory = self._deps.directory
        if directory(WORKSPACETEMPLATES).get(name) is not None or directory(WORKSPACES).get(name) is not None:
            raise Clash(f'workspacetemplates.{GROUP} "{name}" already exists', exists=True)
        roles = [instance_name(name, key_of(one["role"]).name) for one in builtin_roles() if _is_of_workspaces(one)]
        if any(directory(WORKSPACEROLES).get(role) is not None for role in roles):
            raise Clash(f"the names of the roles of {name!r} are taken by another workspace's; take another name")
        for kind in (NAMESPACES, WORKSPACEROLEBINDINGS):
            if directory(kind).by_index(BY_WORKSPACE, name):
                raise Clash(
                    f"there are {kind.plural} of an earlier workspace {name!r}; remove them, or take another name"
                )

    def _demand_manager(self, identity: Identity, name: str, manager: str) -> None:
        """A manager exists, and the caller makes nobody but himself manager of a new workspace without the right."""
        if self._deps.directory(USERS).get(manager) is None:
            raise Unacceptable(f"workspace {name!r}", [("spec.template.spec.manager", f"{manager!r} is not a user")])
        new = self._deps.directory(WORKSPACETEMPLATES).get(name) is None
        if new and manager == identity.name:
            return
        if missing(self._deps.policy(), identity, Place("workspace", name), [EVERY_RESOURCE]):
            raise AccessDenied(
                f'User "{identity.name}" cannot make {manager!r} the manager of workspace "{name}": that gives every '
                "right in it, which he does not hold"
            )

    def _complete(self, name: str, manager: str) -> bool:
        """Whether the controllers have made what makes the manager's next request succeed."""
        policy, role, place = self._deps.policy(), instance_name(name, ADMIN), Place("workspace", name)
        held = policy.user_bindings.get(manager)
        if held is None or role not in held.workspaces.get(name, ()) or place.key(role) not in policy.scoped_roles:
            return False
        made = self._deps.directory(WORKSPACES).get(name) is not None
        return made and roles_are_made(self._deps, Community("workspace", name))


def as_template(body: Mapping[str, Any], name: str = "") -> Object:
    """The WorkspaceTemplate that a body is, or that makes the Workspace that it is. Raises BadRequest."""
    kind, version = body.get("kind") or WORKSPACETEMPLATES.kind, body.get("apiVersion") or WORKSPACES.api_version
    if kind not in {WORKSPACETEMPLATES.kind, WORKSPACES.kind} or version != WORKSPACES.api_version:
        raise BadRequest(f"the body is {kind!r} of {version!r}, and must be a WorkspaceTemplate of {GROUP}/v1beta1")
    metadata = part_of(body, "metadata")
    if name and metadata.get("name", name) != name:
        raise BadRequest(f"metadata.name is {metadata['name']!r} in the body and {name!r} in the URL")
    if labels_of(body).get(WORKSPACE, metadata.get("name", name)) != metadata.get("name", name):
        raise BadRequest(f"metadata.labels[{WORKSPACE}] names another workspace")
    spec: Mapping[str, Any] = part_of(body, "spec")
    if kind == WORKSPACES.kind:
        marks = {key: metadata[key] for key in ("labels", "annotations") if metadata.get(key)}
        spec = {"template": {"metadata": marks, "spec": spec}}
    kept = {key: metadata[key] for key in ("name", "labels", "annotations", "resourceVersion") if metadata.get(key)}
    return {
        "apiVersion": WORKSPACETEMPLATES.api_version,
        "kind": WORKSPACETEMPLATES.kind,
        "metadata": {"name": name, **kept},
        "spec": spec,
    }


def with_manager(template: Mapping[str, Any], manager: str) -> Object:
    """A new template with its manager."""
    spec = part_of(template, "spec")
    made = part_of(spec, "template")
    metadata = {key: value for key, value in part_of(template, "metadata").items() if key != "resourceVersion"}
    changed = {**spec, "template": {**made, "spec": {**part_of(made, "spec"), "manager": manager}}}
    return {**template, "metadata": metadata, "spec": changed}


def _is_of_workspaces(pattern: Mapping[str, Any]) -> bool:
    return labels_of(pattern).get(SCOPE) == "workspace"


def _placement(template: Mapping[str, Any]) -> object:
    return part_of(template, "spec").get("placement") or None


async def _propagation(request: Request) -> str:
    """What the request says about the projects: orphan, background, foreground, or nothing. Raises BadRequest."""
    said: object = request.query_params.get("propagationPolicy") or ""
    body = await body_of(request)
    if body and not said:
        import orjson

        try:
            options: object = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequest("the body is not JSON") from error
        said = cast("Object", options).get("propagationPolicy") or "" if isinstance(options, dict) else ""
    if not isinstance(said, str) or said.lower() not in {"", "orphan", "background", "foreground"}:
        raise BadRequest(f"propagationPolicy is {said!r}, and must be Orphan, Background or Foreground")
    return said.lower()


def _answer(obj: Object, code: int = 200) -> Response:
    return json_answer(shown(obj, GROUP, WORKSPACETEMPLATES.plural), code, NO_STORE)
