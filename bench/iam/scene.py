"""A large platform as objects: users, workspaces with the built-in roles, projects with theirs, bindings of all scopes.

Each user has a role of the platform; the other bindings go to the rest of the scopes: three in ten to workspaces, six
in ten to projects, one in ten to the cluster. Who is bound where follows from the number alone, so every run is the
same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PROJECTS = 3
"""In each workspace."""
_WORKSPACE = "kubesphere.io/workspace"
_GROUP = "bench.dovetail.dev"


@dataclass(frozen=True)
class Scene:
    """How large."""

    users: int = 10_000
    workspaces: int = 1_000
    bindings: int = 50_000

    def objects(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(kind, object)."""
        yield from (("User", {"metadata": _meta(_user(n)), "spec": {"groups": [f"team-{n % 100}"]}})
                    for n in range(self.users))  # fmt: skip
        yield "GlobalRole", {"metadata": _meta("platform-regular"), "rules": _views(2)}
        yield "ClusterRole", {"metadata": _meta("cluster-viewer"), "rules": [_rule("get,list,watch", "*", "*")]}
        for number in range(self.workspaces):
            yield from _workspace(f"ws-{number}")
        yield from (self._binding(number) for number in range(self.bindings))

    def _binding(self, number: int) -> tuple[str, dict[str, Any]]:
        user = _user(number % self.users)
        if number < self.users:
            return "GlobalRoleBinding", bound("GlobalRole", f"g-{number}", "platform-regular", user)
        workspace = f"ws-{number * 7 % self.workspaces}"
        part = number % 10
        if part < 3:
            role = f"{workspace}-{('admin', 'regular', 'viewer')[part]}"
            return "WorkspaceRoleBinding", bound("WorkspaceRole", f"w-{number}", role, user, workspace=workspace)
        if part < 9:
            role, project = ("admin", "operator", "viewer")[part % 3], f"{workspace}-p{number % PROJECTS}"
            return "RoleBinding", bound("Role", f"n-{number}", role, user, namespace=project)
        return "ClusterRoleBinding", bound("ClusterRole", f"c-{number}", "cluster-viewer", user)

    def targets(self, number: int) -> tuple[str, str, str]:
        """(user, method, path): an ordinary request of one of the users to a project that may be his."""
        user = number % self.users
        workspace = (self.users + user) * 7 % self.workspaces
        path = f"/kapis/{_GROUP}/v1/namespaces/ws-{workspace}-p{number % PROJECTS}/things"
        return _user(user), ("GET", "POST")[number % 4 == 0], path


def _user(number: int) -> str:
    return f"user-{number}"


def _meta(name: str, workspace: str = "", namespace: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"name": name, "uid": f"uid-{name}"}
    made |= {"labels": {_WORKSPACE: workspace}} if workspace else {}
    return made | ({"namespace": namespace} if namespace else {})


def _rule(verbs: str, groups: str, resources: str) -> dict[str, Any]:
    return {"verbs": verbs.split(","), "apiGroups": groups.split(","), "resources": resources.split(",")}


def _views(count: int) -> list[dict[str, Any]]:
    """As many rules as role templates make of a role."""
    return [_rule("get,list,watch", f"group-{n}.kubesphere.io", f"things-{n},others-{n}") for n in range(count)]


def _workspace(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for role, rules in (
        ("admin", [_rule("*", "*", "*")]), ("viewer", [_rule("get,list,watch", "*", "*")]), ("regular", _views(6)),
        ("self-provisioner", _views(10)),
    ):  # fmt: skip
        yield "WorkspaceRole", {"metadata": _meta(f"{name}-{role}", workspace=name), "rules": rules}
    for number in range(PROJECTS):
        project = f"{name}-p{number}"
        yield "Namespace", {"metadata": _meta(project, workspace=name)}
        for role, rules in (
            ("admin", [_rule("*", "*", "*")]), ("viewer", [_rule("get,list,watch", "*", "*")]),
            ("operator", [_rule("get,list,watch", "*", "*"), *_views(12), _rule("*", f",apps,{_GROUP}", "*")]),
        ):  # fmt: skip
            yield "Role", {"metadata": _meta(role, namespace=project), "rules": rules}


def bound(kind: str, name: str, role: str, user: str, *, workspace: str = "", namespace: str = "") -> dict[str, Any]:
    """A binding as the member APIs write it."""
    metadata = _meta(name, workspace, namespace)
    labels = {**metadata.get("labels", {}), "iam.kubesphere.io/user-ref": user, "iam.kubesphere.io/role-ref": role}
    return {
        "apiVersion": "iam.kubesphere.io/v1beta1", "kind": f"{kind}Binding", "metadata": {**metadata, "labels": labels},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        "roleRef": {"apiGroup": "iam.kubesphere.io", "kind": kind, "name": role},
    }  # fmt: skip
