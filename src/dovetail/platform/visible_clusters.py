"""/kapis/tenant.kubesphere.io/v1beta1/clusters and /workspaces/{workspace}/clusters: the clusters a caller sees.

There is one so far, the host, and it is described from what is known here (`iam.tenancy.placement.KNOWN`); with several
clusters their objects take its place. A caller sees it who may list clusters, to whom it was granted, or who is a
member of anything on it. A workspace's clusters are those that its placement names and that exist.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.iam_v1beta1 import USERS
from dovetail.apis.labels import GRANTED_CLUSTERS
from dovetail.apis.tenant_v1beta1 import GROUP, WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.policy import Identity
from dovetail.iam.tenancy.placement import HOST, KNOWN
from dovetail.iam.tenancy.workspaces import placement_of
from dovetail.iam.visibility import Everything, memberships, visible
from dovetail.kube.objects import annotations_of
from dovetail.platform.answers import NO_STORE, json_answer
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, describes
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.workspaces import BASES

Object = dict[str, Any]

CLUSTER_API: Final = "cluster.kubesphere.io/v1alpha1"


class VisibleClusters:
    """Both lists."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [
            route
            for base in BASES
            for route in (
                Route(base + "/clusters", self.list, methods=["GET"]),
                Route(base + "/workspaces/{workspace}/clusters", self.of_workspace, methods=["GET"]),
            )
        ]

    @describes(answer={"type": "object"}, query=LIST_QUERY)
    async def list(self, request: Request) -> Response:
        """The clusters that the caller may see."""
        query = read_query(request.query_params.multi_items())
        seen = [HOST] if self._sees_host(caller(request)) else []
        return json_answer(page_of([cluster(name) for name in seen], query), headers=NO_STORE)

    @describes(answer={"type": "object"}, query=LIST_QUERY)
    async def of_workspace(self, request: Request) -> Response:
        """The clusters of a workspace, if the caller may see the workspace."""
        query, name = read_query(request.query_params.multi_items()), request.path_params["workspace"]
        template = self._deps.directory(WORKSPACETEMPLATES).get(name)
        seen = visible(
            self._deps.policy(), caller(request), "list", GROUP, WORKSPACES.plural, workspaces=[name], members=True
        )
        found = placement_of(template).clusters if template is not None and seen.holds(workspace=name) else ()
        return json_answer(page_of([cluster(one) for one in found], query), headers=NO_STORE)

    def _sees_host(self, identity: Identity) -> bool:
        policy = self._deps.policy()
        held, user = policy.user_bindings.get(identity.name), self._deps.directory(USERS).get(identity.name)
        granted = annotations_of(user).get(GRANTED_CLUSTERS, "").split(",") if user is not None else []
        member = memberships(policy, identity)
        return (
            isinstance(visible(policy, identity, "list", GROUP, "clusters"), Everything)
            or isinstance(visible(policy, identity, "list", "cluster.kubesphere.io", "clusters"), Everything)
            or HOST in granted
            or bool(member.workspaces or member.namespaces or (held and held.cluster))
        )


def cluster(name: str) -> Object:
    """A cluster as cluster.kubesphere.io has it, with what is known of it here."""
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "the platform itself runs on it"}
    return {
        "apiVersion": CLUSTER_API,
        "kind": "Cluster",
        "metadata": {"name": name, "labels": dict(KNOWN[name]), "creationTimestamp": None},
        "spec": {"joinFederation": True, "connection": {"type": "direct"}},
        "status": {"conditions": [ready]},
    }
