"""/kapis/iam.kubesphere.io/v1beta1/users: users over HTTP. A password goes in and never comes out.

Lists have KubeSphere's envelope (`items`, `totalItems`) and the part of its query grammar that makes sense here
(`reference/kubesphere-core.md` 1.10): page, limit, name, fieldSelector=metadata.name=x. A selector that is not
understood is refused, since ignoring it would show more than was asked for.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.kube.status import status_body
from dovetail.platform.accounts import Accounts
from dovetail.platform.answers import JSON, NO_STORE, json_answer, json_body
from dovetail.platform.callers import address_of, caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import BadRequest
from dovetail.platform.new_user import read_new_user

BASE = "/kapis/iam.kubesphere.io/v1beta1/users"
_NAME_SELECTOR = "metadata.name="


class Users:
    """The endpoints under `BASE`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps
        self._accounts = Accounts(deps)

    def routes(self) -> list[Route]:
        return [
            Route(BASE, self.list, methods=["GET"]),
            Route(BASE, self.create, methods=["POST"]),
            Route(BASE + "/{user}", self.get, methods=["GET"]),
            Route(BASE + "/{user}", self.delete, methods=["DELETE"]),
            Route(BASE + "/{user}/password", self.set_password, methods=["PUT"]),
        ]

    async def list(self, request: Request) -> Response:
        """Users by name, a page of them if asked."""
        wanted = sorted(self._selected(request), key=lambda user: str(user["metadata"]["name"]))
        page, limit = _whole(request, "page", 1), _whole(request, "limit", -1)
        shown = wanted if limit < 0 else wanted[(max(page, 1) - 1) * limit :][:limit]
        items = [without_secrets(user) for user in shown]
        return json_answer({"items": items, "totalItems": len(wanted)}, headers=NO_STORE)

    async def create(self, request: Request) -> Response:
        """A new user; the annotation iam.kubesphere.io/globalrole gives it a role the caller holds."""
        new = read_new_user(await json_body(request))
        stored = await self._accounts.create(new, caller(request))
        return json_answer(without_secrets(stored), 201, NO_STORE)

    async def get(self, request: Request) -> Response:
        """One user."""
        return json_answer(without_secrets(await self._accounts.get(request.path_params["user"])), headers=NO_STORE)

    async def delete(self, request: Request) -> Response:
        """Delete a user with its roles and sessions."""
        name = request.path_params["user"]
        await self._accounts.delete(name, caller(request))
        return Response(status_body(200, "", f"user {name} is deleted"), 200, NO_STORE, JSON)

    async def set_password(self, request: Request) -> Response:
        """Body: {currentPassword, password}; the first is needed for the own account only."""
        body = await json_body(request)
        new, current = body.get("password"), body.get("currentPassword", "")
        if not isinstance(new, str) or not isinstance(current, str):
            raise BadRequest("send password, and currentPassword for your own account, as JSON strings")
        name = request.path_params["user"]
        await self._accounts.set_password(name, caller(request), current, new, address_of(request))
        return Response(status_body(200, "", "the password is changed; log in again"), 200, NO_STORE, JSON)

    def _selected(self, request: Request) -> "list[dict[str, Any]]":
        query, users = request.query_params, self._deps.users.list()
        if query.get("labelSelector"):
            raise BadRequest("labelSelector is not supported here")
        selector = query.get("fieldSelector", "")
        if selector:
            if not selector.startswith(_NAME_SELECTOR) or "," in selector:
                raise BadRequest("fieldSelector can only be metadata.name=<name> here")
            exact = selector.removeprefix(_NAME_SELECTOR).removeprefix("=")
            users = [user for user in users if user["metadata"]["name"] == exact]
        part = query.get("name", "")
        return [user for user in users if part in user["metadata"]["name"]] if part else users


def without_secrets(user: Mapping[str, Any]) -> dict[str, Any]:
    """The User as it may be shown: no password hash, no bookkeeping."""
    metadata = {key: value for key, value in user["metadata"].items() if key != "managedFields"}
    spec = {key: value for key, value in user.get("spec", {}).items() if key != "password"}
    return {**user, "metadata": metadata, "spec": spec}


def _whole(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise BadRequest(f"{name} is not a whole number") from error
