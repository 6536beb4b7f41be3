"""Subscription: the seed's form of an InstallPlan, kept in step with one.

Each Subscription has a plan named like its extension, which it owns; what the Subscription says is what the plan says
(`config` as YAML text), and the plan's status is the Subscription's. A plan that somebody made by hand, or that another
Subscription has, is not taken over: the Subscription says so in its status. Deleting the Subscription deletes the plan.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dovetail.apis.dialects import InstallPlan, install_plan
from dovetail.apis.errors import InvalidObject
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, SUBSCRIPTIONS
from dovetail.kube import (
    AlreadyExists,
    Client,
    Informer,
    Key,
    NotFound,
    annotations_of,
    is_deleting,
    owner_reference,
    set_condition,
)
from dovetail.kube.resources import Object
from dovetail.kube.timestamps import now
from dovetail.lifecycle import states
from dovetail.lifecycle.objects import conditions_of, generation_of, spec_of, status_of

OWNER: Final = "dovetail.dev/subscription"
"""Annotation of a plan: the Subscription that it mirrors."""


def subscription_of(plan: Object) -> Iterable[Key]:
    """Whom a change of a plan concerns."""
    name = annotations_of(plan).get(OWNER)
    return (Key("", name),) if name else ()


def plan_spec(subscription: InstallPlan, present: Mapping[str, Any]) -> dict[str, Any]:
    """The plan's spec that says what the Subscription says; the rest of `present` stays."""
    wanted: dict[str, Any] = {
        "extension": {"name": subscription.extension, "version": subscription.version},
        "enabled": subscription.enabled,
        "upgradeStrategy": subscription.upgrade_strategy,
        "config": subscription.config,
    }
    if subscription.target_namespace:
        wanted["targetNamespace"] = subscription.target_namespace
    return {**present, **wanted}


class SubscriptionReconciler:
    """See the module."""

    def __init__(self, client: Client, subscriptions: Informer, plans: Informer) -> None:
        self._client = client
        self._subscriptions = subscriptions
        self._plans = plans

    async def reconcile(self, key: Key) -> None:
        obj = self._subscriptions.lister.get(key.name)
        if obj is None or is_deleting(obj):
            await self._withdraw(key.name)
            return
        try:
            wanted = install_plan(obj)
        except InvalidObject as error:
            await self._refuse(obj, "InvalidSubscription", str(error))
            return
        plan = self._plans.lister.get(wanted.extension)
        if plan is None:
            await self._create(obj, wanted)
        elif annotations_of(plan).get(OWNER) != key.name:
            other = annotations_of(plan).get(OWNER)
            whose = f"Subscription {other}" if other else "somebody else"
            message = f"InstallPlan {wanted.extension} belongs to {whose}; change that one, or delete it first"
            await self._refuse(obj, "PlanTaken", message)
        else:
            await self._align(obj, wanted, plan)

    async def _create(self, obj: Object, wanted: InstallPlan) -> None:
        plan = {
            "apiVersion": INSTALLPLANS.api_version,
            "kind": INSTALLPLANS.kind,
            "metadata": {
                "name": wanted.extension,
                "annotations": {OWNER: obj["metadata"]["name"]},
                "ownerReferences": [owner_reference(obj)],
            },
            "spec": plan_spec(wanted, {}),
        }
        with contextlib.suppress(AlreadyExists):
            await self._client.create(INSTALLPLANS, plan)

    async def _align(self, obj: Object, wanted: InstallPlan, plan: Object) -> None:
        spec = plan_spec(wanted, spec_of(plan))
        if spec != spec_of(plan) and not is_deleting(plan):
            await self._client.patch(INSTALLPLANS, wanted.extension, {"spec": spec})
        if status_of(plan) and status_of(plan) != status_of(obj):
            await self._write(obj, dict(status_of(plan)))

    async def _withdraw(self, name: str) -> None:
        for plan in list(self._plans.lister):
            if annotations_of(plan).get(OWNER) == name and not is_deleting(plan):
                with contextlib.suppress(NotFound):
                    await self._client.delete(INSTALLPLANS, plan["metadata"]["name"])

    async def _refuse(self, obj: Object, reason: str, message: str) -> None:
        generation = generation_of(obj)
        conditions = set_condition(
            conditions_of(obj), states.COND_INSTALLED, "False", reason, message, generation, now()
        )
        status = {"state": states.INSTALL_FAILED, "observedGeneration": generation, "conditions": conditions}
        if any(status_of(obj).get(name) != value for name, value in status.items()):
            await self._write(obj, {**status_of(obj), **status})

    async def _write(self, obj: Object, status: dict[str, Any]) -> None:
        with contextlib.suppress(NotFound):
            await self._client.update(SUBSCRIPTIONS, {**obj, "status": status}, subresource="status")
