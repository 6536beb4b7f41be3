"""What the caches know of roles and bindings, asked the way the mirrors in Kubernetes' RBAC need it. No requests.

`ideal` says what an object of Kubernetes' RBAC should be, by its kind and name; None: there should be none. The rest
says which such objects a change concerns.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from dovetail.apis import iam_v1beta1 as iam
from dovetail.apis.labels import WORKSPACE
from dovetail.apis.resource_name import ResourceName
from dovetail.iam import rbac_objects as rbac
from dovetail.iam.aggregation import with_shared_rules
from dovetail.iam.policy import RoleScope, Rule
from dovetail.iam.process_roles import Object
from dovetail.iam.rbac_objects import Kind, Source
from dovetail.iam.rbac_rules import World, is_wide, kubernetes_rules
from dovetail.iam.reading import Binding, Unreadable, read_account, read_role_binding, read_rules
from dovetail.kube.informer import Informer
from dovetail.kube.objects import Key, is_deleting, key_of, labels_of
from dovetail.kube.resources import NAMESPACES
from dovetail.kube.runtime import ControllerRuntime

KINDS: Final[Mapping[RoleScope, tuple[ResourceName, ResourceName]]] = {
    "global": (iam.GLOBALROLES, iam.GLOBALROLEBINDINGS),
    "workspace": (iam.WORKSPACEROLES, iam.WORKSPACEROLEBINDINGS),
    "cluster": (iam.CLUSTERROLES, iam.CLUSTERROLEBINDINGS),
    "namespace": (iam.ROLES, iam.ROLEBINDINGS),
}
_NOTHING: Final[list[Object]] = []
_MOST_KNOWN: Final = 4096
_BY_ROLE: Final = "rbac-role"
_BY_USER: Final = "rbac-user"
_BY_PLACE: Final = "rbac-place"
_BY_WORKSPACE: Final = "rbac-workspace"


def _read(binding: Object, scope: RoleScope) -> Binding | None:
    try:
        return read_role_binding(binding, KINDS[scope][0].kind)
    except Unreadable:
        return None


class Sources:
    """The informers of everything that Kubernetes' RBAC is made from, and what follows from them."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self.world = World()
        self._known: dict[tuple[int, tuple[Rule, ...], RoleScope], tuple[list[Object], tuple[Object, ...]]] = {}
        self.users = runtime.informer(iam.USERS)
        self.namespaces = runtime.informer(NAMESPACES, metadata_only=True, indexers={_BY_WORKSPACE: _workspaces})
        self.roles: dict[RoleScope, Informer] = {
            scope: runtime.informer(roles, transform=with_shared_rules) for scope, (roles, _) in KINDS.items()
        }
        self.bindings: dict[RoleScope, Informer] = {
            scope: runtime.informer(bindings, indexers=_indexers(scope)) for scope, (_, bindings) in KINDS.items()
        }

    def ideal(self, kind: Kind, key: Key) -> Object | None:
        """The object of Kubernetes' RBAC of this kind and name as it should be."""
        source = rbac.source_of(key.name, kind)
        if source is None or self._is_leaving(key.namespace):
            return None
        if kind in {"ClusterRole", "Role"}:
            rules = self._rules(source, key.namespace) if self._is_bound(source, key.namespace) else ()
            return rbac.role(kind, key.name, key.namespace, rules) if rules else None
        if source.scope == "workspace":
            return self._of_workspace_role(key, source)
        return self._of_binding(kind, key, source)

    def _of_binding(self, kind: Kind, key: Key, source: Source) -> Object | None:
        obj = self.bindings[source.scope].lister.get(source.name, key.namespace)
        read = _read(obj, source.scope) if obj is not None else None
        if read is None:
            return None
        role = Source(source.scope, read.role)
        who = rbac.subjects(read.subjects, self._may_log_in)
        if not who or not self._rules(role, key.namespace):
            return None
        role_kind: Kind = "Role" if source.scope == "namespace" else "ClusterRole"
        return rbac.binding(kind, key.name, key.namespace, role_kind, role.target(), who)

    def _of_workspace_role(self, key: Key, role: Source) -> Object | None:
        """The one RoleBinding of a workspace role in one of the workspace's namespaces."""
        namespace = self.namespaces.lister.get(key.namespace)
        workspace = labels_of(namespace).get(WORKSPACE, "") if namespace is not None else ""
        named = [pair for read in self._bindings_of(role, workspace) for pair in read.subjects] if workspace else []
        who = rbac.subjects(named, self._may_log_in)
        if not who or self._workspace_of(role) != workspace or not self._rules(role, ""):
            return None
        return rbac.binding("RoleBinding", key.name, key.namespace, "ClusterRole", key.name, who)

    def _rules(self, role: Source, namespace: str) -> tuple[Object, ...]:
        """What Kubernetes is told of a role. Thousands of copies of a built-in role share one answer."""
        own, added = self._own_rules(role, namespace)
        key = (id(added), own, role.scope)
        known = self._known.get(key)
        if known is None or known[0] is not added:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            rules = kubernetes_rules((*own, *read_rules(added)), role.scope, self.world)
            known = self._known[key] = (added, rules)
        return known[1]

    def _own_rules(self, role: Source, namespace: str) -> tuple[tuple[Rule, ...], list[Object]]:
        """A role's own rules, and the list of those that templates add, which caches share (`with_shared_rules`)."""
        obj = self.roles[role.scope].lister.get(role.name, namespace)
        if obj is None or is_deleting(obj):
            return (), _NOTHING
        status: Mapping[str, Any] = obj.get("status") or {}
        return read_rules(obj.get("rules")), status.get("aggregatedRules") or _NOTHING

    def meet(self, world: World) -> bool:
        """Take note of what the cluster has; whether that is news."""
        if world == self.world:
            return False
        self.world = world
        self._known.clear()
        return True

    def _is_bound(self, role: Source, namespace: str) -> bool:
        """Whether anybody may hold the role anywhere: a thousand idle workspaces shall not cost a ClusterRole each."""
        if role.scope != "workspace":
            return bool(self._bindings_of(role, namespace))
        workspace = self._workspace_of(role)
        return bool(workspace and self._bindings_of(role, workspace) and self.namespaces_of(workspace))

    def _bindings_of(self, role: Source, place: str) -> list[Binding]:
        found = self.bindings[role.scope].lister.by_index(_BY_ROLE, f"{place}/{role.name}")
        return [read for obj in found if (read := _read(obj, role.scope)) is not None]

    def _workspace_of(self, role: Source) -> str:
        obj = self.roles["workspace"].lister.get(role.name)
        return labels_of(obj).get(WORKSPACE, "") if obj is not None else ""

    def _may_log_in(self, name: str) -> bool:
        user = self.users.lister.get(name)
        try:
            account = read_account(user) if user is not None else None
        except Unreadable:
            return False
        return account is not None and not account.disabled and not account.uninitialized

    def _is_leaving(self, namespace: str) -> bool:
        if not namespace:
            return False
        found = self.namespaces.lister.get(namespace)
        return found is None or is_deleting(found)

    def namespaces_of(self, workspace: str) -> list[str]:
        """The namespaces of a workspace."""
        return [key_of(one).name for one in self.namespaces.lister.by_index(_BY_WORKSPACE, workspace)]

    # Which objects of Kubernetes' RBAC a change concerns: (is it a role?, its key).

    def of_role(self, scope: RoleScope, role: Object) -> Iterator[tuple[bool, Key]]:
        """Concerned by a change of a role: what stands for it, and for its bindings."""
        key = key_of(role)
        if scope == "workspace":
            yield from self._around(key.name, labels_of(role).get(WORKSPACE, ""))
            return
        yield True, _target(scope, key)
        for binding in self.bindings[scope].lister.by_index(_BY_ROLE, f"{key.namespace}/{key.name}"):
            yield False, _target(scope, key_of(binding))

    def of_binding(self, scope: RoleScope, binding: Object) -> Iterator[tuple[bool, Key]]:
        """Concerned by a change of a binding: what stands for it, and for its role."""
        key, read = key_of(binding), _read({**binding, "metadata": _alive(binding)}, scope)
        if scope != "workspace":
            yield False, _target(scope, key)
            if read is not None:
                yield True, _target(scope, Key(key.namespace, read.role))
        elif read is not None:
            yield from self._around(read.role, read.place.name)

    def of_user(self, user: Object) -> Iterator[tuple[bool, Key]]:
        """Concerned by a change of a user: what stands for the bindings that name it."""
        for scope, informer in self.bindings.items():
            for binding in informer.lister.by_index(_BY_USER, key_of(user).name):
                yield from self.of_binding(scope, binding)

    def of_namespace(self, namespace: Object) -> Iterator[tuple[bool, Key]]:
        """Concerned by a change of a namespace: what is in it for the roles of its workspace, and for its own."""
        name, workspace = key_of(namespace).name, labels_of(namespace).get(WORKSPACE, "")
        if workspace:
            bound = self.bindings["workspace"].lister.by_index(_BY_PLACE, workspace)
            roles = {read.role for binding in bound if (read := _read(binding, "workspace")) is not None}
            for role in roles:
                yield from _pair(role, [name])
        for scope_binding in self.bindings["namespace"].lister.list(name):
            yield from self.of_binding("namespace", scope_binding)

    def wide(self) -> Iterator[Key]:
        """What stands for the roles whose rules depend on the world, as (namespace, name)."""
        for scope, informer in self.roles.items():
            for role in informer.lister:
                key = key_of(role)
                own, added = self._own_rules(Source(scope, key.name), key.namespace)
                if is_wide((*own, *read_rules(added)), scope):
                    yield _target(scope, key)

    def _around(self, role: str, workspace: str) -> Iterator[tuple[bool, Key]]:
        return _pair(role, self.namespaces_of(workspace) if workspace else [])


def _pair(role: str, namespaces: Iterable[str]) -> Iterator[tuple[bool, Key]]:
    name = Source("workspace", role).target()
    yield True, Key("", name)
    for namespace in namespaces:
        yield False, Key(namespace, name)


def _target(scope: RoleScope, key: Key) -> Key:
    return Key(key.namespace, Source(scope, key.name).target())


def _alive(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata without its end, so that a binding on its way out still tells whom it concerns."""
    metadata: Mapping[str, Any] = obj["metadata"]
    return {name: value for name, value in metadata.items() if name != "deletionTimestamp"}


def _workspaces(namespace: Object) -> list[str]:
    workspace = labels_of(namespace).get(WORKSPACE)
    return [workspace] if workspace else []


def _indexers(scope: RoleScope) -> dict[str, Any]:
    def by_role(binding: Object) -> list[str]:
        read = _read(binding, scope)
        return [f"{read.place.name}/{read.role}"] if read is not None else []

    def by_user(binding: Object) -> list[str]:
        read = _read(binding, scope)
        return [name for kind, name in read.subjects if kind == "User"] if read is not None else []

    def by_place(binding: Object) -> list[str]:
        read = _read(binding, scope)
        return [read.place.name] if read is not None else []

    return {_BY_ROLE: by_role, _BY_USER: by_user} | ({_BY_PLACE: by_place} if scope == "workspace" else {})
