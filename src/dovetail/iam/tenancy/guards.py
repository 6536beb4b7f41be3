"""What nobody may change though he holds everything in a namespace: its workspace, and the shares of a quota. Pure.

A project's administrator holds `*` in his namespace, in Kubernetes' RBAC as in ours, and a namespace's own object and
the ResourceQuotas in it are in that namespace. So he could write the label `kubesphere.io/workspace` (and so leave his
workspace's quota, or push his project into a foreign workspace), or raise the share of a quota. No role can take that
out of a `*`. A ValidatingWebhookConfiguration can, on every way to the API, through the gateway or past it.

The decision is made by the API server itself, in the `matchConditions` of each webhook: a change is sent to us only if
it concerns what is guarded *and* its author lacks a right of Kubernetes' RBAC that only platform and cluster
administrators and our own processes hold: to `adopt` workspaces.tenant.kubesphere.io. Whatever arrives is refused. So
the webhook is no part of what is allowed: it costs other requests nothing, and when it cannot be reached only what
would be refused anyway fails. This needs Kubernetes 1.28 (match conditions); on an older cluster it is not put there.

A third webhook is there while workspaces have quotas: it counts what is created in them (`ledger`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from dovetail.apis.labels import WORKSPACE
from dovetail.iam.process_roles import OWN_LABELS
from dovetail.iam.tenancy.projects import ADMIN_TO_BE, MEMBERS_OF
from dovetail.iam.tenancy.quotas import SHARE_OF
from dovetail.iam.tenancy.usage import COUNTED
from dovetail.kube.resources import Object, Resource

CONFIGURATIONS: Final = Resource(
    "admissionregistration.k8s.io", "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False
)
NAME: Final = "dovetail-tenancy"
OLDEST: Final = (1, 28)
PROJECTS_PATH: Final = "/projects"
SHARES_PATH: Final = "/shares"
QUOTAS_PATH: Final = "/quotas"
_WAIT_SECONDS: Final = 3

_MAY_ADOPT: Final = "authorizer.group('tenant.kubesphere.io').resource('workspaces').check('adopt').allowed()"
_MAY_LIFT: Final = "authorizer.group('').resource('namespaces').check('update').allowed()"
"""In the whole cluster: who may change every namespace anyway."""
_MODES: Final = ("enforce", "audit", "warn")
_OF_THE_CLUSTER: Final = (
    "request.userInfo.username.startsWith('system:serviceaccount:kube-system:') || "
    "request.userInfo.username.startsWith('system:kube-')"
)


def configuration(url: str, authority: str, limited: Sequence[str] = ()) -> Object:
    """The webhooks, served under `url`; `authority` is the base64 of the PEM that vouches for it, `limited` are the
    workspaces that have quotas."""
    counting = [_counting(url, authority, limited)] if limited else []
    return {
        "apiVersion": f"{CONFIGURATIONS.group}/{CONFIGURATIONS.version}",
        "kind": CONFIGURATIONS.kind,
        "metadata": {"name": NAME, "labels": dict(OWN_LABELS)},
        "webhooks": [
            _webhook(
                "workspace-of-a-project.tenant.kubesphere.io", {"url": url + PROJECTS_PATH, "caBundle": authority},
                ["CREATE", "UPDATE"], ["namespaces", "namespaces/status", "namespaces/finalize"],
                {"unlawful": f"(({_changes()}) && !({_MAY_ADOPT})) || (({_lifts()}) && !({_MAY_LIFT}))"},
            ),
            _webhook(
                "share-of-a-quota.quota.kubesphere.io", {"url": url + SHARES_PATH, "caBundle": authority},
                ["CREATE", "UPDATE", "DELETE"], ["resourcequotas", "resourcequotas/status"],
                {"no-right": f"!({_OF_THE_CLUSTER} || {_MAY_ADOPT})"},
            ) | {"objectSelector": {"matchExpressions": [{"key": SHARE_OF, "operator": "Exists"}]}},
            *counting,
        ],
    }  # fmt: skip


def _webhook(
    name: str, client: Object, operations: list[str], resources: list[str], conditions: Mapping[str, str]
) -> Object:
    matched = [{"name": key, "expression": expression} for key, expression in conditions.items()]
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": operations, "resources": resources, "scope": "*"}
    return {
        "name": name,
        "clientConfig": client,
        "rules": [rule],
        **({"matchConditions": matched} if matched else {}),
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": _WAIT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _counting(url: str, authority: str, limited: Sequence[str]) -> Object:
    """Creations in workspaces with quotas are asked about one by one (`ledger`). When we cannot be reached they go on:
    the shares hold without us, but for two namespaces in the same moment."""
    client = {"url": url + QUOTAS_PATH, "caBundle": authority}
    made = _webhook("quota-of-a-workspace.quota.kubesphere.io", client, ["CREATE"], list(COUNTED), {})
    selector = {"matchExpressions": [{"key": WORKSPACE, "operator": "In", "values": sorted(limited)}]}
    return {**made, "namespaceSelector": selector, "failurePolicy": "Ignore", "sideEffects": "NoneOnDryRun"}


def _changes() -> str:
    """Whether what is guarded in a namespace becomes something else (for a new one: anything at all)."""
    guarded = (("labels", WORKSPACE), ("annotations", MEMBERS_OF), ("annotations", ADMIN_TO_BE))
    return " || ".join(f"{_value('object', *one)} != {_value('oldObject', *one)}" for one in guarded)


def _lifts() -> str:
    """Whether a namespace that is there already gets other restrictions of Pod Security."""
    kept = [("labels", f"pod-security.kubernetes.io/{mode}{part}") for mode in _MODES for part in ("", "-version")]
    changed = " || ".join(f"{_value('object', *one)} != {_value('oldObject', *one)}" for one in kept)
    return f"request.operation == 'UPDATE' && ({changed})"


def _value(obj: str, part: str, key: str) -> str:
    held = f"{obj}.metadata.{part}"
    return f"({obj} != null && has({held}) && '{key}' in {held} ? {held}['{key}'] : '')"


def verdict(path: str, review: Mapping[str, Any]) -> Object:
    """The answer to an AdmissionReview: a refusal in words."""
    request = _part(review, "request")
    user = str(_part(request, "userInfo").get("username") or "")
    name, namespace = str(request.get("name") or ""), str(request.get("namespace") or "")
    if path == SHARES_PATH:
        about = f'resourcequotas "{name}" in the namespace "{namespace}" is a share of the quota of its workspace'
    else:
        about = (
            f'namespaces "{name}": labels say which workspace a namespace belongs to ({WORKSPACE}) and how its pods '
        )
        about += "are restricted (Pod Security)"
    message = f'{about}, and the user "{user}" may not change it; that takes the right to adopt {_ADOPTED}'
    return answered(review, message)


def answered(review: Mapping[str, Any], refusal: str) -> Object:
    """An AdmissionReview with its answer: a refusal in words, or "" to let it pass."""
    response: Object = {"uid": str(_part(review, "request").get("uid") or ""), "allowed": not refusal}
    if refusal:
        response["status"] = {"code": 403, "reason": "Forbidden", "message": refusal}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


_ADOPTED: Final = "workspaces.tenant.kubesphere.io in the cluster"


def _part(obj: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: object = obj.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, dict) else {}
