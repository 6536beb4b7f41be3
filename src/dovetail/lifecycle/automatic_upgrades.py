"""Plans with `upgradeStrategy: Automatic` follow the recommended version of their extension.

`choose` is the whole rule, pure. An upgrade is only begun from a plan at rest: installed, or failed for good (a newer
version may be the remedy). Never downwards, never into a version that needs somebody's approval, and only while the
maintenance window is open, if there is one. What the upgrade does, and whether it is taken back when it fails, is the
plan's business like that of any other change of its version. A plan that a Subscription owns is changed by changing the
Subscription.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dovetail.apis.dialects import InstallPlan, install_plan
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, SUBSCRIPTIONS
from dovetail.apis.resource_name import ResourceName
from dovetail.kube import Client, Conflict, EventRecorder, Informer, Key, NotFound, RequeueAfter, is_deleting
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import states
from dovetail.lifecycle.facts import Problem
from dovetail.lifecycle.maintenance_window import is_open, next_opening
from dovetail.lifecycle.objects import generation_of, status_of
from dovetail.lifecycle.progress import recorded_of
from dovetail.lifecycle.subscriptions import subscription_of
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Version

_LONGEST_WAIT: Final = 3600.0
"""A window is looked for at least this often: clocks are set, and machines sleep."""
Blocked = Callable[[str, str], Problem | None]
"""Why an extension (first) cannot be installed in a version (second) now, or None."""


@dataclass(frozen=True)
class Upgrade:
    """Begin it now."""

    version: str


@dataclass(frozen=True)
class Later:
    """The window opens in so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Stay:
    """There is nothing to do until something changes."""


def choose(
    plan: InstallPlan, status: Mapping[str, Any], generation: int, recommended: str, at: datetime
) -> Upgrade | Later | Stay:
    """What to do about a plan whose extension's recommended version is `recommended`."""
    policies = plan.policies
    if plan.upgrade_strategy != "Automatic" or policies.paused or policies.approval_required:
        return Stay()
    if not _at_rest(status, generation, policies.retry.limit) or not _is_newer(recommended, plan.version):
        return Stay()
    if policies.window is None or is_open(policies.window, at):
        return Upgrade(recommended)
    return Later((next_opening(policies.window, at) - at).total_seconds())


def _at_rest(status: Mapping[str, Any], generation: int, limit: int | None) -> bool:
    recorded = recorded_of(status)
    if recorded.generation != generation:
        return False
    return recorded.state == states.INSTALLED or (
        recorded.state in states.FAILED and (recorded.attempt.is_exhausted(limit) or bool(recorded.problem))
    )


def _is_newer(recommended: str, version: str) -> bool:
    try:
        return Version.parse(recommended) > Version.parse(version)
    except PackagingError:
        return False


class AutomaticUpgrades:
    """See the module. `blocked` keeps from versions that could not be installed."""

    def __init__(
        self, client: Client, recorder: EventRecorder, plans: Informer, extensions: Informer, blocked: Blocked
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._plans = plans
        self._extensions = extensions
        self._blocked = blocked

    async def reconcile(self, key: Key) -> RequeueAfter | None:
        obj, extension = self._plans.lister.get(key.name), self._extensions.lister.get(key.name)
        if obj is None or extension is None or is_deleting(obj):
            return None
        try:
            plan = install_plan(obj)
        except InvalidObject:
            return None  # the plan's own reconciler says so
        recommended = str(status_of(extension).get("recommendedVersion") or "")
        match choose(plan, status_of(obj), generation_of(obj), recommended, now()):
            case Upgrade(version):
                await self._begin(obj, plan, version)
            case Later(seconds):
                return RequeueAfter(min(seconds + 1.0, _LONGEST_WAIT))
            case Stay():
                pass
        return None

    async def _begin(self, obj: Object, plan: InstallPlan, version: str) -> None:
        if self._blocked(plan.extension, version) is not None:
            return  # it is looked at again when the catalogue or a plan changes
        owner = next(iter(subscription_of(obj)), None)
        with contextlib.suppress(NotFound, Conflict):  # it changed meanwhile: there comes another look
            if owner is None:
                await self._write(INSTALLPLANS, obj, version)
            elif (subscription := await self._agreeing(owner.name, plan)) is not None:
                await self._write(SUBSCRIPTIONS, subscription, version)
            else:
                return
            message = f"{plan.version} -> {version}, which is recommended now"
            await self._recorder.record(obj, "Normal", "AutomaticUpgrade", message)

    async def _agreeing(self, name: str, plan: InstallPlan) -> Object | None:
        """The plan's Subscription, unless somebody just changed it and the plan does not know yet."""
        subscription = await self._client.get(SUBSCRIPTIONS, name)
        try:
            wanted = install_plan(subscription)
        except InvalidObject:
            return None
        agrees = (wanted.version, wanted.upgrade_strategy) == (plan.version, plan.upgrade_strategy)
        return subscription if agrees else None

    async def _write(self, resource: ResourceName, obj: Object, version: str) -> None:
        change = {
            "metadata": {"resourceVersion": obj["metadata"]["resourceVersion"]},
            "spec": {"extension": {"version": version}},
        }
        await self._client.patch(resource, obj["metadata"]["name"], change)
