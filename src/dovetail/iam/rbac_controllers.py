"""Keeps Kubernetes' RBAC in step with the roles and bindings of the platform, so that a call to kube-apiserver is
decided below as it was above.

One controller for each of the four kinds of Kubernetes' RBAC. Its keys are the names of the objects that it keeps
(`iam.rbac_objects`); what an object should be follows from the caches alone (`iam.rbac_sources`), so a changed object
is repaired, one that stands for nothing goes, and a changed binding costs the writes of what stands for it. Names that
begin with `kubesphere:iam:` belong to these controllers, whoever wrote the object.

When an API group comes or goes, roles that say `*` for groups are written anew, a moment later and all at once.
"""

from collections.abc import Callable, Iterator
from typing import Final

from dovetail.iam import rbac_objects as rbac
from dovetail.iam.rbac_objects import Kind
from dovetail.iam.rbac_rules import world_of
from dovetail.iam.rbac_sources import Sources
from dovetail.kube.client import Client
from dovetail.kube.controller import Controller
from dovetail.kube.errors import AlreadyExists, NotFound
from dovetail.kube.informer import Handler, Informer, without_managed_fields
from dovetail.kube.lister import Lister
from dovetail.kube.objects import Key, key_of, uid_of
from dovetail.kube.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CRDS,
    ROLEBINDINGS,
    ROLES,
    Object,
    Resource,
    ResourceLike,
)
from dovetail.kube.runtime import ControllerRuntime

APISERVICES: Final = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", False)
TARGETS: Final[dict[Kind, Resource]] = {
    "ClusterRole": CLUSTERROLES, "ClusterRoleBinding": CLUSTERROLEBINDINGS, "Role": ROLES, "RoleBinding": ROLEBINDINGS,
}  # fmt: skip
_KIND_OF: Final[dict[tuple[bool, bool], Kind]] = {
    (True, False): "ClusterRole", (False, False): "ClusterRoleBinding", (True, True): "Role",
    (False, True): "RoleBinding",
}  # fmt: skip
_WORLD_SETTLES: Final = 1.0

Concerned = Callable[[Object], Iterator[tuple[bool, Key]]]


def ours_in_full(obj: Object) -> Object:
    """A transform for caches of Kubernetes' RBAC: of what is not ours nothing is kept but its name."""
    if not key_of(obj).name.startswith(rbac.PREFIX):
        kept = {name: obj["metadata"].get(name) for name in ("name", "namespace", "uid", "resourceVersion")}
        return {"kind": obj.get("kind"), "metadata": {name: value for name, value in kept.items() if value}}
    return without_managed_fields(obj)


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The controllers; add them to the runtime they were made for."""
    sources = Sources(runtime)
    made: dict[Kind, Controller] = {
        kind: _controller(runtime, sources, kind, target) for kind, target in TARGETS.items()
    }
    for informer, concerned in _watched(sources):
        informer.add_handler(_router(made, concerned))
    _follow_world(runtime, sources, made)
    return list(made.values())


def _controller(runtime: ControllerRuntime, sources: Sources, kind: Kind, target: Resource) -> Controller:
    shared = kind == "ClusterRoleBinding"  # with the mirrors of the administrators
    present = runtime.informer(target) if shared else runtime.informer(target, transform=ours_in_full)
    keeper = _Keeper(runtime.client, sources, kind, target, present.lister)
    controller = Controller(f"rbac {target.plural}", keeper.reconcile, workers=4)
    controller.watches(present, lambda obj: [key] if rbac.source_of((key := key_of(obj)).name, kind) else [])
    return controller


def _watched(sources: Sources) -> Iterator[tuple[Informer, Concerned]]:
    for scope, informer in sources.roles.items():
        yield informer, lambda obj, scope=scope: sources.of_role(scope, obj)
    for scope, informer in sources.bindings.items():
        yield informer, lambda obj, scope=scope: sources.of_binding(scope, obj)
    yield sources.users, sources.of_user
    yield sources.namespaces, sources.of_namespace


def _router(made: dict[Kind, Controller], concerned: Concerned) -> Handler:
    """Queues what a change concerns, before and after it, where it belongs; asked once for all four controllers."""

    def route(type: str, old: Object | None, new: Object, /) -> None:
        found = dict.fromkeys(concerned(new))
        if old is not None and old is not new:
            found |= dict.fromkeys(concerned(old))
        for role, key in found:
            made[_KIND_OF[role, bool(key.namespace)]].queue.add(key)

    return route


def _follow_world(runtime: ControllerRuntime, sources: Sources, made: dict[Kind, Controller]) -> None:
    definitions = runtime.informer(CRDS, metadata_only=True)
    services = runtime.informer(APISERVICES, metadata_only=True, optional=True)

    def changed(type: str, old: Object | None, new: Object, /) -> None:
        if type == "MODIFIED":
            return
        if sources.meet(world_of(_names(definitions.lister), _names(services.lister))):
            for key in sources.wide():
                made["Role" if key.namespace else "ClusterRole"].enqueue(key, _WORLD_SETTLES)

    definitions.add_handler(changed)
    services.add_handler(changed)


def _names(lister: Lister) -> list[str]:
    return [key_of(obj).name for obj in lister]


class _Keeper:
    """Brings one object to what it should be."""

    def __init__(self, client: Client, sources: Sources, kind: Kind, target: ResourceLike, present: Lister) -> None:
        self._client, self._sources, self._present = client, sources, present
        self._kind: Kind = kind
        self._target = target

    async def reconcile(self, key: Key) -> None:
        present = self._present.by_key(key)
        action = rbac.plan(self._sources.ideal(self._kind, key), present)
        if action.do in {"delete", "replace"} and present is not None:
            await self._delete(key, uid_of(present))
        if action.object is not None and action.do in {"create", "replace"}:
            await self._create(action.object)
        if action.object is not None and action.do == "update":
            await self._client.update(self._target, action.object)

    async def _create(self, obj: Object) -> None:
        try:
            await self._client.create(self._target, obj)
        except AlreadyExists:
            return  # our cache is behind; the watch brings it and, if it differs, the next pass

    async def _delete(self, key: Key, uid: str) -> None:
        try:
            await self._client.delete(self._target, key.name, key.namespace or None, uid=uid)
        except NotFound:
            return
