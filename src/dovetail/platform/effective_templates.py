"""GET /kapis/iam.kubesphere.io/v1beta1/users/{user}/roletemplates: the role templates that are in force for a user.

A template is in force at a place when a role that the user holds there is put together from it, or when he holds every
one of its rules there anyhow, as administrators do. The console shows what one may do by these. The place is `scope`
(global, workspace, cluster or namespace) with `workspace` or `namespace`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.iam_v1beta1 import CLUSTERROLES, GLOBALROLES, ROLES, ROLETEMPLATES, WORKSPACEROLES
from dovetail.apis.labels import SCOPE
from dovetail.iam.aggregation import aggregate
from dovetail.iam.compiler import read_rules
from dovetail.iam.escalation import missing
from dovetail.iam.policy import Identity, Place, RoleScope
from dovetail.iam.rules import roles_of
from dovetail.iam.template_trust import rules_of_template
from dovetail.kube.objects import key_of, labels_of
from dovetail.kube.resources import ResourceLike
from dovetail.platform.answers import NO_STORE, json_answer
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, describes
from dovetail.platform.errors import BadRequest, Missing
from dovetail.platform.listing import page_of, read_query

PATH: Final = "/kapis/iam.kubesphere.io/v1beta1/users/{user}/roletemplates"
_ROLES: Final[Mapping[RoleScope, ResourceLike]] = {
    "global": GLOBALROLES, "workspace": WORKSPACEROLES, "cluster": CLUSTERROLES, "namespace": ROLES,
}  # fmt: skip
_PLACE: Final = ("scope", "workspace", "namespace", "cluster")


class EffectiveTemplates:
    """GET `PATH`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        return [Route(PATH, self.list, methods=["GET"])]

    @describes(
        answer="RoleTemplateList",
        query=LIST_QUERY | {"scope": "global, workspace, cluster or namespace.", "workspace": "The workspace.",
                            "cluster": "Empty, or this cluster: host."},
    )  # fmt: skip
    async def list(self, request: Request) -> Response:
        """The role templates that are in force for a user at a place."""
        parameters = request.query_params.multi_items()
        query = read_query([one for one in parameters if one[0] not in _PLACE])
        asked = read_query([one for one in parameters if one[0] in _PLACE], custom=_PLACE).custom
        account = self._deps.policy().accounts.get(request.path_params["user"])
        if account is None:
            raise Missing(f'users.iam.kubesphere.io "{request.path_params["user"]}" not found')
        identity = Identity(name=request.path_params["user"], uid=account.uid, groups=account.groups)
        return json_answer(page_of(self._in_force(identity, _place(asked)), query), headers=NO_STORE)

    def _in_force(self, identity: Identity, place: Place) -> "Iterator[dict[str, Any]]":
        templates = self._deps.directory(ROLETEMPLATES).list()
        used = self._used(identity, place, templates)
        policy = self._deps.policy()
        for template in templates:
            rules = read_rules(rules_of_template(template))
            if labels_of(template).get(SCOPE) != place.scope:
                continue
            if key_of(template).name in used or (rules and not missing(policy, identity, place, rules)):
                yield template

    def _used(self, identity: Identity, place: Place, templates: "list[dict[str, Any]]") -> set[str]:
        resource = _ROLES[place.scope]
        namespace = place.name if place.scope == "namespace" else None
        found = [
            self._deps.directory(resource).get(name, namespace)
            for name in roles_of(self._deps.policy(), identity, place)
        ]
        return {name for role in found if role for name in aggregate(resource.kind, role, templates).templates}


def _place(asked: Mapping[str, str]) -> Place:
    """The place that the query names. Raises BadRequest."""
    scope = asked.get("scope", "global")
    if asked.get("cluster", "host") != "host":
        raise BadRequest("the query parameter 'cluster' names another cluster, of which nothing is known here")
    match scope:
        case "global" | "cluster":
            return Place(scope)
        case "workspace" | "namespace":
            if not asked.get(scope):
                raise BadRequest(f"the query parameter 'scope' is {scope}, so {scope!r} is needed")
            return Place(scope, asked[scope])
        case _:
            raise BadRequest(f"the query parameter 'scope' is none of {', '.join(_ROLES)}: {scope!r}")
