"""Two more cares for CertificateSigningRequests: kubelets that renew their certificate need nobody's click, and old
requests go away.

A request for a node's client certificate is approved when the one who asks may create
`certificatesigningrequests/selfnodeclient` (for himself) or `/nodeclient` (for any node): the right is asked for with
a SubjectAccessReview. Requests go an hour after they were issued, denied or failed, a day after they were made and
never decided, and when their certificate has ended.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dovetail.embedded.controllers.certificate_requests import (
    CSRS,
    KUBELET_CLIENT,
    certificate_end,
    common_name,
    conditions_of,
    is_decided,
    kubelet_client_problem,
    parsed,
    status_of,
)
from dovetail.kube import (
    Controller,
    ControllerRuntime,
    Key,
    NotFound,
    Object,
    RequeueAfter,
    Resource,
    metadata,
    now,
    parse_rfc3339,
    rfc3339,
    uid_of,
)

REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False)
DECIDED, PENDING = timedelta(hours=1), timedelta(hours=24)
_AUTOMATIC = (
    ("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."),
    ("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."),
)


def certificate_approver(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are names of requests."""
    requests = runtime.informer(CSRS)

    async def reconcile(key: Key) -> None:
        request = requests.lister.by_key(key)
        if request is None or is_decided(request) or status_of(request).get("certificate"):
            return
        for right, message in _AUTOMATIC:
            if _is_for_node(request, itself=right == "selfnodeclient") and await _may(runtime, request, right):
                await _approve(runtime, request, message)
                return

    controller = Controller("certificate-approver", reconcile)
    controller.watches(requests)
    return controller


def _is_for_node(request: Object, *, itself: bool) -> bool:
    spec = request["spec"]
    if spec.get("signerName") != KUBELET_CLIENT:
        return False
    csr = parsed(request)
    if kubelet_client_problem(csr, spec.get("usages") or []):
        return False
    return not itself or common_name(csr) == spec.get("username")


async def _may(runtime: ControllerRuntime, request: Object, right: str) -> bool:
    asker = request["spec"]
    asked = {"group": CSRS.group, "resource": CSRS.plural, "subresource": right, "verb": "create", "version": "*"}
    spec: Object = {"user": asker.get("username"), "resourceAttributes": asked}
    spec |= {name: asker[name] for name in ("groups", "uid", "extra") if asker.get(name)}
    review = {"apiVersion": REVIEWS.api_version, "kind": REVIEWS.kind, "spec": spec}
    answer = await runtime.client.create(REVIEWS, review)
    return answer["status"].get("allowed") is True


async def _approve(runtime: ControllerRuntime, request: Object, message: str) -> None:
    moment = rfc3339(now())
    approved: Object = {
        "type": "Approved", "status": "True", "reason": "AutoApproved", "message": message,
        "lastUpdateTime": moment, "lastTransitionTime": moment,
    }  # fmt: skip
    status = {**status_of(request), "conditions": [*conditions_of(request), approved]}
    try:
        await runtime.client.update(CSRS, {**request, "status": status}, subresource="approval")
    except NotFound:
        return


# -- cleaning up


def certificate_cleaner(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are names of requests."""
    requests = runtime.informer(CSRS)

    async def reconcile(key: Key) -> RequeueAfter | None:
        request = requests.lister.by_key(key)
        if request is None:
            return None
        left = (deadline(request) - now()).total_seconds()
        if left > 0:
            return RequeueAfter(left + 1)
        try:
            await runtime.client.delete(CSRS, key.name, uid=uid_of(request))
        except NotFound:
            return None
        return None

    controller = Controller("certificate-cleaner", reconcile)
    controller.watches(requests)
    return controller


def deadline(request: Mapping[str, Any]) -> datetime:
    """When a request goes. Pure."""
    ends: list[datetime] = []
    conditions = conditions_of(request)
    if not conditions:
        ends.append(_time(metadata(request).get("creationTimestamp")) + PENDING)
    final = {"Denied", "Failed"} | ({"Approved"} if status_of(request).get("certificate") else set[str]())
    made = metadata(request).get("creationTimestamp")
    ends += [_time(c.get("lastUpdateTime") or made) + DECIDED for c in conditions if c.get("type") in final]
    if (end := certificate_end(request)) is not None:
        ends.append(end)
    return min(ends, default=now() + PENDING)


def _time(text: object) -> datetime:
    return parse_rfc3339(str(text)) if text else now()
