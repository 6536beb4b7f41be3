"""Questions about access, answered and not stored: SubjectAccessReview and its relatives, TokenReview,
SelfSubjectReview.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from .. import fielderrors as fe
from ..access.claims import ISSUER
from ..access.identity import User
from ..access.rbac import Attributes
from ..access.service_tokens import TokenRejected
from ..apply.managers import record_update
from ..errors import BadRequest, Invalid
from ..fielderrors import FieldError
from ..foreign import part, parts
from .answer import Answer
from .call import Call
from .decoding import Object, read_object
from .storing import writer_of

GROUP = "authorization.k8s.io"
_IGNORED_META = ("managedFields", "creationTimestamp")


async def review(call: Call) -> Answer:
    """``create`` of a review kind."""
    options = call.write_options()
    obj = read_object(call, options)
    obj.setdefault("spec", {})
    answer = _REVIEWS[call.resource.plural](call, obj)
    if answer.get("spec"):
        managed = record_update(call.resource.node, None, {"spec": obj["spec"]}, writer_of(call, options))
        answer["metadata"] = {**answer["metadata"], "managedFields": managed}
    return Answer(orjson.dumps({"kind": obj["kind"], "apiVersion": obj["apiVersion"], **answer}), 201)


def _answered(obj: Object, status: Object) -> Object:
    meta = {name: value for name, value in obj["metadata"].items() if name not in _IGNORED_META}
    return {"metadata": meta, "spec": obj["spec"], "status": status}


# -- may somebody?


def _subject(call: Call, obj: Object) -> Object:
    _must([*_spec_errors(obj["spec"]), *_subject_errors(obj["spec"]), *_metadata_errors(obj["metadata"])])
    return _answered(obj, _decision(call, _user(obj["spec"]), obj["spec"]))


def _local(call: Call, obj: Object) -> Object:
    spec, namespace = obj["spec"], call.info.namespace
    given = obj["metadata"].setdefault("namespace", namespace)
    if given != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    errors = [*_spec_errors(spec), *_subject_errors(spec)]
    errors += _metadata_errors({**obj["metadata"], "namespace": None}, " except for namespace")
    asked = spec.get("resourceAttributes")
    if asked is not None and part(spec, "resourceAttributes").get("namespace", "") != namespace:
        field, value = "spec.resourceAttributes.namespace", part(spec, "resourceAttributes").get("namespace", "")
        errors.append(fe.invalid(field, value, "must match metadata.namespace"))
    if spec.get("nonResourceAttributes") is not None:
        text = "disallowed on this kind of request"
        errors.append(fe.invalid("spec.nonResourceAttributes", spec["nonResourceAttributes"], text))
    _must(errors)
    return _answered(obj, _decision(call, _user(spec), spec))


def _self(call: Call, obj: Object) -> Object:
    _must([*_spec_errors(obj["spec"]), *_metadata_errors(obj["metadata"])])
    return _answered(obj, _decision(call, call.user, obj["spec"]))


def _must(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid(GROUP, "", "", errors)


def _spec_errors(spec: Object) -> Iterator[FieldError]:
    asked, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if asked is not None and path is not None:
        text = "cannot be specified in combination with resourceAttributes"
        yield fe.invalid("spec.nonResourceAttributes", path, text)
    if asked is None and path is None:
        text = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        yield fe.invalid("spec.resourceAttributes", "null", text)
    for kind in ("fieldSelector", "labelSelector"):
        selector = part(spec, "resourceAttributes").get(kind)
        if selector is not None:
            yield from _selector_errors(selector, f"spec.resourceAttributes.{kind}")


def _selector_errors(selector: Object, field: str) -> Iterator[FieldError]:
    raw, requirements = selector.get("rawSelector"), parts(selector, "requirements")
    if raw and requirements:
        yield fe.invalid(f"{field}.rawSelector", raw, "may not specified at the same time as requirements")
    if not raw and not requirements:
        text = f"when {field} is specified, requirements or rawSelector is required"
        yield fe.required(f"{field}.requirements", text)
    for index, requirement in enumerate(requirements):
        path, operator = f"{field}.requirements[{index}]", requirement.get("operator")
        if not requirement.get("key"):
            yield fe.required(f"{path}.key", "must be specified")
        values = parts(requirement, "values")
        if operator in ("In", "NotIn") and not values:
            yield fe.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield fe.forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")


def _subject_errors(spec: Object) -> Iterator[FieldError]:
    if not spec.get("user") and not parts(spec, "groups"):
        yield fe.invalid("spec.user", "", "at least one of user or group must be specified")


def _metadata_errors(meta: Object, but: str = "") -> Iterator[FieldError]:
    if any(value for name, value in meta.items() if name not in _IGNORED_META):
        yield fe.invalid("metadata", meta, f"must be empty{but}")


def _user(spec: Object) -> User:
    extra = {key.lower(): tuple(values) for key, values in part(spec, "extra").items()}
    return User(str(spec.get("user") or ""), tuple(parts(spec, "groups")), str(spec.get("uid") or ""), extra)


def _decision(call: Call, user: User, spec: Object) -> Object:
    decision = call.api.authorizer.decide(user, _attributes(spec))
    return {"allowed": decision.allowed, **({"reason": decision.reason} if decision.reason else {})}


def _attributes(spec: Object) -> Attributes:
    path, asked = part(spec, "nonResourceAttributes"), part(spec, "resourceAttributes")
    if spec.get("nonResourceAttributes") is not None:
        return Attributes(str(path.get("verb", "")), path=str(path.get("path", "")) or "/")
    names = ("verb", "group", "subresource", "namespace", "name", "version")
    return Attributes(plural=str(asked.get("resource", "")), **{name: str(asked.get(name, "")) for name in names})


def _rules(call: Call, obj: Object) -> Object:
    namespace = str(part(obj, "spec").get("namespace") or "")
    if not namespace:
        raise BadRequest("no namespace on request")
    resources: list[Object] = []
    paths: list[Object] = []
    policy = call.api.authorizer.policy
    for rule in policy.rules_of(call.user, namespace):
        verbs = {"verbs": list(rule.verbs)}
        if rule.resources:
            entry: Object = {**verbs, "apiGroups": list(rule.groups), "resources": list(rule.resources)}
            resources.append(entry | ({"resourceNames": list(rule.names)} if rule.names else {}))
        if rule.paths:
            paths.append({**verbs, "nonResourceURLs": list(rule.paths)})
    status: Object = {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}
    if problem := policy.problems(call.user, namespace):
        status["evaluationError"] = problem
    return {"metadata": {}, "spec": {}, "status": status}


# -- who is it?


def _token(call: Call, obj: Object) -> Object:
    spec = obj["spec"]
    token = str(spec.get("token") or "")
    if not token:
        raise BadRequest("token is required for TokenReview in authentication")
    audiences = [str(audience) for audience in parts(spec, "audiences")] or [ISSUER]
    try:
        verified = call.api.tokens.verify(token, tuple(audiences))
    except TokenRejected as error:
        return _answered(obj, {"user": {}, "error": str(error)})
    user = verified.user.info()
    return _answered(obj, {"authenticated": True, "user": user, "audiences": list(verified.audiences)})


def _myself(call: Call, obj: Object) -> Object:
    del obj
    return {"metadata": {"creationTimestamp": call.api.now()}, "status": {"userInfo": call.user.info()}}


_REVIEWS: dict[str, Callable[[Call, Any], Object]] = {
    "subjectaccessreviews": _subject,
    "localsubjectaccessreviews": _local,
    "selfsubjectaccessreviews": _self,
    "selfsubjectrulesreviews": _rules,
    "selfsubjectreviews": _myself,
    "tokenreviews": _token,
}
REVIEWS = frozenset(_REVIEWS)
