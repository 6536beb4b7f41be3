"""The roles that the platform brings along (reference/kubesphere-core.md 3.5, without the holes of 8.3).

Three sorts: GlobalRoles, which bootstrap writes; ClusterRoles; and BuiltinRoles, each the pattern of a role that every
workspace or project gets a copy of (`iam.instances`). Administrators hold `*`; all others are put together from role
templates that say so by the label `iam.kubesphere.io/aggregate-to-<role>`, so an extension gives its own things to
them by a template with that label. A viewer therefore sees no Secret and enters no pod.

What everybody who is logged in may do is little: discover the API, ask about himself, and read what the console shows
before it knows anything else. Lists of workspaces, projects and clusters are open to everybody and filtered to what he
may see; that is not a rule of a role (`iam.authorizer`). Nobody may list users because of being logged in.

Pure: names and objects.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, Literal

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.labels import (
    AGGREGATE_TO_PREFIX,
    BUILTIN_ROLE,
    MANAGED,
    ROLE_REF,
    SCOPE,
    USER_REF,
    WORKSPACE,
)
from dovetail.apis.resource_name import ResourceName
from dovetail.iam.process_roles import OWN_LABELS, RBAC, READ, Object

PLATFORM_ADMIN: Final = "platform-admin"
PLATFORM_REGULAR: Final = "platform-regular"
SELF_PROVISIONER: Final = "platform-self-provisioner"
PRE_REGISTRATION: Final = "pre-registration"
PRE_REGISTRATION_GROUP: Final = "system:pre-registration"
ADMIN: Final = "admin"

_DISCOVERY: Final = ["/api", "/api/*", "/apis", "/apis/*", "/kapis", "/kapis/*", "/openapi/*", "/version"]
_IMAGES: Final = ["/static/images/*"]
_EVERYTHING: Final[Object] = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
_EVERY_PATH: Final[Object] = {"verbs": ["*"], "nonResourceURLs": ["*"]}
_LONGEST_NAME: Final = 63

_IN_A_WORKSPACE: Final[Object] = {"matchExpressions": [{"key": WORKSPACE, "operator": "Exists"}]}

Scope = Literal["workspace", "namespace"]


def global_roles() -> list[Object]:
    """The built-in GlobalRoles."""
    return [
        _role(iam.GLOBALROLES, PLATFORM_ADMIN, [_EVERYTHING, _EVERY_PATH]),
        _role(iam.GLOBALROLES, PLATFORM_REGULAR, [], aggregates=True),
        _role(iam.GLOBALROLES, SELF_PROVISIONER, [], aggregates=True),
        _role(iam.GLOBALROLES, "authenticated", _for_everybody(), aggregates=True),
        _role(iam.GLOBALROLES, "anonymous", [_may(("get",), "config.kubesphere.io", "configs"), _get(_IMAGES)]),
        _role(iam.GLOBALROLES, PRE_REGISTRATION, [_may(("create",), iam.GROUP, "users")]),
    ]


def _for_everybody() -> list[Object]:
    selves = ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews")
    look = ("get", "list")
    return [
        _get([*_DISCOVERY, *_IMAGES]),
        {**_may(("create",), "authentication.k8s.io", *selves), "apiGroups": _REVIEWS},
        _may(look, "config.kubesphere.io", "configs"),
        _may(READ, iam.GROUP, "roletemplates", "categories"),
        _may(look, "kubesphere.io", "extensions", "categories"),
        _may(look, "extensions.kubesphere.io", "jsbundles", "extensionentries"),
    ]


_REVIEWS: Final = ["authentication.k8s.io", "authorization.k8s.io"]


def cluster_roles() -> list[Object]:
    """The built-in ClusterRoles of the platform; Kubernetes' own are another kind."""
    paths = [*_DISCOVERY, "/healthz", "/livez", "/readyz", "/healthz/*", "/livez/*", "/readyz/*"]
    return [
        _role(iam.CLUSTERROLES, "cluster-admin", [_EVERYTHING, _EVERY_PATH]),
        _role(iam.CLUSTERROLES, "cluster-viewer", [_get(paths)], aggregates=True),
    ]


def builtin_roles() -> list[Object]:
    """The patterns of the roles of each workspace and of each project."""
    in_workspaces = (ADMIN, "regular", "viewer", "self-provisioner")
    in_projects = (ADMIN, "operator", "viewer")
    return [
        *(_builtin("workspace", iam.WORKSPACEROLES, name) for name in in_workspaces),
        *(_builtin("namespace", iam.ROLES, name) for name in in_projects),
    ]


def _builtin(scope: Scope, resource: ResourceName, name: str) -> Object:
    is_admin = name == ADMIN
    return {
        "apiVersion": iam.BUILTINROLES.api_version,
        "kind": iam.BUILTINROLES.kind,
        "metadata": {"name": f"{scope}-{name}", "labels": {**OWN_LABELS, SCOPE: scope}},
        "targetSelector": {} if scope == "workspace" else _IN_A_WORKSPACE,
        "role": _role(resource, name, [_EVERYTHING] if is_admin else [], aggregates=not is_admin),
    }


def _role(resource: ResourceName, name: str, rules: list[Object], *, aggregates: bool = False) -> Object:
    made: Object = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "labels": {**OWN_LABELS, MANAGED: "true"}},
        "rules": rules,
    }
    if aggregates:
        labelled = {"key": AGGREGATE_TO_PREFIX + name, "operator": "Exists"}
        made["aggregationRoleTemplates"] = {"roleSelector": {"matchExpressions": [labelled]}}
    return made


def _may(verbs: tuple[str, ...], group: str, *resources: str) -> Object:
    return {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}


def _get(paths: list[str]) -> Object:
    return {"verbs": ["get"], "nonResourceURLs": paths}


def instance_name(workspace: str, role: str) -> str:
    """What the copy of a built-in role is called in a workspace: `<workspace>-<role>`, shortened by a hash."""
    name = f"{workspace}-{role}"
    if len(name) <= _LONGEST_NAME:
        return name
    ending = "-" + sha256(name.encode()).hexdigest()[:10]
    return name[: _LONGEST_NAME - len(ending)].rstrip("-.") + ending


def instance(pattern: Mapping[str, Any], place: str) -> Object:
    """The role that a BuiltinRole stands for in one workspace or namespace."""
    role: Mapping[str, Any] = pattern["role"]
    metadata: Mapping[str, Any] = role.get("metadata") or {}
    name = str(metadata.get("name", ""))
    written: Mapping[str, str] = metadata.get("labels") or {}
    labels = {**written, **OWN_LABELS, MANAGED: "true", BUILTIN_ROLE: name}
    of_pattern: Mapping[str, str] = pattern["metadata"].get("labels") or {}
    in_workspace = of_pattern.get(SCOPE) == "workspace"
    placed: Object = (
        {"name": instance_name(place, name), "labels": {**labels, WORKSPACE: place}}
        if in_workspace
        else {"name": name, "namespace": place, "labels": labels}
    )
    resource = iam.WORKSPACEROLES if in_workspace else iam.ROLES
    made: Object = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {**placed, "annotations": dict(metadata.get("annotations") or {})},
        "rules": role.get("rules") or [],
    }
    if aggregation := role.get("aggregationRoleTemplates"):
        made["aggregationRoleTemplates"] = aggregation
    return made


def binding_name(user: str, role: str) -> str:
    """A name for the binding of a user to a role that no other pair shares (`a`+`b-c` and `a-b`+`c` do not)."""
    return f"{user}-{role}"[:240].rstrip("-.") + "-" + sha256(f"{user}/{role}".encode()).hexdigest()[:8]


def workspace_binding(workspace: str, role: str, user: str) -> Object:
    """The WorkspaceRoleBinding of a user to a workspace's copy of a built-in role."""
    made = _binding(iam.WORKSPACEROLEBINDINGS, iam.WORKSPACEROLES, instance_name(workspace, role), user)
    made["metadata"]["labels"][WORKSPACE] = workspace
    return made


def namespace_binding(namespace: str, role: str, user: str) -> Object:
    """The RoleBinding of a user to a role of a project."""
    made = _binding(iam.ROLEBINDINGS, iam.ROLES, role, user)
    made["metadata"]["namespace"] = namespace
    return made


def _binding(resource: ResourceName, roles: ResourceName, role: str, user: str) -> Object:
    labels = {**OWN_LABELS, USER_REF: user, ROLE_REF: role}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": binding_name(user, role),
            "labels": {key: value for key, value in labels.items() if len(value) <= _LONGEST_NAME},
        },
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        "roleRef": {"apiGroup": iam.GROUP, "kind": roles.kind, "name": role},
    }
