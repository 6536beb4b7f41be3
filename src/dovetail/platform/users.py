"""/kapis/iam.kubesphere.io/v1beta1/users: users over HTTP. A password goes in and never comes out.

Lists have KubeSphere's envelope and query grammar (`dovetail.platform.listing`), and `globalrole` for the users who
hold a role by name. The annotation iam.kubesphere.io/globalrole shows that role; setting it gives another one.
"""

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.apis.labels import GLOBAL_ROLE
from dovetail.iam.rules import PRE_REGISTRATION
from dovetail.kube.errors import Conflict
from dovetail.kube.objects import annotations_of
from dovetail.kube.status import status_body
from dovetail.platform.accounts import Accounts
from dovetail.platform.answers import JSON, NO_STORE, json_answer, json_body
from dovetail.platform.callers import address_of, caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import BadRequest, UnknownMediaType
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.new_user import read_new_user
from dovetail.platform.provider_login import create_own_user
from dovetail.platform.user_edit import merged, read_edit

BASE = "/kapis/iam.kubesphere.io/v1beta1/users"
_TRIES = 5
_MERGE_PATCH = "application/merge-patch+json"

Object = dict[str, Any]


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
            Route(BASE + "/{user}", self.replace, methods=["PUT"]),
            Route(BASE + "/{user}", self.patch, methods=["PATCH"]),
            Route(BASE + "/{user}", self.delete, methods=["DELETE"]),
            Route(BASE + "/{user}/password", self.set_password, methods=["PUT"]),
            Route(BASE + "/{user}/loginrecords", self.login_records, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """Users by the query grammar of all lists; `globalrole` for those who hold a role by name."""
        query = read_query(request.query_params.multi_items(), custom=("globalrole",))
        role = query.custom.get("globalrole", "")
        users = (self._shown(user) for user in self._deps.users.list())
        found = [user for user in users if not role or user["metadata"]["annotations"].get(GLOBAL_ROLE) == role]
        return json_answer(page_of(found, query), headers=NO_STORE)

    async def create(self, request: Request) -> Response:
        """A new user; the annotation iam.kubesphere.io/globalrole gives it a role the caller holds."""
        body, who = await json_body(request), caller(request)
        if who.name == PRE_REGISTRATION:
            return json_answer(self._shown(await create_own_user(self._deps, who, body)), 201, NO_STORE)
        new = read_new_user(body)
        stored = await self._accounts.create(new, who)
        return json_answer(self._shown(stored, new.role), 201, NO_STORE)

    async def get(self, request: Request) -> Response:
        """One user."""
        return json_answer(self._shown(await self._accounts.get(request.path_params["user"])), headers=NO_STORE)

    async def replace(self, request: Request) -> Response:
        """Change a user: what it says of itself, its groups, its role, and whether it may log in (status.state)."""
        body = await json_body(request)
        return await self._changed(request, body, lambda shown: body)

    async def patch(self, request: Request) -> Response:
        """The same by a merge patch (RFC 7396) of the user as it is shown."""
        content = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content != _MERGE_PATCH:
            raise UnknownMediaType(content, (_MERGE_PATCH,))
        patch = await json_body(request)
        return await self._changed(request, patch, lambda shown: merged(shown, patch))

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

    async def login_records(self, request: Request) -> Response:
        """When, from where and how a user logged in, or failed to; the latest first."""
        query = read_query(request.query_params.multi_items())
        user = await self._accounts.get(request.path_params["user"])
        records = await self._deps.login_records.list_of(str(user["metadata"]["name"]))
        return json_answer(page_of(map(_without_bookkeeping, records), query), headers=NO_STORE)

    async def _changed(self, request: Request, sent: Object, wanted: Callable[[Object], Object]) -> Response:
        """`sent` is the body, `wanted` makes the new user of the present one; again when somebody was faster, unless
        the body names the version that it is about."""
        for left in reversed(range(_TRIES)):
            stored = await self._accounts.get(request.path_params["user"])
            edit = read_edit(stored, self._accounts.role_of(request.path_params["user"]), wanted(self._shown(stored)))
            try:
                changed = await self._accounts.change(edit, caller(request))
                return json_answer(self._shown(changed, edit.role), headers=NO_STORE)
            except Conflict:
                if not left or _names_version(sent):
                    raise
        raise AssertionError

    def _shown(self, user: Mapping[str, Any], role: str | None = None) -> Object:
        """The User as it may be shown: with its role, without the hash of its password."""
        held = self._accounts.role_of(str(user["metadata"]["name"])) if role is None else role
        made = without_secrets(user)
        marks = {key: text for key, text in annotations_of(user).items() if key != GLOBAL_ROLE}
        made["metadata"]["annotations"] = marks | ({GLOBAL_ROLE: held} if held else {})
        return made


def without_secrets(user: Mapping[str, Any]) -> Object:
    """The User as it may be shown: without the hash of its password, without bookkeeping."""
    spec = {key: value for key, value in user.get("spec", {}).items() if key != "password"}
    return _without_bookkeeping(user) | {"spec": spec}


def _names_version(body: Object) -> bool:
    metadata: object = body.get("metadata")
    return isinstance(metadata, dict) and "resourceVersion" in metadata


def _without_bookkeeping(obj: Mapping[str, Any]) -> Object:
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}
