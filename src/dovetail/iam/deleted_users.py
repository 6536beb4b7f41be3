"""A user who is deleted leaves every binding, so that whoever gets the name next inherits nothing.

Each User carries the finalizer `finalizers.kubesphere.io/users`. When a user is deleted, its name is taken out of the
subjects of all bindings of all four scopes and out of all GroupBindings; a binding that is left without subjects goes.
What counts is the subject, never the label `user-ref`, which anybody may write (reference/kubesphere-core.md 8.3). Then
the finalizer is dropped. Until then the user grants nothing already: the policy leaves terminating users out.

Once the user is gone all is swept again: a binding may have been written while the first sweep was under way, and a
user may have been deleted before it got the finalizer.
"""

from collections.abc import Mapping
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import (
    CLUSTERROLEBINDINGS,
    GLOBALROLEBINDINGS,
    GROUPBINDINGS,
    ROLEBINDINGS,
    USERS,
    WORKSPACEROLEBINDINGS,
)
from dovetail.apis.labels import USERS_FINALIZER
from dovetail.apis.resource_name import ResourceName
from dovetail.kube.client import Client
from dovetail.kube.controller import Controller
from dovetail.kube.errors import NotFound
from dovetail.kube.informer import Informer
from dovetail.kube.objects import (
    Key,
    finalizers_of,
    is_deleting,
    key_of,
    resource_version_of,
    uid_of,
)
from dovetail.kube.resources import Object
from dovetail.kube.runtime import ControllerRuntime

BINDING_KINDS: Final = (GLOBALROLEBINDINGS, WORKSPACEROLEBINDINGS, CLUSTERROLEBINDINGS, ROLEBINDINGS, GROUPBINDINGS)
_INDEX: Final = "users"


def users_of(binding: Mapping[str, Any]) -> list[str]:
    """The users that a binding, or a GroupBinding, names."""
    subjects: list[Mapping[str, Any]] = binding.get("subjects") or []
    named = [str(subject.get("name")) for subject in subjects if subject.get("kind") == "User"]
    listed: list[str] = binding.get("users") or []
    return list(dict.fromkeys([*named, *listed]))


def without_user(binding: Mapping[str, Any], user: str) -> Object:
    """What a merge patch makes of a binding so that it does not name the user; empty when nobody else is left."""
    subjects: list[Mapping[str, Any]] = binding.get("subjects") or []
    listed: list[str] = binding.get("users") or []
    others = [one for one in subjects if (one.get("kind"), one.get("name")) != ("User", user)]
    people = [one for one in listed if one != user]
    patch: Object = {"subjects": others} if "subjects" in binding else {}
    if "users" in binding:
        patch["users"] = people
    return patch if others or people else {}


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The controller; add it to the runtime it was made for."""
    users = runtime.informer(USERS)
    bindings = {kind: runtime.informer(kind, indexers={_INDEX: users_of}) for kind in BINDING_KINDS}
    controller = Controller("deleted users", _Reconciler(runtime.client, users, bindings).reconcile, workers=2)
    controller.watches(users)
    return [controller]


class _Reconciler:
    """Puts the finalizer on a user, and sees a deleted one out."""

    def __init__(self, client: Client, users: Informer, bindings: Mapping[ResourceName, Informer]) -> None:
        self._client, self._users, self._bindings = client, users, bindings

    async def reconcile(self, key: Key) -> None:
        user = self._users.lister.by_key(key)
        if user is None:
            await self._sweep(key.name)
            return
        finalizers = finalizers_of(user)
        if not is_deleting(user):
            if USERS_FINALIZER not in finalizers:
                await self._keep(user, [*finalizers, USERS_FINALIZER])
        elif USERS_FINALIZER in finalizers:
            await self._sweep(key.name)
            await self._keep(user, [one for one in finalizers if one != USERS_FINALIZER])

    async def _keep(self, user: Object, finalizers: list[str]) -> None:
        body = {"metadata": {"resourceVersion": resource_version_of(user), "finalizers": finalizers or None}}
        try:
            await self._client.patch(USERS, key_of(user).name, body)
        except NotFound:
            return

    async def _sweep(self, user: str) -> None:
        for kind, informer in self._bindings.items():
            for binding in informer.lister.by_index(_INDEX, user):
                await self._leave(kind, binding, user)

    async def _leave(self, kind: ResourceName, binding: Object, user: str) -> None:
        key, patch = key_of(binding), without_user(binding, user)
        namespace = key.namespace or None
        try:
            if patch:
                patch["metadata"] = {"resourceVersion": resource_version_of(binding)}
                await self._client.patch(kind, key.name, patch, namespace)
            else:
                await self._client.delete(kind, key.name, namespace, uid=uid_of(binding))
        except NotFound:
            return
