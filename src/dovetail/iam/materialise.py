"""Platform administrators as Kubernetes administrators, so that an impersonated call is decided the same way below.

Whoever holds the GlobalRole platform-admin, while that role allows everything, gets a ClusterRoleBinding
`kubesphere:iam:platform-admin:<user>` to cluster-admin; a group gets `kubesphere:iam:platform-admin:group:<group>` (a
user's name has no colon, so these never meet). Names with that prefix belong to this controller: one that is changed is
repaired, one that nobody holds any more is deleted, whoever wrote it. Groups of Kubernetes itself (`system:...`) are
not mirrored: being logged in must never make anybody an administrator of the cluster.

The planner (`plan`) is pure: what should be there and what is there in, one action out. All roles, this one too, are
also written rule by rule (`iam.rbac_controllers`); what that leaves out for an administrator is what no request to the
platform is: to impersonate, to escalate, to bind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dovetail.apis.iam_v1beta1 import GLOBALROLEBINDINGS, GLOBALROLES, USERS
from dovetail.apis.labels import MANAGED, MANAGED_BY
from dovetail.iam.aggregation import with_shared_rules
from dovetail.iam.builtin_roles import PLATFORM_ADMIN
from dovetail.iam.compiler import account_of
from dovetail.iam.reading import RESERVED_PREFIX, read_binding, read_rules
from dovetail.kube.controller import Controller
from dovetail.kube.errors import AlreadyExists, NotFound
from dovetail.kube.lister import Lister
from dovetail.kube.objects import Key, is_deleting, key_of, uid_of
from dovetail.kube.resources import CLUSTERROLEBINDINGS, Object
from dovetail.kube.runtime import ControllerRuntime

PREFIX = "kubesphere:iam:platform-admin:"
_GROUP = "group:"
_RBAC = "rbac.authorization.k8s.io"
_INDEX = "platform-admin-mirror"
_LABELS = {MANAGED_BY: "dovetail", MANAGED: "true"}


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about one mirror. `replace` deletes and creates: the role of a binding cannot be changed."""

    do: Literal["nothing", "create", "update", "replace", "delete"]
    object: Object


def mirror_name(kind: str, subject: str) -> str | None:
    """The name of the ClusterRoleBinding that mirrors a subject; None for one that is not mirrored."""
    if kind == "User" and ":" not in subject:
        return PREFIX + subject
    if kind == "Group" and not subject.startswith(RESERVED_PREFIX):
        return PREFIX + _GROUP + subject
    return None


def mirror(name: str) -> Object:
    """The ClusterRoleBinding of that name as it should be."""
    subject = name.removeprefix(PREFIX)
    kind = "Group" if subject.startswith(_GROUP) else "User"
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": dict(_LABELS)},
        "subjects": [{"apiGroup": _RBAC, "kind": kind, "name": subject.removeprefix(_GROUP)}],
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    }


def mirrors_of(binding: Mapping[str, Any]) -> list[str]:
    """The mirrors that a GlobalRoleBinding asks for, whether its users exist or not."""
    read = read_binding(binding)
    if read is None or read[0] != PLATFORM_ADMIN:
        return []
    return [name for kind, subject in read[1] if (name := mirror_name(kind, subject)) is not None]


def plan(name: str, wanted: bool, present: Mapping[str, Any] | None) -> Action:
    """What brings the present ClusterRoleBinding (None: there is none) to what it should be."""
    ideal = mirror(name)
    if present is None:
        return Action("create" if wanted else "nothing", ideal)
    if not wanted:
        return Action("delete", ideal)
    if present.get("roleRef") != ideal["roleRef"]:
        return Action("replace", ideal)
    metadata: Mapping[str, Any] = present.get("metadata") or {}
    labels: Mapping[str, str] = metadata.get("labels") or {}
    if present.get("subjects") == ideal["subjects"] and labels.items() >= _LABELS.items():
        return Action("nothing", ideal)
    merged = {**metadata, "labels": {**labels, **_LABELS}}
    return Action("update", {**ideal, "metadata": merged})


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The controller that keeps the mirrors; add it to the runtime that it was made for."""
    users = runtime.informer(USERS)
    bindings = runtime.informer(GLOBALROLEBINDINGS, indexers={_INDEX: mirrors_of})
    present = runtime.informer(CLUSTERROLEBINDINGS)
    roles = runtime.informer(GLOBALROLES, transform=with_shared_rules)
    world = _World(runtime, users.lister, roles.lister, bindings.lister, present.lister)
    controller = Controller("platform-admin-mirrors", world.reconcile)
    controller.watches(users, lambda user: _keys([mirror_name("User", str(user["metadata"]["name"]))]))
    controller.watches(bindings, lambda binding: _keys(mirrors_of(binding)))
    controller.watches(roles, lambda role: _of_role(role, bindings.lister))
    controller.watches(present, lambda mirrored: _keys([str(mirrored["metadata"]["name"])]))
    return [controller]


def _of_role(role: Object, bindings: Lister) -> list[Key]:
    if key_of(role).name != PLATFORM_ADMIN:
        return []
    return _keys(name for binding in bindings for name in mirrors_of(binding))


def allows_everything(role: Mapping[str, Any] | None) -> bool:
    """Whether the role is there to stay and one of its rules allows every request."""
    if role is None or is_deleting(role):
        return False
    return any("*" in rule.verbs and "*" in rule.api_groups and "*" in rule.resources and not rule.resource_names
               for rule in read_rules(role.get("rules")))  # fmt: skip


def _keys(names: Iterable[str | None]) -> list[Key]:
    return [Key("", name) for name in names if name is not None and name.startswith(PREFIX)]


class _World:
    """The listers that the reconciler reads and the client it acts with."""

    def __init__(
        self, runtime: ControllerRuntime, users: Lister, roles: Lister, bindings: Lister, present: Lister
    ) -> None:
        self._client = runtime.client
        self._users, self._roles, self._bindings, self._present = users, roles, bindings, present

    async def reconcile(self, key: Key) -> None:
        present = self._present.get(key.name)
        action = plan(key.name, self._wanted(key.name), present)
        if action.do in {"delete", "replace"} and present is not None:
            await self._delete(key.name, uid_of(present))
        if action.do in {"create", "replace"}:
            await self._create(action.object)
        if action.do == "update":
            await self._client.update(CLUSTERROLEBINDINGS, action.object)

    def _wanted(self, name: str) -> bool:
        """Whether a binding that lasts asks for this mirror, for a user who exists and may log in."""
        if not self._bindings.by_index(_INDEX, name) or not allows_everything(self._roles.get(PLATFORM_ADMIN)):
            return False
        subject = name.removeprefix(PREFIX)
        if subject.startswith(_GROUP):
            return True
        user = self._users.get(subject)
        account = account_of(user) if user is not None else None
        return account is not None and not account.disabled and not account.uninitialized

    async def _create(self, obj: Object) -> None:
        try:
            await self._client.create(CLUSTERROLEBINDINGS, obj)
        except AlreadyExists:
            return  # our cache is behind; the watch brings it and, if it differs, the next pass

    async def _delete(self, name: str, uid: str) -> None:
        try:
            await self._client.delete(CLUSTERROLEBINDINGS, name, uid=uid)
        except NotFound:
            return
