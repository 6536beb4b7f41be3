"""Subscription: the seed's form of an InstallPlan, kept in step with one in both directions.

Each Subscription has a plan named like its extension, which it owns. What was last agreed on is remembered at the plan,
so it is known who changed: the Subscription (the plan follows), the plan, by the console or an automatic upgrade (the
Subscription follows, its `config` in the form it has there: a map or YAML text), or both (the Subscription wins). The
plan's status is the Subscription's. A plan that somebody made by hand, or that another Subscription has, is not taken
over: the Subscription says so in its status. Deleting the Subscription deletes the plan.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

import msgspec
import yaml

from dovetail.apis import labels
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
from dovetail.lifecycle.facts import fingerprint
from dovetail.lifecycle.objects import conditions_of, generation_of, spec_of, status_of

OWNER: Final = "dovetail.dev/subscription"
"""Annotation of a plan: the Subscription that it mirrors."""
AGREED: Final = "dovetail.dev/subscription-agreed"
"""Annotation of a plan: what the Subscription and the plan said when they last agreed, as two fingerprints."""


class Follows(Enum):
    """Who has to change."""

    NOBODY = "nobody"
    PLAN = "plan"
    SUBSCRIPTION = "subscription"


def subscription_of(plan: Object) -> Iterable[Key]:
    """Whom a change of a plan concerns."""
    name = annotations_of(plan).get(OWNER)
    return (Key("", name),) if name else ()


def essence(model: InstallPlan) -> str:
    """What a plan or a Subscription says, as a fingerprint: spellings and defaults make no difference."""
    said = msgspec.to_builtins(model, order="deterministic")
    del said["meta"]
    return fingerprint(said)


def agreement(subscription: InstallPlan, plan: InstallPlan) -> str:
    """The value of AGREED."""
    return f"{essence(subscription)} {essence(plan)}"


def follows(subscription: InstallPlan, plan: InstallPlan | None, agreed: str) -> Follows:
    """Who follows whom. A plan that cannot be read follows, and one that was made to speak of another extension."""
    of_subscription, _, of_plan = agreed.partition(" ")
    if plan is None or plan.extension != subscription.extension or essence(subscription) != of_subscription:
        return Follows.PLAN
    return Follows.NOBODY if essence(plan) == of_plan else Follows.SUBSCRIPTION


def plan_spec(subscription: Mapping[str, Any], model: InstallPlan) -> dict[str, Any]:
    """The plan's spec that says what the Subscription's says: the same, with `config` as YAML text."""
    spec = {name: value for name, value in subscription.items() if name != "config"}
    return {**spec, "config": model.config} if model.config else spec


def subscription_spec(plan: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """The Subscription's spec that says what the plan's says; `present` tells the form of its `config`."""
    spec = {name: value for name, value in plan.items() if name != "config"}
    text = plan.get("config")
    if not text:
        return spec
    as_map = isinstance(text, str) and not isinstance(present.get("config"), str)
    return {**spec, "config": _as_map(text) if as_map else text}


def _as_map(text: str) -> Any:
    """The values, or the text where JSON cannot hold them (a date)."""
    values = yaml.load(text, Loader=yaml.CSafeLoader)
    try:
        json.dumps(values)
    except (TypeError, ValueError, RecursionError):
        return text
    return values


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
        plan: Object = {
            "apiVersion": INSTALLPLANS.api_version,
            "kind": INSTALLPLANS.kind,
            "metadata": {
                "name": wanted.extension,
                "annotations": {OWNER: obj["metadata"]["name"]},
                "ownerReferences": [owner_reference(obj)],
            },
            "spec": plan_spec(spec_of(obj), wanted),
        }
        with contextlib.suppress(AlreadyExists):
            await self._client.create(INSTALLPLANS, _agreed(_as_asked(plan, obj), wanted))

    async def _align(self, obj: Object, wanted: InstallPlan, plan: Object) -> None:
        if not is_deleting(plan):
            obj = await self._agree(obj, wanted, plan)
        if status_of(plan) and status_of(plan) != status_of(obj):
            await self._write(obj, dict(status_of(plan)))

    async def _agree(self, obj: Object, wanted: InstallPlan, plan: Object) -> Object:
        """Let the one follow that has to; the Subscription as it is then. Each write is of exactly what was seen."""
        match follows(wanted, _readable(plan), annotations_of(plan).get(AGREED, "")):
            case Follows.PLAN:
                plan = _as_asked({**plan, "spec": plan_spec(spec_of(obj), wanted)}, obj)
                await self._client.update(INSTALLPLANS, _agreed(plan, wanted))
            case Follows.SUBSCRIPTION:
                changed = {**obj, "spec": subscription_spec(spec_of(plan), spec_of(obj))}
                obj = await self._client.update(SUBSCRIPTIONS, changed)
                await self._client.update(INSTALLPLANS, _agreed(plan, install_plan(obj)))
            case Follows.NOBODY:
                pass
        return obj

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


def _readable(plan: Object) -> InstallPlan | None:
    try:
        return install_plan(plan)
    except InvalidObject:
        return None


def _as_asked(plan: Object, subscription: Object) -> Object:
    """The plan as a change of the one who changed the Subscription."""
    who = annotations_of(subscription).get(labels.REQUESTED_BY)
    if not who:
        return plan
    return {**plan, "metadata": {**plan["metadata"], "annotations": {**annotations_of(plan), labels.REQUESTED_BY: who}}}


def _agreed(plan: Object, subscription: InstallPlan) -> Object:
    """The plan with the note that this is what both say."""
    annotations = {**annotations_of(plan), AGREED: agreement(subscription, install_plan(plan))}
    return {**plan, "metadata": {**plan["metadata"], "annotations": annotations}}
