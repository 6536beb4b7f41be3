"""/kapis/iam.kubesphere.io/v1beta1: the members of workspaces, projects and the cluster.

    GET|POST        /workspaces/{workspace}/workspacemembers      /namespaces/{namespace}/namespacemembers
                    /clustermembers
    GET|PUT|DELETE  the same, with a user's name behind

A member is a user with his role in an annotation, as KubeSphere shows it. POST takes a list of `{username, roleRef}`
(or one of them), checks all before it writes any, and invites; PUT takes one and changes the role: the new binding is
there before the old ones go. Who gives a role must hold it himself (`grants`). Removing somebody from a workspace takes
him out of its projects first, so that a removal that breaks off can be repeated.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.iam_v1beta1 import GROUP, ROLEBINDINGS, USERS, VERSION
from dovetail.apis.tenant_v1beta1 import WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.policy import Identity
from dovetail.iam.tenancy.actions import Action, carry_out
from dovetail.iam.tenancy.membership import Bindings, Community, assigned, binding_of, members_of, removed
from dovetail.iam.tenancy.workspaces import manager_of, template_reference
from dovetail.kube.errors import AlreadyExists
from dovetail.kube.objects import is_deleting
from dovetail.kube.resources import NAMESPACES
from dovetail.kube.status import status_body
from dovetail.platform.answers import JSON, NO_STORE, json_answer, json_value
from dovetail.platform.callers import caller
from dovetail.platform.catching_up import caught_up
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, Json, describes
from dovetail.platform.directories import BY_WORKSPACE
from dovetail.platform.errors import BadRequest, Clash, Missing, Unacceptable
from dovetail.platform.grants import demand_no_gain
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.users import without_secrets

Object = dict[str, Any]
Objects = list[Object]  # said here because a method is called `list` below
Actions = list[Action]
Communities = list[Community]
Scope = Literal["workspace", "namespace", "cluster"]

BASE: Final = f"/kapis/{GROUP}/{VERSION}"
_PATHS: Final[Mapping[Scope, str]] = {
    "workspace": BASE + "/workspaces/{place}/workspacemembers",
    "namespace": BASE + "/namespaces/{place}/namespacemembers",
    "cluster": BASE + "/clustermembers",
}
_SHOWN_AS: Final[Mapping[Scope, str]] = {
    "workspace": "iam.kubesphere.io/workspacerole",
    "namespace": "iam.kubesphere.io/role",
    "cluster": "iam.kubesphere.io/clusterrole",
}
_MOST: Final = 100

_MEMBER: Final[Json] = {
    "type": "object",
    "required": ["username", "roleRef"],
    "properties": {"username": {"type": "string"}, "roleRef": {"type": "string"}},
}


class Members:
    """The endpoints of one sort of members."""

    def __init__(self, deps: PlatformDeps, scope: Scope) -> None:
        self._deps = deps
        self._scope: Scope = scope

    def routes(self) -> list[Route]:
        path = _PATHS[self._scope]
        return [
            Route(path, self.list, methods=["GET"]),
            Route(path, self.invite, methods=["POST"]),
            Route(path + "/{member}", self.get, methods=["GET"]),
            Route(path + "/{member}", self.change, methods=["PUT"]),
            Route(path + "/{member}", self.remove, methods=["DELETE"]),
        ]

    @describes(answer="UserList", query=LIST_QUERY)
    async def list(self, request: Request) -> Response:
        """The members, each with his role."""
        place = self._place(request)
        query = read_query(request.query_params.multi_items())
        return json_answer(page_of(self._members(place), query), headers=NO_STORE)

    @describes(answer="User")
    async def get(self, request: Request) -> Response:
        """One member."""
        return json_answer(self._member(self._place(request), request.path_params["member"]), headers=NO_STORE)

    @describes(body={"type": "array", "items": _MEMBER}, answer={"type": "array", "items": _MEMBER}, code=201)
    async def invite(self, request: Request) -> Response:
        """Make members of users; one who is a member gets the role instead of his own."""
        place, body = self._place(request), await json_value(request)
        entries = cast("list[object]", body) if isinstance(body, list) else [body]
        if not 0 < len(entries) <= _MOST:
            raise BadRequest(f"send a list of 1 to {_MOST} members, each with username and roleRef")
        wanted = [_entry(one) for one in entries]
        for user, role in wanted:
            self._demand_may_give(caller(request), place, user, role)
        for user, role in wanted:
            await self._assign(place, user, role)
        given = [{"username": user, "roleRef": role} for user, role in wanted]
        return json_answer(given if isinstance(body, list) else given[0], 201, NO_STORE)

    @describes(body=_MEMBER, answer=_MEMBER)
    async def change(self, request: Request) -> Response:
        """Give a member another role."""
        place, member = self._place(request), request.path_params["member"]
        user, role = _entry(await json_value(request), member)
        self._demand_member(place, member)
        self._demand_may_give(caller(request), place, user, role)
        self._demand_not_manager(place, user, keeps=role)
        await self._assign(place, user, role, wait=user != caller(request).name)
        return json_answer({"username": user, "roleRef": role}, headers=NO_STORE)

    @describes(answer="Status")
    async def remove(self, request: Request) -> Response:
        """Take a member out; out of a workspace's projects, too."""
        place, member = self._place(request), request.path_params["member"]
        self._demand_not_manager(place, member)
        actions = removed(place, member, await self._listed(place))
        inside = [action for project in self._projects(place) for action in await self._out_of(project, member)]
        if not actions and not inside:
            raise Missing(f'{self._scope} member "{member}" not found')
        await carry_out(self._deps.client, [*inside, *actions])
        if member != caller(request).name:
            await caught_up(lambda: member not in members_of(self._bindings(place)))
        return Response(status_body(200, "", f"{member} is no member any more"), 200, NO_STORE, JSON)

    def _place(self, request: Request) -> Community:
        """The place of the URL. Raises Missing for one that does not exist."""
        place = Community(self._scope, str(request.path_params.get("place", "")))
        kinds = {"workspace": WORKSPACES, "namespace": NAMESPACES}
        if self._scope in kinds and self._deps.directory(kinds[self._scope]).get(place.name) is None:
            raise Missing(f'{self._scope} "{place.name}" not found')
        return place

    def _bindings(self, place: Community) -> Bindings:
        directory = self._deps.directory(place.bindings)
        if self._scope == "workspace":
            return directory.by_index(BY_WORKSPACE, place.name)
        return directory.list(place.namespace or None)

    async def _listed(self, place: Community) -> Bindings:
        """The bindings as they are now, not as a cache knows them: what is decided by them is written."""
        found = await self._deps.client.list(place.bindings, place.namespace or None)
        return [bound for bound in found.items if place.holds(bound)]

    def _members(self, place: Community) -> Objects:
        found = members_of(self._bindings(place)).items()
        users = ((self._deps.directory(USERS).get(user), roles) for user, roles in found)
        return [self._shown(user, roles) for user, roles in users if user is not None]

    def _member(self, place: Community, name: str) -> Object:
        roles, user = members_of(self._bindings(place)).get(name), self._deps.directory(USERS).get(name)
        if roles is None or user is None:
            raise Missing(f'{self._scope} member "{name}" not found')
        return self._shown(user, roles)

    def _shown(self, user: Object, roles: Sequence[str]) -> Object:
        shown = without_secrets(user)
        annotations = {**shown["metadata"].get("annotations", {}), _SHOWN_AS[self._scope]: ",".join(roles)}
        return {**shown, "metadata": {**shown["metadata"], "annotations": annotations}}

    def _demand_member(self, place: Community, user: str) -> None:
        if user not in members_of(self._bindings(place)):
            raise Missing(f'{self._scope} member "{user}" not found')

    def _demand_may_give(self, identity: Identity, place: Community, user: str, role: str) -> None:
        """Refuse users and roles that do not exist here, places that go, and what the caller does not hold."""
        wrong: list[tuple[str, str]] = []
        if self._deps.directory(USERS).get(user) is None:
            wrong.append(("username", f"User {user!r} does not exist"))
        found = self._deps.directory(place.roles).get(role, place.namespace or None)
        if found is None or not place.holds(found) or is_deleting(found):
            wrong.append(("roleRef", f"{place.roles.kind} {role!r} does not exist here"))
        if wrong:
            raise Unacceptable(f"member {user!r}", wrong)
        self._demand_staying(place)
        demand_no_gain(self._deps, identity, place.bindings.plural, None, binding_of(place, user, role))

    def _demand_staying(self, place: Community) -> None:
        kinds = {"workspace": WORKSPACES, "namespace": NAMESPACES}
        if self._scope in kinds:
            obj = self._deps.directory(kinds[self._scope]).get(place.name)
            if obj is None or is_deleting(obj):
                raise Clash(f'{self._scope} "{place.name}" is being deleted')

    def _demand_not_manager(self, place: Community, user: str, keeps: str = "") -> None:
        """The manager of a workspace is its administrator; whoever wants to change that names another manager."""
        template = self._deps.directory(WORKSPACETEMPLATES).get(place.name) if self._scope == "workspace" else None
        if template is None or manager_of(template) != user:
            return
        if keeps not in members_of(self._bindings(place)).get(user, ()):
            raise Clash(f"{user} is the manager of workspace {place.name}; give the workspace another manager first")

    async def _assign(self, place: Community, user: str, role: str, *, wait: bool = True) -> None:
        """Create, then delete. When the name has been taken meanwhile, what is there is read anew."""
        for last in (False, False, True):
            actions = assigned(place, user, role, await self._listed(place), self._owner(place))
            try:
                await carry_out(self._deps.client, actions)
                break
            except AlreadyExists as error:
                if last:
                    raise Clash(f"the roles of {user} keep changing; try again") from error
        if wait:
            await caught_up(lambda: role in members_of(self._bindings(place)).get(user, ()))

    def _owner(self, place: Community) -> Mapping[str, Any] | None:
        template = self._deps.directory(WORKSPACETEMPLATES).get(place.name) if self._scope == "workspace" else None
        return template_reference(template) if template is not None else None

    def _projects(self, place: Community) -> Communities:
        if self._scope != "workspace":
            return []
        inside = [name for name, workspace in self._deps.policy().namespaces.items() if workspace == place.name]
        return [Community("namespace", name) for name in sorted(inside)]

    async def _out_of(self, project: Community, user: str) -> Actions:
        kept = self._deps.directory(ROLEBINDINGS).list(project.name)
        if not removed(project, user, kept):
            return []
        return removed(project, user, await self._listed(project))


def member_endpoints(deps: PlatformDeps) -> list[Members]:
    """All three sorts."""
    return [Members(deps, "workspace"), Members(deps, "namespace"), Members(deps, "cluster")]


def _entry(value: object, member: str = "") -> tuple[str, str]:
    """User and role of one entry; `member` is the user of the URL. Raises BadRequest."""
    entry = cast("Object", value) if isinstance(value, dict) else dict[str, Any]()
    user: object = entry.get("username") or member
    role: object = entry.get("roleRef")
    if not isinstance(user, str) or not isinstance(role, str) or not user or not role:
        raise BadRequest("a member is an object with username and roleRef, both of them text")
    if member and user != member:
        raise BadRequest(f"username is {user!r} in the body and {member!r} in the URL")
    return user, role
