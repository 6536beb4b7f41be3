"""What each endpoint that is not generic takes and answers, by its handler. Generic ones say it themselves
(`described_verbs`).

What a handler does is the first line of its docstring; here stand the shapes. A handler that is missing here is a
failure of the tests, so that the documents stay whole.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from dovetail.platform.described_verbs import PATCH_TYPES
from dovetail.platform.describing import FORM, LIST_QUERY, Described, Json, Schema, described
from dovetail.platform.schemas import fields

_MERGE, _JSON_PATCH = PATCH_TYPES[0], PATCH_TYPES[1]
_ANY: Final[Json] = {"type": "object"}
_OPERATIONS: Final[Json] = {"type": "array", "items": {"type": "object"}}
_PROPAGATION: Final = {"propagationPolicy": "Orphan, Background or Foreground: what becomes of the projects."}
_CLIENT: Final = {"client_id": "string", "client_secret": "string"}
_OAUTH_QUERY: Final = {
    "client_id": "The client.", "redirect_uri": "One of the client's addresses.", "response_type": "code.",
    "scope": "openid, email, profile.", "state": "Given back as it is.", "nonce": "For the ID token.",
    "code_challenge": "RFC 7636.", "code_challenge_method": "S256.", "prompt": "none, login or consent.",
}  # fmt: skip


def _json(schema: Schema) -> dict[str, Schema]:
    return {"application/json": schema}


def _page(kind: str, **more: str) -> Described:
    return Described(answer=f"{kind}Page", query=LIST_QUERY | more)


def _create(kind: str) -> Described:
    return Described(body=_json(kind), answer=kind, code=201)


def _replace(kind: str) -> Described:
    return Described(body=_json(kind), answer=kind)


def _patch(kind: str) -> Described:
    return Described(body={_JSON_PATCH: _OPERATIONS, _MERGE: _ANY}, answer=kind)


_OAUTH: Final[Mapping[str, Described]] = {
    "TokenEndpoint.token": Described(
        body={FORM: fields(
            "grant_type", username="string", password="string", refresh_token="string", code="string",
            code_verifier="string", redirect_uri="string", scope="string", provider="string", **_CLIENT,
        )},
        answer="Tokens",
    ),
    "TokenEndpoint.revoke": Described(body={FORM: fields("token", **_CLIENT)}, answer=_ANY),
    "AuthorizationEndpoint.get": Described(answer={"type": "string"}, media="text/html", query=_OAUTH_QUERY),
    "AuthorizationEndpoint.post": Described(
        body={FORM: fields(**dict.fromkeys((*_OAUTH_QUERY, "ticket", "decision", "username", "password"), "string"))},
        answer={"type": "string"}, media="text/html",
    ),
    "Logout.logout": Described(
        answer=_ANY,
        query={"id_token_hint": "Whose session.", "post_logout_redirect_uri": "One of the client's addresses.",
               "state": "Given back as it is.", "client_id": "The client."},
    ),
    "UserInfo.userinfo": Described(answer=fields("sub")),
    "BrowserSession.log_in": Described(
        body=_json(fields("username", "password", provider="string")),
        answer=fields("username", expiresIn="integer", registration="string"),
    ),
    "BrowserSession.renew": Described(answer=fields("username", expiresIn="integer")),
    "BrowserSession.log_out": Described(answer=_ANY),
    "ProviderEndpoints.leave": Described(
        answer={"type": "string"}, media="text/html", query={"next": "A path here, to go to afterwards."}
    ),
    "ProviderEndpoints.back": Described(
        answer={"type": "string"}, media="text/html",
        query={"state": "What we sent.", "code": "OAuth 2.", "ticket": "CAS.", "error": "OAuth 2."},
    ),
    "ProviderEndpoints.register": Described(
        body=_json(fields("ticket", "username")), answer=fields("username", expiresIn="integer")
    ),
    "Discovery.configuration": Described(answer=_ANY),
    "Discovery.keys": Described(answer=_ANY),
    "Discovery.version": Described(answer=_ANY),
}  # fmt: skip
_IAM: Final[Mapping[str, Described]] = {
    "Users.list": _page("User", globalrole="Only users who hold this role."),
    "Users.create": _create("User"),
    "Users.get": Described(answer="User"),
    "Users.replace": _replace("User"),
    "Users.patch": Described(body={_MERGE: _ANY}, answer="User"),
    "Users.delete": Described(answer="Status"),
    "Users.set_password": Described(body=_json(fields("password", currentPassword="string")), answer="Status"),
    "Users.login_records": _page("LoginRecord"),
    "Members.list": _page("User"),
    "Members.invite": Described(body=_json("Members"), answer="Members", code=201),
    "Members.get": Described(answer="User"),
    "Members.change": Described(body=_json("Member"), answer="Member"),
    "Members.remove": Described(answer="Status"),
    "ServiceAccountTokens.create": Described(body=_json(_ANY), answer=_ANY, code=201),
}
_TENANT: Final[Mapping[str, Described]] = {
    "Workspaces.list_templates": _page("WorkspaceTemplate"),
    "Workspaces.get_template": Described(answer="WorkspaceTemplate"),
    "Workspaces.list_workspaces": _page("Workspace"),
    "Workspaces.get_workspace": Described(answer="Workspace"),
    "Workspaces.create": _create("WorkspaceTemplate"),
    "Workspaces.replace": _replace("WorkspaceTemplate"),
    "Workspaces.patch": _patch("WorkspaceTemplate"),
    "Workspaces.delete": Described(answer="Status", query=_PROPAGATION),
    "Projects.list": _page("Namespace"),
    "Projects.get": Described(answer="Namespace"),
    "Projects.of_member": _page("Namespace"),
    "Projects.create": _create("Namespace"),
    "Projects.replace": _replace("Namespace"),
    "Projects.patch": _patch("Namespace"),
    "Projects.delete": Described(answer="Status"),
    "Quotas.list": _page("ResourceQuota"),
    "Quotas.get": Described(answer="ResourceQuota"),
    "Quotas.create": _create("ResourceQuota"),
    "Quotas.replace": _replace("ResourceQuota"),
    "Quotas.delete": Described(answer="Status"),
    "VisibleClusters.list": _page("Cluster"),
    "VisibleClusters.of_workspace": _page("Cluster"),
    "TenantMetrics.platform": Described(answer="Metrics"),
    "TenantMetrics.workspace": Described(answer="Metrics"),
}
_OBSERVING: Final[Mapping[str, Described]] = {
    "Observing._readyz": Described(
        answer={"type": "string"}, media="text/plain",
        query={"verbose": "Tell of each check.", "exclude": "A check that does not count."},
    ),
    "Observing._one_check": Described(answer={"type": "string"}, media="text/plain"),
    "Observing._metrics": Described(answer={"type": "string"}, media="text/plain"),
}  # fmt: skip
_OPERATIONS_BY_HANDLER: Final[Mapping[str, Described]] = {**_OAUTH, **_IAM, **_TENANT, **_OBSERVING}


def operation_of(endpoint: Callable[..., Any]) -> Described | None:
    """What an endpoint takes and answers; None when nobody said."""
    return described(endpoint) or _OPERATIONS_BY_HANDLER.get(endpoint.__qualname__)
