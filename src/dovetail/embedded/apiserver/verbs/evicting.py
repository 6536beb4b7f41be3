"""``pods/<name>/eviction``: deleting a pod only if its PodDisruptionBudget allows it (policy/v1 Eviction).

A pod that does not run yet or any more, or that is already going, needs no permission. Of one that runs, the budget's
``disruptionsAllowed`` goes down with the eviction, in the same tick as the deletion, and the pod is listed in
``disruptedPods`` until the budget's controller has seen it go.
"""

from __future__ import annotations

from typing import Any

import orjson

from ..admission import chain
from ..admission.plugin import CREATE, Attributes
from ..errors import BadRequest, Conflict, Forbidden, InternalError, StatusError
from ..foreign import part, parts
from ..selecting.labels import from_object
from ..storage.records import ObjectKey, Record
from .answer import Answer
from .binding import success
from .call import Call, WriteOptions
from .decoding import Object
from .delete_options import Wishes, read_wishes
from .deleting import delete_now
from .small_objects import read_small
from .storing import existing, put_marked

KIND = ("policy", "v1", "Eviction")
_BUDGETS = "policy/poddisruptionbudgets"
_DISRUPTED = 2000
_VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget."


class TooManyRequests(StatusError):
    code, reason = 429, "TooManyRequests"

    def __init__(self, why: str, seconds: int = 0) -> None:
        cause = {"reason": "DisruptionBudget", "message": why}
        super().__init__(_VIOLATED, {"causes": [cause], **({"retryAfterSeconds": seconds} if seconds else {})})


async def evict(call: Call) -> Answer:
    options = call.write_options()
    eviction = read_small(call, KIND, ("v1beta1",))
    if part(eviction, "metadata").get("name") != call.info.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    stated: Object = dict(part(eviction, "deleteOptions"))
    if options.dry_run:
        stated["dryRun"] = ["All"]
    wishes = read_wishes(stated)
    existing(call)
    attributes = Attributes(
        call.api, CREATE, call.resource, "eviction", call.namespace, call.info.name, eviction, None, call.user,
        wishes.dry_run, options.wire(CREATE), call.warnings, kind=KIND,
    )  # fmt: skip
    await chain.admit(attributes)
    _evict(call, existing(call), wishes)
    await call.api.store.committed()
    return Answer(success(201), 201)


def _evict(call: Call, record: Record, wishes: Wishes) -> None:
    """All in one tick: what the budget says holds when the pod is deleted."""
    pod = call.resource.decode(record.value)
    if not _needs_no_permission(pod):
        _ask_budget(call, pod, wishes)
    delete_now(call, record, wishes)


def _needs_no_permission(pod: Object) -> bool:
    phase = part(pod, "status").get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def _ask_budget(call: Call, pod: Object, wishes: Wishes) -> None:
    """Raises TooManyRequests."""
    budgets = [(record, budget) for record, budget in _budgets(call) if _covers(budget, pod)]
    if not budgets:
        return
    if len(budgets) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise InternalError(text)
    record, budget = budgets[0]
    if not _ready(pod) and _unhealthy_may_go(budget):
        return
    _check(budget)
    _count(call, record, budget, str(pod["metadata"]["name"]), wishes)


def _budgets(call: Call) -> list[tuple[Record, Object]]:
    found = call.api.store.latest_all(_BUDGETS, call.namespace)
    return [(record, orjson.loads(record.value)) for record in found]


def _covers(budget: Object, pod: Object) -> bool:
    selector = part(budget, "spec").get("selector")
    return selector is not None and from_object(selector).matches(part(pod, "metadata", "labels"))


def _ready(pod: Object) -> bool:
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in parts(pod, "status", "conditions"))


def _unhealthy_may_go(budget: Object) -> bool:
    """A pod that is not ready does not count as healthy: it may go when enough others are, or always."""
    if part(budget, "spec").get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = part(budget, "status")
    wanted = status.get("desiredHealthy") or 0
    return wanted > 0 and (status.get("currentHealthy") or 0) >= wanted


def _check(budget: Object) -> None:
    meta, status = budget["metadata"], part(budget, "status")
    name, allowed = str(meta["name"]), status.get("disruptionsAllowed") or 0
    if (status.get("observedGeneration") or 0) < (meta.get("generation") or 0):
        raise TooManyRequests(f"The disruption budget {name} is still being processed by the server.", 10)
    if allowed < 0:
        raise Forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative")
    if len(part(status, "disruptedPods")) > _DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise Forbidden("policy", "poddisruptionbudget", name, why)
    if not allowed:
        wanted, healthy = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
        raise TooManyRequests(f"The disruption budget {name} needs {wanted} healthy pods and has {healthy} currently")


def _count(call: Call, record: Record, budget: Object, pod: str, wishes: Wishes) -> None:
    status: Any = budget["status"]
    status["disruptionsAllowed"] -= 1
    status["disruptedPods"] = {**part(status, "disruptedPods"), pod: call.api.now()}
    if not status["disruptionsAllowed"]:
        _set_condition(call, budget)
    resource = call.api.catalogue.find("policy", "v1", "poddisruptionbudgets")
    if resource is None:
        raise Conflict("policy", "poddisruptionbudgets", record.name)
    budgets = Call(call.api, call.info, resource, call.user, call.query)
    key = ObjectKey(_BUDGETS, record.namespace, record.name)
    put_marked(budgets, key, budget, record, WriteOptions(wishes.dry_run, "", "Ignore", False))


def _set_condition(call: Call, budget: Object) -> None:
    status = budget["status"]
    condition = {
        "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
        "observedGeneration": status.get("observedGeneration") or 0, "lastTransitionTime": call.api.now(),
    }  # fmt: skip
    others = [c for c in parts(status, "conditions") if c.get("type") != "DisruptionAllowed"]
    status["conditions"] = [*others, condition]
