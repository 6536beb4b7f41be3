"""The controllers of WorkspaceTemplates and Workspaces: caches in, `workspaces` decides, writes out.

Both are looked at when the object of the other kind, or anything that goes with the workspace, changes. Before a
template's finalizer goes, what belongs to the workspace is listed once more from the API itself: the cache may not know
yet what was made a moment ago, and whatever stays would be inherited by the next workspace of that name.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.apis.iam_v1beta1 import USERS, WORKSPACEROLEBINDINGS, WORKSPACEROLES
from dovetail.apis.labels import WORKSPACE
from dovetail.apis.quota_v1alpha2 import RESOURCEQUOTAS
from dovetail.apis.tenant_v1beta1 import WORKSPACES, WORKSPACETEMPLATES
from dovetail.iam.aggregation import with_shared_rules
from dovetail.iam.tenancy.actions import Action, Patch, carry_out, deletion
from dovetail.iam.tenancy.workspaces import Belonging, manager_of, plan_template, plan_workspace
from dovetail.kube.controller import Controller
from dovetail.kube.informer import Informer, without_managed_fields
from dovetail.kube.objects import Key, is_deleting, labels_of
from dovetail.kube.resources import NAMESPACES, Object
from dovetail.kube.runtime import ControllerRuntime
from dovetail.kube.timestamps import now

BY_WORKSPACE: Final = "workspace"
_BY_MANAGER: Final = "manager"
_BELONGINGS: Final = (WORKSPACEROLEBINDINGS, WORKSPACEROLES, RESOURCEQUOTAS)
_TRANSFORMS: Final = {WORKSPACEROLES: with_shared_rules}
"""So that the caches are those of the other controllers."""


def workspace_index(obj: Mapping[str, Any]) -> list[str]:
    """An index by the workspace that the label says."""
    workspace = labels_of(obj).get(WORKSPACE)
    return [workspace] if workspace else []


def workspace_controllers(runtime: ControllerRuntime) -> list[Controller]:
    """The two controllers."""
    world = _World(runtime)
    templates = Controller("workspacetemplates", world.reconcile_template, workers=2)
    templates.watches(world.templates)
    templates.watches(world.workspaces)
    templates.watches(world.users, world.managed_by)
    workspaces = Controller("workspaces", world.reconcile_workspace, workers=2)
    workspaces.watches(world.workspaces)
    workspaces.watches(world.templates)
    workspaces.watches(world.namespaces, _workspace_key)
    for informer in world.belongings.values():
        templates.watches(informer, _workspace_key)
        workspaces.watches(informer, world.ending)
    return [templates, workspaces]


class _World:
    """The caches that the reconcilers read, and the client they write with."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self._client = runtime.client
        index = {BY_WORKSPACE: workspace_index}
        self.templates = runtime.informer(WORKSPACETEMPLATES, indexers={_BY_MANAGER: lambda one: [manager_of(one)]})
        self.workspaces = runtime.informer(WORKSPACES)
        self.namespaces = runtime.informer(NAMESPACES, metadata_only=True, indexers=index)
        self.users = runtime.informer(USERS)
        self.belongings: dict[str, Informer] = {
            kind.plural: runtime.informer(kind, indexers=index, transform=_TRANSFORMS.get(kind, without_managed_fields))
            for kind in _BELONGINGS
        }

    def managed_by(self, user: Object) -> list[Key]:
        """The workspaces that a user manages."""
        managed = self.templates.lister.by_index(_BY_MANAGER, str(user["metadata"]["name"]))
        return [Key("", template["metadata"]["name"]) for template in managed]

    def ending(self, obj: Object) -> Iterable[Key]:
        """The workspace of an object, while it is being deleted: nothing else of a Workspace depends on them."""
        found = [self.workspaces.lister.get(name) for name in workspace_index(obj)]
        return [Key("", one["metadata"]["name"]) for one in found if one is not None and is_deleting(one)]

    async def reconcile_template(self, key: Key) -> None:
        template = self.templates.lister.get(key.name)
        if template is None:
            return
        manager_exists = self.users.lister.get(manager_of(template)) is not None
        present = self.workspaces.lister.get(key.name)
        actions = plan_template(template, present, self._belongings(key.name), manager_exists, now())
        if is_deleting(template) and _lets_go(actions):
            left = await self._listed(key.name)
            await carry_out(self._client, left)
        await carry_out(self._client, actions)

    async def reconcile_workspace(self, key: Key) -> None:
        workspace = self.workspaces.lister.get(key.name)
        if workspace is None:
            return
        template = self.templates.lister.get(key.name)
        projects = self.namespaces.lister.by_index(BY_WORKSPACE, key.name)
        actions = plan_workspace(workspace, template, projects, self._belongings(key.name), now())
        await carry_out(self._client, actions)

    def _belongings(self, workspace: str) -> list[Belonging]:
        return [
            Belonging(kind, obj)
            for kind in _BELONGINGS
            for obj in self.belongings[kind.plural].lister.by_index(BY_WORKSPACE, workspace)
        ]

    async def _listed(self, workspace: str) -> list[Action]:
        selector = f"{WORKSPACE}={workspace}"
        return [
            deletion(kind, obj)
            for kind in _BELONGINGS
            for obj in (await self._client.list(kind, label_selector=selector)).items
            if not is_deleting(obj)
        ]


def _lets_go(actions: list[Action]) -> bool:
    return any(isinstance(action, Patch) and "finalizers" in action.patch.get("metadata", {}) for action in actions)


def _workspace_key(obj: Object) -> list[Key]:
    return [Key("", name) for name in workspace_index(obj)]
