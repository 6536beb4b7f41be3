"""/kapis/tenant.kubesphere.io/v1beta1/workspaces/{workspace}/resourcequotas: what a workspace may use.

Members read how the quota stands. Writing it takes the right to do so outside of the workspace (`rights`): whoever is
limited does not raise his own limit, though a workspace's administrator holds everything in it. The selector is always
the workspace of the URL; further labels narrow it to some of its projects.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.labels import WORKSPACE
from dovetail.apis.quota_v1alpha2 import GROUP, RESOURCEQUOTAS
from dovetail.apis.tenant_v1beta1 import WORKSPACES
from dovetail.iam.tenancy.quotas import hard_of, workspace_of_quota
from dovetail.kube.errors import AlreadyExists
from dovetail.kube.objects import annotations_of, is_deleting, key_of, labels_of, resource_version_of, uid_of
from dovetail.kube.status import status_body
from dovetail.platform.answers import JSON, NO_STORE, json_answer, json_body, part_of
from dovetail.platform.callers import caller
from dovetail.platform.catching_up import caught_up
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, describes
from dovetail.platform.errors import BadRequest, Clash, Missing, Unacceptable
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.rights import demand_outside
from dovetail.platform.shown_objects import shown
from dovetail.platform.workspaces import BASES

Object = dict[str, Any]

_PATH: Final = "/workspaces/{workspace}/resourcequotas"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?\Z")


class Quotas:
    """The endpoints of workspaces' quotas."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        reading = [
            route
            for base in BASES
            for route in (
                Route(base + _PATH, self.list, methods=["GET"]),
                Route(base + _PATH + "/{quota}", self.get, methods=["GET"]),
            )
        ]
        path = BASES[0] + _PATH
        return [
            *reading,
            Route(path, self.create, methods=["POST"]),
            Route(path + "/{quota}", self.replace, methods=["PUT"]),
            Route(path + "/{quota}", self.delete, methods=["DELETE"]),
        ]

    @describes(answer="ResourceQuotaList", query=LIST_QUERY)
    async def list(self, request: Request) -> Response:
        """The quotas of a workspace, with what is used."""
        workspace, kept = request.path_params["workspace"], self._deps.directory(RESOURCEQUOTAS).list()
        query = read_query(request.query_params.multi_items())
        shown = [quota for quota in kept if workspace_of_quota(quota) == workspace]
        return json_answer(page_of(shown, query), headers=NO_STORE)

    @describes(answer="ResourceQuota")
    async def get(self, request: Request) -> Response:
        """One quota."""
        return json_answer(self._found(request), headers=NO_STORE)

    @describes(body="ResourceQuota", answer="ResourceQuota", code=201)
    async def create(self, request: Request) -> Response:
        """A new quota."""
        workspace = request.path_params["workspace"]
        found = self._deps.directory(WORKSPACES).get(workspace)
        if found is None or is_deleting(found):
            raise Missing(f'workspaces "{workspace}" not found')
        self._demand_right(request, "create")
        quota = read_quota(await json_body(request), workspace)
        try:
            stored = await self._deps.client.create(RESOURCEQUOTAS, quota)
        except AlreadyExists as error:
            raise Clash(f'resourcequotas.{GROUP} "{key_of(quota).name}" already exists', exists=True) from error
        await caught_up(lambda: self._deps.directory(RESOURCEQUOTAS).get(key_of(quota).name) is not None)
        return _answer(stored, 201)

    @describes(body="ResourceQuota", answer="ResourceQuota")
    async def replace(self, request: Request) -> Response:
        """Change a quota."""
        before = self._found(request)
        self._demand_right(request, "update")
        body = await json_body(request)
        quota = read_quota(body, request.path_params["workspace"], key_of(before).name)
        version = resource_version_of(body) or resource_version_of(before)
        metadata = {**before["metadata"], **quota["metadata"], "resourceVersion": version}
        stored = await self._deps.client.update(RESOURCEQUOTAS, {**before, "metadata": metadata, "spec": quota["spec"]})
        return _answer(stored)

    @describes(answer="Status")
    async def delete(self, request: Request) -> Response:
        """Delete a quota: nothing is limited any more."""
        quota = self._found(request)
        self._demand_right(request, "delete")
        name = key_of(quota).name
        await self._deps.client.delete(RESOURCEQUOTAS, name, uid=uid_of(quota))
        await caught_up(lambda: self._deps.directory(RESOURCEQUOTAS).get(name) is None)
        return Response(status_body(200, "", f"quota {name} is deleted"), 200, NO_STORE, JSON)

    def _found(self, request: Request) -> Object:
        name, workspace = request.path_params["quota"], request.path_params["workspace"]
        found = self._deps.directory(RESOURCEQUOTAS).get(name)
        if found is None or workspace_of_quota(found) != workspace:
            raise Missing(f'resourcequotas.{GROUP} "{name}" not found in the workspace "{workspace}"')
        return found

    def _demand_right(self, request: Request, verb: str) -> None:
        what = f"{verb} the quota of the workspace {request.path_params['workspace']}"
        demand_outside(self._deps, caller(request), verb, GROUP, RESOURCEQUOTAS.plural, what)


def read_quota(body: Mapping[str, Any], workspace: str, name: str = "") -> Object:
    """The quota that a body asks for. Raises BadRequest, Unacceptable."""
    if body.get("kind", RESOURCEQUOTAS.kind) != RESOURCEQUOTAS.kind:
        raise BadRequest(f"the body is not a ResourceQuota of {RESOURCEQUOTAS.api_version}")
    if body.get("apiVersion", RESOURCEQUOTAS.api_version) != RESOURCEQUOTAS.api_version:
        raise BadRequest(f"apiVersion is not {RESOURCEQUOTAS.api_version}")
    spec, said = part_of(body, "spec"), key_of(body).name or name
    if (name and said != name) or not _NAME.match(said):
        raise BadRequest(f"metadata.name is {said!r}" + (f" in the body and {name!r} in the URL" if name else ""))
    selector = part_of(spec, "selector")
    for named in (selector.get(WORKSPACE, workspace), labels_of(body).get(WORKSPACE, workspace)):
        if named != workspace:
            raise BadRequest(f"the body is about the workspace {named!r} and the URL about {workspace!r}")
    try:
        hard_of(body)
    except (ValueError, TypeError) as error:
        raise Unacceptable(f"quota {said!r}", [("spec.quota.hard", str(error))]) from error
    return {
        "apiVersion": RESOURCEQUOTAS.api_version,
        "kind": RESOURCEQUOTAS.kind,
        "metadata": {
            "name": said,
            "labels": {**labels_of(body), WORKSPACE: workspace},
            "annotations": dict(annotations_of(body)),
        },
        "spec": {**spec, "selector": {**selector, WORKSPACE: workspace}},
    }


def _answer(obj: Object, code: int = 200) -> Response:
    return json_answer(shown(obj, GROUP, RESOURCEQUOTAS.plural), code, NO_STORE)
