"""What the API server asks before an InstallPlan or a Subscription changes: who asked for it, and who needs it. Pure.

Three webhooks. The first writes who asked for a change of the plan into an annotation: the user as the API server knows
him, through the gateway or past it. The second is only asked when somebody else is written there, and refuses that; so
nobody can forge it, also while nobody answers, when only what would be refused anyway fails. The third refuses to
uninstall what others require, else writes down who uninstalls; when it does not answer, the plan's controller holds the
uninstall all the same.

Our own controllers change plans on behalf of others (a Subscription's, an automatic upgrade) and say whose.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.apis.labels import IGNORE_DEPENDENTS, REQUESTED_BY, RETRY
from dovetail.kube import Resource, annotations_of
from dovetail.kube.resources import Object
from dovetail.lifecycle.objects import mapping, spec_of

NAME: Final = "dovetail-lifecycle"
AUTHORS_PATH: Final = "/requested-by"
FORGERIES_PATH: Final = "/requested-by-another"
UNINSTALLS_PATH: Final = "/uninstalls"

CONTROLLERS: Final = "system:dovetail:controllers"
_OURS: Final = (CONTROLLERS, "system:dovetail:gateway")
"""Who says on whose behalf: our own processes. The gateway is itself only here, and everybody else elsewhere."""
_GROUP: Final = "admissionregistration.k8s.io"
MUTATING: Final = Resource(_GROUP, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", False)
VALIDATING: Final = Resource(_GROUP, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False)
_WAIT_SECONDS: Final = 3
_USER: Final = "request.userInfo.username"


def configurations(url: str, authority: str, marks: Mapping[str, str]) -> list[tuple[Resource, Object]]:
    """The webhooks, served under `url`; `authority` is the base64 of the PEM that vouches for it."""
    written, before = _annotation("object", REQUESTED_BY), _annotation("oldObject", REQUESTED_BY)
    again = f"{_annotation('object', RETRY)} != {_annotation('oldObject', RETRY)}"
    changed = f"request.operation == 'CREATE' || object.spec != oldObject.spec || {written} != {before} || {again}"
    ours = f"{_USER} in {list(_OURS)}"
    forged = f"{written} != '' && {written} != {before} && {written} != {_USER} && !({ours})"
    guarded = f"!({ours}) && !has(oldObject.metadata.deletionTimestamp)"
    author = _webhook("author", url + AUTHORS_PATH, authority, ("CREATE", "UPDATE"), "Ignore", changed)
    forgery = _webhook("forgery", url + FORGERIES_PATH, authority, ("CREATE", "UPDATE"), "Fail", forged)
    uninstall = _webhook("dependents", url + UNINSTALLS_PATH, authority, ("DELETE",), "Ignore", guarded)
    uninstall["sideEffects"] = "NoneOnDryRun"
    return [
        (MUTATING, _configuration(MUTATING, marks, [{**author, "reinvocationPolicy": "IfNeeded"}])),
        (VALIDATING, _configuration(VALIDATING, marks, [forgery, uninstall])),
    ]


def authored(review: Mapping[str, Any]) -> Object:
    """The answer that writes who asked: an AdmissionReview with a patch, where one is needed."""
    request = mapping(review.get("request"))
    obj = mapping(request.get("object"))
    author, written = _author(request), annotations_of(obj).get(REQUESTED_BY, "")
    response: Object = {"uid": str(request.get("uid") or ""), "allowed": True}
    if author != written:
        patch = b64encode(orjson.dumps(_patch(obj, author))).decode()
        response |= {"patchType": "JSONPatch", "patch": patch}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def forgery(review: Mapping[str, Any]) -> str:
    """The refusal of somebody else's name."""
    request = mapping(review.get("request"))
    user = str(mapping(request.get("userInfo")).get("username") or "")
    return (
        f'installplans "{request.get("name")}": the annotation {REQUESTED_BY} says who changed the plan, and that is '
        f'"{user}"; leave the annotation out, it is written for you'
    )


def extension_of(review: Mapping[str, Any]) -> str:
    """Which extension a deletion would uninstall."""
    request = mapping(review.get("request"))
    old = mapping(request.get("oldObject"))
    return str(mapping(spec_of(old).get("extension")).get("name") or request.get("name") or "")


def is_overridden(review: Mapping[str, Any]) -> bool:
    """Whether the user takes it on himself that others lack what they need."""
    present = annotations_of(mapping(mapping(review.get("request")).get("oldObject")))
    return IGNORE_DEPENDENTS in present or labels.FORCE_DELETE in present


def uninstaller(review: Mapping[str, Any]) -> str:
    """Who deletes; empty for a dry run, of which nothing is written down."""
    request = mapping(review.get("request"))
    return "" if request.get("dryRun") else str(mapping(request.get("userInfo")).get("username") or "")


def refusal(review: Mapping[str, Any], dependents: Sequence[str]) -> str:
    """Why it stays installed; empty when nobody requires it. `dependents` are told as they are."""
    if not dependents:
        return ""
    request, extension = mapping(review.get("request")), extension_of(review)
    kind = str(mapping(request.get("resource")).get("resource") or INSTALLPLANS.plural)
    needy = "; ".join(dependents)
    return (
        f'{kind} "{request.get("name")}": {extension} is required by what is installed: {needy}. Uninstall those '
        f"first, or set the annotation {IGNORE_DEPENDENTS} on it to uninstall it all the same"
    )


def _author(request: Mapping[str, Any]) -> str:
    """What the annotation shall say."""
    user = str(mapping(request.get("userInfo")).get("username") or "")
    obj, old = mapping(request.get("object")), mapping(request.get("oldObject"))
    written, before = (annotations_of(one).get(REQUESTED_BY, "") for one in (obj, old))
    if user in _OURS and written and written != before:
        return written
    said = [(spec_of(one), annotations_of(one).get(RETRY)) for one in (obj, old)]
    return before if old and said[0] == said[1] else user


def _patch(obj: Mapping[str, Any], author: str) -> list[Object]:
    path = "/metadata/annotations/" + REQUESTED_BY.replace("~", "~0").replace("/", "~1")
    present = annotations_of(obj)
    if not author:
        return [{"op": "remove", "path": path}]
    if not present:
        return [{"op": "add", "path": "/metadata/annotations", "value": {REQUESTED_BY: author}}]
    return [{"op": "add", "path": path, "value": author}]


def _webhook(name: str, url: str, authority: str, operations: Sequence[str], on_failure: str, condition: str) -> Object:
    resources = [INSTALLPLANS.plural, "subscriptions"]
    rule = {"apiGroups": [INSTALLPLANS.group], "apiVersions": [INSTALLPLANS.version], "resources": resources}
    return {
        "name": f"{name}.lifecycle.dovetail.dev",
        "clientConfig": {"url": url, "caBundle": authority},
        "rules": [{**rule, "operations": list(operations), "scope": "*"}],
        "matchConditions": [{"name": "concerned", "expression": condition}],
        "failurePolicy": on_failure,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": _WAIT_SECONDS,
        "admissionReviewVersions": ["v1"],
    }


def _configuration(resource: Resource, marks: Mapping[str, str], webhooks: list[Object]) -> Object:
    metadata = {"name": NAME, "labels": dict(marks)}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, "webhooks": webhooks}


def _annotation(obj: str, key: str) -> str:
    return f"({_has(obj, key)} ? {obj}.metadata.annotations['{key}'] : '')"


def _has(obj: str, key: str) -> str:
    return f"({obj} != null && has({obj}.metadata.annotations) && '{key}' in {obj}.metadata.annotations)"
