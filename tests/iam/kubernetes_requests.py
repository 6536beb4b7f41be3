"""Requests to Kubernetes' API as tests ask about them: how Kubernetes reads them, and what they are over HTTP.

Written from Kubernetes' documentation ("Authorization: determine the request verb", "Using RBAC"), not from our code.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

VERB_OF = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True)
class Request:
    """A resource request."""

    method: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    watch: bool = False

    @property
    def path(self) -> str:
        parts = [f"/apis/{self.group}/v1" if self.group else "/api/v1"]
        parts += [f"namespaces/{self.namespace}"] if self.namespace else []
        parts += [part for part in (self.resource, self.name, self.subresource) if part]
        return "/".join(parts)

    @property
    def query(self) -> str:
        return "watch=true" if self.watch else ""

    @property
    def verb(self) -> str:
        """The verb by which Kubernetes decides."""
        verb = VERB_OF[self.method]
        if not self.name and verb == "get":
            return "watch" if self.watch else "list"
        return "deletecollection" if not self.name and verb == "delete" else verb

    def review(self, user: str, groups: list[str]) -> dict[str, Any]:
        """The SubjectAccessReview that asks about it."""
        attributes = {
            "verb": self.verb, "group": self.group, "resource": self.resource, "subresource": self.subresource,
            "namespace": self.namespace, "name": self.name,
        }  # fmt: skip
        spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
        return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


NAMESPACED = [
    ("", "pods", ""), ("", "pods", "exec"), ("", "pods", "log"), ("", "pods", "portforward"), ("", "services", "proxy"),
    ("", "secrets", ""), ("", "configmaps", ""), ("apps", "deployments", ""), ("apps", "deployments", "scale"),
    ("shop.example", "carts", ""), ("iam.kubesphere.io", "rolebindings", ""), ("iam.kubesphere.io", "roles", ""),
    ("rbac.authorization.k8s.io", "rolebindings", ""),
]  # fmt: skip
CLUSTER_WIDE = [
    ("", "nodes", ""), ("", "nodes", "proxy"), ("", "namespaces", ""), ("iam.kubesphere.io", "users", ""),
    ("iam.kubesphere.io", "workspacerolebindings", ""), ("iam.kubesphere.io", "globalrolebindings", ""),
    ("tenant.kubesphere.io", "workspaces", ""), ("tenant.kubesphere.io", "workspacetemplates", ""),
    ("cluster.kubesphere.io", "clusters", ""), ("cluster.kubesphere.io", "labels", ""),
    ("kubesphere.io", "extensions", ""), ("storage.k8s.io", "storageclasses", ""),
]  # fmt: skip
GROUPS = sorted({group for group, _, _ in NAMESPACED + CLUSTER_WIDE})
NAMES = ["a", "b"]


def requests(namespaces: list[str]) -> st.SearchStrategy[Request]:
    """Requests that exist: a subresource has a name in front of it, and a kind stands where it can stand."""

    def request(kind: tuple[str, str, str], namespace: str, method: str, name: str, watch: bool) -> Request:
        group, resource, sub = kind
        name = name or ("a" if sub else "")
        if method in {"PUT", "PATCH"} and not name:
            name = "a"
        if method == "POST" and not sub:
            name = ""
        return Request(method, group, resource, namespace, name, sub, watch and method == "GET" and not name)

    methods = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"])
    names = st.sampled_from(["", *NAMES])
    everywhere = st.sampled_from([""])
    return st.builds(
        request, st.sampled_from(NAMESPACED), st.sampled_from(["", *namespaces]), methods, names, st.booleans()
    ) | st.builds(request, st.sampled_from(CLUSTER_WIDE), everywhere, methods, names, st.booleans())


def some(values: list[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    """A few of these, in any order."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


VERBS = ["*", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate"]
RESOURCES = sorted(
    {resource + (f"/{sub}" if sub else "") for _, resource, sub in NAMESPACED + CLUSTER_WIDE}
    | {"*", "*/exec", "*/proxy", "*/scale", "*/log"}
)
RULES = st.fixed_dictionaries(
    {"verbs": some(VERBS), "apiGroups": some(["*", *GROUPS]), "resources": some(RESOURCES)},
    optional={"resourceNames": some(NAMES)},
)
"""Rules as a role lists them."""


def allows(rules: list[dict[str, Any]], request: Request) -> bool:
    """What Kubernetes' RBAC says of these rules."""
    whole = request.resource + (f"/{request.subresource}" if request.subresource else "")
    for rule in rules:
        names_it = "*" in rule["resources"] or whole in rule["resources"]
        names_it |= bool(request.subresource) and f"*/{request.subresource}" in rule["resources"]
        if (
            {"*", request.verb} & {*rule["verbs"]} and {"*", request.group} & {*rule["apiGroups"]} and names_it
            and (not rule.get("resourceNames") or request.name in rule["resourceNames"])
        ):  # fmt: skip
            return True
    return False
