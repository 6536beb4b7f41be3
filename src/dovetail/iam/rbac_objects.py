"""Which objects of Kubernetes' RBAC stand for which roles and bindings of the platform. Pure.

    ClusterRole x, its binding b        ClusterRole kubesphere:iam:x, ClusterRoleBinding kubesphere:iam:b
    Role x, its binding b               Role and RoleBinding of the same names, in the namespace
    GlobalRole x, its binding b         ClusterRole kubesphere:iam:global:x, ClusterRoleBinding kubesphere:iam:global:b
    WorkspaceRole x                     ClusterRole kubesphere:iam:workspace:x, and of that name a RoleBinding in each
                                        namespace of the workspace, for everybody who is bound to x

Names of the platform's objects hold no colon, so these never meet each other, nor the mirrors of the administrators
(`iam.materialise`). A binding names those of its subjects who count: users who exist and may log in, groups that are
not Kubernetes' own, service accounts. Where nobody is left, or the role allows nothing in Kubernetes, there is none.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dovetail.apis.labels import MANAGED, MANAGED_BY
from dovetail.iam.materialise import PREFIX as ADMINISTRATORS
from dovetail.iam.policy import RoleScope
from dovetail.iam.process_roles import RBAC, Object
from dovetail.iam.reading import RESERVED_PREFIX
from dovetail.kube.objects import labels_of, metadata

PREFIX: Final = "kubesphere:iam:"
GLOBAL: Final = "global:"
WORKSPACE: Final = "workspace:"
LABELS: Final = {MANAGED_BY: "dovetail", MANAGED: "true"}
_KUBERNETES_ACCOUNT: Final = "system:serviceaccount:"

Kind = Literal["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]


@dataclass(frozen=True, slots=True)
class Source:
    """What an object of Kubernetes' RBAC stands for: the platform's object of that scope and name."""

    scope: RoleScope
    name: str

    def target(self) -> str:
        """The name of the object that stands for it."""
        return PREFIX + {"global": GLOBAL, "workspace": WORKSPACE}.get(self.scope, "") + self.name


def source_of(name: str, kind: Kind) -> Source | None:
    """What an object of that name stands for; None when the name is not one of ours."""
    if not name.startswith(PREFIX) or name.startswith(ADMINISTRATORS):
        return None
    rest = name.removeprefix(PREFIX)
    if rest.startswith(GLOBAL):
        return Source("global", rest.removeprefix(GLOBAL))
    if rest.startswith(WORKSPACE):
        return Source("workspace", rest.removeprefix(WORKSPACE))
    return Source("cluster" if kind.startswith("Cluster") else "namespace", rest)


def subjects(named: Iterable[tuple[str, str]], may_log_in: Callable[[str], bool]) -> list[Object]:
    """The subjects that count, each once, in order. `named` are (User, Group or ServiceAccount, name) pairs."""
    made = {made for kind, name in named if (made := _subject(kind, name, may_log_in)) is not None}
    return [dict(one) for one in sorted(made)]


def _subject(kind: str, name: str, may_log_in: Callable[[str], bool]) -> tuple[tuple[str, str], ...] | None:
    if kind == "ServiceAccount" and name.startswith(_KUBERNETES_ACCOUNT):
        namespace, _, account = name.removeprefix(_KUBERNETES_ACCOUNT).partition(":")
        return (("kind", kind), ("name", account), ("namespace", namespace))
    if kind == "Group" and not name.startswith(RESERVED_PREFIX):
        return (("apiGroup", RBAC), ("kind", kind), ("name", name))
    if kind == "ServiceAccount" or (kind == "User" and ":" not in name and may_log_in(name)):
        return (("apiGroup", RBAC), ("kind", "User"), ("name", name))
    return None


def role(kind: Kind, name: str, namespace: str, rules: Iterable[Object]) -> Object:
    """A Role or ClusterRole."""
    return {**_object(kind, name, namespace), "rules": list(rules)}


def binding(kind: Kind, name: str, namespace: str, role_kind: Kind, role_name: str, who: list[Object]) -> Object:
    """A RoleBinding or ClusterRoleBinding."""
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": role_name}
    return {**_object(kind, name, namespace), "subjects": who, "roleRef": reference}


def _object(kind: Kind, name: str, namespace: str) -> Object:
    placed = {"name": name, "namespace": namespace} if namespace else {"name": name}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {**placed, "labels": dict(LABELS)}}


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about one object. `replace` deletes and creates: the role of a binding cannot be changed."""

    do: Literal["nothing", "create", "update", "replace", "delete"]
    object: Object | None = None


def plan(ideal: Object | None, present: Mapping[str, Any] | None) -> Action:
    """What brings the object that is there (None: there is none) to what should be there (None: nothing)."""
    if ideal is None:
        return Action("nothing" if present is None else "delete")
    if present is None:
        return Action("create", ideal)
    if present.get("roleRef") != ideal.get("roleRef"):
        return Action("replace", ideal)
    same = all((present.get(part) or []) == (ideal.get(part) or []) for part in ("rules", "subjects"))
    if same and labels_of(present).items() >= LABELS.items():
        return Action("nothing")
    merged = {**metadata(present), "labels": {**labels_of(present), **LABELS}}
    return Action("update", {**ideal, "metadata": merged})
