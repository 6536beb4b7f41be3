"""/kapis/tenant.kubesphere.io/v1beta1/metrics and /workspaces/{workspace}/metrics: how many there are of what.

Only what the caller may see is counted, so a count tells no more than the list behind it would.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.iam_v1beta1 import USERS, WORKSPACEROLEBINDINGS, WORKSPACEROLES
from dovetail.apis.tenant_v1beta1 import GROUP, WORKSPACES
from dovetail.iam.policy import Identity
from dovetail.iam.tenancy.membership import members_of
from dovetail.iam.tenancy.projects import workspace_of_project
from dovetail.iam.visibility import visible
from dovetail.kube.objects import key_of
from dovetail.kube.resources import NAMESPACES
from dovetail.platform.answers import NO_STORE, json_answer
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.directories import BY_WORKSPACE
from dovetail.platform.rights import holds_outside
from dovetail.platform.workspaces import BASES


class TenantMetrics:
    """Both counts: `{"results": [{"metric_name": ..., "value": ...}]}`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            route
            for base in BASES
            for route in (
                Route(base + "/metrics", self.platform, methods=["GET"]),
                Route(base + "/workspaces/{workspace}/metrics", self.workspace, methods=["GET"]),
            )
        ]

    async def platform(self, request: Request) -> Response:
        """Workspaces, projects, and (for who may list them) users."""
        identity = caller(request)
        workspaces = self._workspaces(identity)
        counts = {"workspaces": len(workspaces), "projects": len(self._projects(identity))}
        if holds_outside(self._deps, identity, "list", "iam.kubesphere.io", "users"):
            counts["users"] = len(self._deps.directory(USERS).list())
        return _answer(counts)

    async def workspace(self, request: Request) -> Response:
        """Projects, members and roles of one workspace; nothing but zeros of one that the caller does not see."""
        identity, name = caller(request), request.path_params["workspace"]
        mine = [one for one in self._projects(identity) if one == name]
        counts = {"workspace_projects": len(mine), "workspace_members": 0, "workspace_roles": 0}
        if name in self._workspaces(identity):
            bindings = self._deps.directory(WORKSPACEROLEBINDINGS).by_index(BY_WORKSPACE, name)
            counts["workspace_members"] = len(members_of(bindings))
            counts["workspace_roles"] = len(self._deps.directory(WORKSPACEROLES).by_index(BY_WORKSPACE, name))
        return _answer(counts)

    def _workspaces(self, identity: Identity) -> set[str]:
        names = {key_of(one).name for one in self._deps.directory(WORKSPACES).list()}
        seen = visible(self._deps.policy(), identity, "list", GROUP, WORKSPACES.plural, workspaces=names, members=True)
        return {name for name in names if seen.holds(workspace=name)}

    def _projects(self, identity: Identity) -> list[str]:
        """The workspaces of the projects that the caller sees, one entry a project."""
        names = [key_of(one).name for one in self._deps.directory(WORKSPACES).list()]
        seen = visible(self._deps.policy(), identity, "list", "", "namespaces", workspaces=names, members=True)
        found = [(key_of(one).name, workspace_of_project(one)) for one in self._deps.directory(NAMESPACES).list()]
        return [workspace for name, workspace in found if workspace and seen.holds(workspace=workspace, namespace=name)]


def _answer(counts: dict[str, int]) -> Response:
    results = [{"metric_name": name, "value": value} for name, value in counts.items()]
    return json_answer({"results": results}, headers=NO_STORE)
