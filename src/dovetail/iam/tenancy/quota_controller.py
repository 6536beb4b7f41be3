"""The controller of workspaces' quotas: shares in namespaces in step with what is used (`quotas` decides).

Its keys are quotas, and shares whose quota is gone lead to it by name. Changes that come while a quota is worked on are
worked on together, so a burst of pods costs as many rounds as it takes, not one each. A share that the cluster refuses
(a resource that no quota can limit) is told in the quota's status.
"""

from typing import Any, Final

from dovetail.apis.quota_v1alpha2 import RESOURCEQUOTAS
from dovetail.iam.tenancy.actions import carry_out
from dovetail.iam.tenancy.quotas import (
    SHARE_OF,
    SHARE_PREFIX,
    SHARES,
    plan_quota,
    refused,
    selects,
    share_label,
    share_name,
    workspace_of_quota,
)
from dovetail.iam.tenancy.workspace_controllers import BY_WORKSPACE, workspace_index
from dovetail.kube.controller import Controller
from dovetail.kube.errors import Invalid
from dovetail.kube.objects import Key, key_of, labels_of
from dovetail.kube.resources import NAMESPACES, Object
from dovetail.kube.runtime import ControllerRuntime
from dovetail.kube.timestamps import now

_BY_QUOTA: Final = "quota"
_OF_WORKSPACE: Final = "of workspace"


def quota_controller(runtime: ControllerRuntime) -> Controller:
    """The controller."""
    world = _World(runtime)
    controller = Controller("workspace-quotas", world.reconcile, workers=2)
    controller.watches(world.quotas)
    controller.watches(world.shares, lambda share: [Key("", key_of(share).name.removeprefix(SHARE_PREFIX))])
    controller.watches(world.namespaces, world.concerned)
    return controller


class _World:
    """The caches that the reconciler reads, and the client it writes with."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        self._client = runtime.client
        self.quotas = runtime.informer(
            RESOURCEQUOTAS, indexers={_OF_WORKSPACE: lambda quota: [workspace_of_quota(quota)]}
        )
        self.shares = runtime.informer(
            SHARES, label_selector=SHARE_OF, indexers={_BY_QUOTA: lambda share: [labels_of(share)[SHARE_OF]]}
        )
        self.namespaces = runtime.informer(NAMESPACES, metadata_only=True, indexers={BY_WORKSPACE: workspace_index})

    def concerned(self, namespace: Object) -> list[Key]:
        """The quotas of a namespace's workspace."""
        found = [quota for name in workspace_index(namespace) for quota in self._of_workspace(name)]
        return [key_of(quota) for quota in found]

    async def reconcile(self, key: Key) -> None:
        quota = self.quotas.lister.get(key.name)
        found = self.shares.lister.by_index(_BY_QUOTA, share_label(key.name))
        shares = {key_of(one).namespace: one for one in found if key_of(one).name == share_name(key.name)}
        namespaces = self._namespaces(quota) if quota is not None else []
        try:
            await carry_out(self._client, plan_quota(quota, namespaces, shares, now()))
        except Invalid as error:
            if quota is None:
                raise
            await carry_out(self._client, refused(quota, error.message, now()))

    def _of_workspace(self, workspace: str) -> list[Object]:
        return self.quotas.lister.by_index(_OF_WORKSPACE, workspace)

    def _namespaces(self, quota: dict[str, Any]) -> list[str]:
        found = self.namespaces.lister.by_index(BY_WORKSPACE, workspace_of_quota(quota))
        return sorted(
            key_of(one).name for one in found if selects(quota, one) and not one["metadata"].get("deletionTimestamp")
        )
