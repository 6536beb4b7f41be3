"""The account that an extension's release is made with, and its rights: objects as pure values.

ServiceAccount `helm-executor.<ext>` in the target namespace; Role and ClusterRole `kubesphere:<ext>:helm-executor` with
their bindings. The Role has the rules of `permissions.yaml` and the published minimum in the extension's own namespace;
the ClusterRole has exactly what the package declares (reference/kubesphere-core.md 2.3). Everything carries the
extension's label and goes at uninstall.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from dovetail.apis import labels
from dovetail.kube import CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES, SERVICEACCOUNTS, Resource
from dovetail.packaging.permissions import IMPLICIT_GROUPS, Permissions, Rule

Object = dict[str, Any]

_RBAC: Final = "rbac.authorization.k8s.io"

_PROTECTED: Final = frozenset({"default", "dovetail-system", "kubesphere-controls-system", labels.SYSTEM_NAMESPACE})
_PROTECTED_PREFIX: Final = "kube-"


def account_name(extension: str) -> str:
    return f"helm-executor.{extension}"


def role_name(extension: str) -> str:
    return f"kubesphere:{extension}:helm-executor"


def account_user(extension: str, namespace: str) -> str:
    """The user name that Helm impersonates."""
    return f"system:serviceaccount:{namespace}:{account_name(extension)}"


def is_protected(namespace: str) -> bool:
    """Whether no extension may be installed into this namespace: it would get all rights in it.

    `kubesphere-*` is not protected as such: published packages and the seed's own example live in namespaces like
    kubesphere-devops-system.
    """
    return namespace in _PROTECTED or namespace.startswith(_PROTECTED_PREFIX)


def namespace_object(extension: str, namespace: str) -> Object:
    """A namespace that the platform makes for an extension, and removes with it."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": namespace,
            "labels": {
                labels.EXTENSION_REF: extension,
                labels.WORKSPACE: labels.SYSTEM_WORKSPACE,
                labels.MANAGED: "true",
            },
        },
    }


def access_objects(
    extension: str, namespace: str, permissions: Permissions, former: Mapping[str, Sequence[Mapping[str, Any]]] = {}
) -> list[tuple[Resource, Object]]:
    """The account, its roles and bindings, in the order to apply them.

    `former` are the rules of the roles as they are now, by kind: during an upgrade the account also needs the rights to
    remove what only the old version had.
    """
    name = role_name(extension)
    subject = {"kind": "ServiceAccount", "name": account_name(extension), "namespace": namespace}
    here = {"namespace": namespace}
    minimum = {"apiGroups": list(IMPLICIT_GROUPS), "resources": ["*"], "verbs": ["*"]}
    cluster_rules = _union(_rules(permissions.cluster), former.get("ClusterRole", ()))
    role_rules = _union([*_rules(permissions.namespace), minimum], former.get("Role", ()))
    return [
        (SERVICEACCOUNTS, _object("v1", "ServiceAccount", extension, {"name": account_name(extension), **here})),
        (ROLES, {**_object(f"{_RBAC}/v1", "Role", extension, {"name": name, **here}), "rules": role_rules}),
        (CLUSTERROLES, {**_object(f"{_RBAC}/v1", "ClusterRole", extension, {"name": name}), "rules": cluster_rules}),
        (ROLEBINDINGS, _binding("RoleBinding", "Role", extension, {"name": name, **here}, subject)),
        (CLUSTERROLEBINDINGS, _binding("ClusterRoleBinding", "ClusterRole", extension, {"name": name}, subject)),
    ]


def _binding(kind: str, role: str, extension: str, metadata: Object, subject: Object) -> Object:
    return {
        **_object(f"{_RBAC}/v1", kind, extension, metadata),
        "roleRef": {"apiGroup": _RBAC, "kind": role, "name": role_name(extension)},
        "subjects": [subject],
    }


def _object(api_version: str, kind: str, extension: str, metadata: Object) -> Object:
    marks = {labels.EXTENSION_REF: extension, labels.MANAGED: "true"}
    return {"apiVersion": api_version, "kind": kind, "metadata": {**metadata, "labels": marks}}


def _rules(rules: Iterable[Rule]) -> list[Object]:
    # By way of JSON: tuples must be lists to equal the rules that the API gives back.
    return [msgspec.json.decode(msgspec.json.encode(rule)) for rule in rules]


def _union(rules: list[Object], former: Sequence[Mapping[str, Any]]) -> list[Object]:
    return [*rules, *(dict(rule) for rule in former if dict(rule) not in rules)]
