"""What each process of the platform may do on the Kubernetes API: its ClusterRole and Role, as plain objects.

The processes log in as the users `system:dovetail:gateway`, `system:dovetail:controllers` and
`system:dovetail:console`. Rights are as narrow as they can be and still suffice, and where that is wide it is said:

- gateway impersonates users and groups: it calls the API as the person who asks (DESIGN.md decision 4). The platform's
  own kinds it writes itself, after it has decided whether the caller may: most of who may what with them (workspaces,
  escalation) Kubernetes cannot say. Secrets it reads and writes in kubesphere-system only (keys, sessions). Into the
  namespaces of extensions it writes one ConfigMap, by which backends recognise it.
- controllers prepare an extension's namespace, service account and permissions, which an extension may ask for freely
  up to what its version declares; so they hold `escalate` and `bind`, which is as much as the cluster has. What an
  extension left behind can be of any kind, so they may find and delete everything.
- console reads bundles and the ConfigMaps and Secrets that bundles name, in any namespace, and never lists Secrets.
"""

from collections.abc import Iterable
from typing import Any, Final

from dovetail.apis import crds
from dovetail.apis.labels import MANAGED_BY, SYSTEM_NAMESPACE

Object = dict[str, Any]

GATEWAY: Final = "system:dovetail:gateway"
CONTROLLERS: Final = "system:dovetail:controllers"
CONSOLE: Final = "system:dovetail:console"

RBAC: Final = "rbac.authorization.k8s.io"
OWN_LABELS: Final = {MANAGED_BY: "dovetail"}

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "update", "patch", "delete")
_API_KINDS: Final = ("apiservices", "jsbundles", "reverseproxies", "extensionentries")
_GROUPS: Final = ("extensions.kubesphere.io", "kubesphere.io")
_IDENTITY_GROUPS: Final = ("iam.kubesphere.io", "tenant.kubesphere.io", "quota.kubesphere.io")


def rule(verbs: Iterable[str], groups: Iterable[str], resources: Iterable[str], names: Iterable[str] = ()) -> Object:
    """A PolicyRule about resources."""
    made: Object = {"verbs": list(verbs), "apiGroups": list(groups), "resources": list(resources)}
    return made | ({"resourceNames": list(names)} if names else {})


def own_kinds(verbs: Iterable[str], groups: Iterable[str] = (), suffix: str = "") -> list[Object]:
    """Rules about every kind of the platform (or of these groups of it), one a group."""
    kinds = [kind.resource for kind in crds.KINDS]
    return [
        rule(verbs, (group,), [kind.plural + suffix for kind in kinds if kind.group == group])
        for group in sorted(set(groups) or {kind.group for kind in kinds})
    ]


_DISCOVERY: Final[Object] = {
    "verbs": ["get"],
    "nonResourceURLs": [
        "/api",
        "/api/*",
        "/apis",
        "/apis/*",
        "/openapi/*",
        "/version",
        "/healthz",
        "/readyz",
        "/livez",
    ],
}
_EVENTS: Final = rule(("create", "update", "patch"), ("", "events.k8s.io"), ("events",))
_LEASES: Final = rule((*READ, *WRITE), ("coordination.k8s.io",), ("leases",))

ADOPT: Final = rule(("adopt",), ("tenant.kubesphere.io",), ("workspaces",))
"""Taking namespaces into workspaces and out of them: what `dovetail.iam.tenancy.guards` asks for."""

_WEBHOOKS: Final = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")

GATEWAY_RULES: Final = [
    *own_kinds((*READ, *WRITE)),
    rule(("get", "update", "patch"), _GROUPS, [f"{kind}/status" for kind in _API_KINDS]),
    *own_kinds(("get", "update", "patch"), _IDENTITY_GROUPS, "/status"),
    rule(READ, ("",), ("services", "endpoints", "configmaps")),
    rule((*READ, *WRITE), ("",), ("namespaces",)),
    rule(READ, ("",), ("resourcequotas",)),
    ADOPT,
    rule(("create",), ("admissionregistration.k8s.io",), _WEBHOOKS),
    rule(
        ("get", "update", "patch"),
        ("admissionregistration.k8s.io",),
        _WEBHOOKS,
        ("dovetail-tenancy", "dovetail-lifecycle"),
    ),
    rule(("create",), ("",), ("configmaps",)),  # what backends recognise the gateway by, in their own namespaces
    rule(("update",), ("",), ("configmaps",), ("dovetail-gateway",)),
    rule(READ, ("discovery.k8s.io",), ("endpointslices",)),
    rule(READ, ("apiextensions.k8s.io",), ("customresourcedefinitions",)),
    rule(("impersonate",), ("",), ("users", "groups", "serviceaccounts")),
    rule(("impersonate",), ("authentication.k8s.io",), ("*",)),  # "userextras/*" would match no extra
    _EVENTS,
    _DISCOVERY,
]
GATEWAY_SYSTEM_RULES: Final = [
    rule((*READ, *WRITE), ("",), ("secrets",)),
    rule(("update",), ("",), ("configmaps",), ("platform-theme",)),
    _LEASES,
]

CONTROLLERS_RULES: Final = [
    rule(("*",), _GROUPS, ("*",)),
    *own_kinds((*READ, *WRITE, "deletecollection"), _IDENTITY_GROUPS),
    *own_kinds(("get", "update", "patch"), _IDENTITY_GROUPS, "/status"),
    rule(READ, ("apiregistration.k8s.io",), ("apiservices",)),
    rule(
        (*READ, *WRITE, "deletecollection"), ("",),
        ("namespaces", "serviceaccounts", "secrets", "configmaps", "services", "endpoints"),
    ),
    rule(READ, ("", "apps", "batch"), ("pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs")),
    rule((*READ, *WRITE), ("",), ("resourcequotas",)),
    ADOPT,
    rule(READ, ("discovery.k8s.io",), ("endpointslices",)),
    rule(
        (*READ, *WRITE, "escalate", "bind"), (RBAC,),
        ("roles", "rolebindings", "clusterroles", "clusterrolebindings"),
    ),
    rule((*READ, *WRITE), ("apiextensions.k8s.io",), ("customresourcedefinitions",)),
    rule(("impersonate",), ("",), ("serviceaccounts",)),
    rule(("create",), ("",), ("serviceaccounts/token",)),
    rule(("get", "list", "delete"), ("*",), ("*",)),
    _LEASES,
    _EVENTS,
    _DISCOVERY,
]  # fmt: skip
CONSOLE_RULES: Final = [
    rule(READ, _GROUPS, _API_KINDS),
    rule(
        READ, _GROUPS,
        ("extensions", "extensionversions", "installplans", "subscriptions", "categories", "repositories"),
    ),
    rule(("get", "update", "patch"), _GROUPS, ("jsbundles/status",)),
    rule(READ, ("",), ("configmaps",)),
    rule(("get",), ("",), ("secrets", "services")),
    rule(("list",), ("discovery.k8s.io",), ("endpointslices",)),
    _EVENTS,
    _DISCOVERY,
]  # fmt: skip


def namespaces() -> list[Object]:
    """The namespaces the platform lives in."""
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE, "labels": OWN_LABELS}}]


def process_roles() -> list[Object]:
    """ClusterRoles and bindings of the three processes, and the gateway's Role in kubesphere-system."""
    made: list[Object] = []
    for user, rules in ((GATEWAY, GATEWAY_RULES), (CONTROLLERS, CONTROLLERS_RULES), (CONSOLE, CONSOLE_RULES)):
        name = user.removeprefix("system:")
        made.append({"kind": "ClusterRole", "metadata": _metadata(name), "rules": rules})
        made.append({"kind": "ClusterRoleBinding", "metadata": _metadata(name), **_to(user, "ClusterRole", name)})
    name = GATEWAY.removeprefix("system:")
    inside = _metadata(name) | {"namespace": SYSTEM_NAMESPACE}
    made.append({"kind": "Role", "metadata": inside, "rules": GATEWAY_SYSTEM_RULES})
    made.append({"kind": "RoleBinding", "metadata": inside, **_to(GATEWAY, "Role", name)})
    return [{"apiVersion": f"{RBAC}/v1", **obj} for obj in made]


def _metadata(name: str) -> Object:
    return {"name": name, "labels": dict(OWN_LABELS)}


def _to(user: str, kind: str, role: str) -> Object:
    return {
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
    }
