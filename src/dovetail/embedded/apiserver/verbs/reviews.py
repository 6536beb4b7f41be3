"""Questions about access, answered and not stored: SubjectAccessReview and its relatives, TokenReview,
SelfSubjectReview.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from ..access.identity import MASTERS, User
from ..access.rbac import Attributes
from ..errors import BadRequest
from ..foreign import part, parts
from .answer import Answer
from .call import Call
from .decoding import Object, read_object


async def review(call: Call) -> Answer:
    """``create`` of a review kind."""
    obj = read_object(call, call.write_options())
    obj["status"] = _REVIEWS[call.resource.plural](call, obj.setdefault("spec", {}))
    obj.setdefault("metadata", {})
    if call.resource.plural == "selfsubjectreviews":
        obj.pop("spec", None)
        obj["metadata"]["creationTimestamp"] = call.api.now()
    return Answer(orjson.dumps(obj), 201)


def _subject(call: Call, spec: Object) -> Object:
    if not spec.get("user") and not spec.get("groups"):
        raise BadRequest("at least one of user or group must be specified")
    extra = {key: tuple(values) for key, values in part(spec, "extra").items()}
    user = User(str(spec.get("user", "")), tuple(parts(spec, "groups")), str(spec.get("uid", "")), extra)
    return _decision(call, user, spec)


def _local(call: Call, spec: Object) -> Object:
    attributes = part(spec, "resourceAttributes")
    if attributes.get("namespace") != call.info.namespace:
        raise BadRequest(f"spec.resourceAttributes.namespace must match metadata.namespace: {call.info.namespace}")
    return _subject(call, spec)


def _self(call: Call, spec: Object) -> Object:
    return _decision(call, call.user, spec)


def _decision(call: Call, user: User, spec: Object) -> Object:
    allowed = call.api.authorizer.allows(user, _attributes(spec))
    return {"allowed": allowed} if allowed else {"allowed": False}


def _attributes(spec: Object) -> Attributes:
    asked, path = part(spec, "resourceAttributes"), part(spec, "nonResourceAttributes")
    if bool(asked) == bool(path):
        raise BadRequest("exactly one of nonResourceAttributes or resourceAttributes must be specified")
    if path:
        return Attributes(str(path.get("verb", "")), path=str(path.get("path", "")))
    values = {
        name: str(asked.get(name, "")) for name in ("verb", "group", "subresource", "namespace", "name", "version")
    }
    return Attributes(plural=str(asked.get("resource", "")), **values)


def _rules(call: Call, spec: Object) -> Object:
    namespace = str(spec.get("namespace", ""))
    resource_rules: list[Object] = []
    path_rules: list[Object] = []
    if MASTERS in call.user.groups:
        resource_rules.append({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]})
        path_rules.append({"verbs": ["*"], "nonResourceURLs": ["*"]})
    for rule in call.api.authorizer.rules.rules_of(call.user, namespace):
        if rule.paths:
            path_rules.append({"verbs": sorted(rule.verbs), "nonResourceURLs": list(rule.paths)})
        else:
            entry: Object = {
                "verbs": sorted(rule.verbs),
                "apiGroups": sorted(rule.groups),
                "resources": sorted(rule.resources),
            }
            resource_rules.append(entry | ({"resourceNames": sorted(rule.names)} if rule.names else {}))
    return {"resourceRules": resource_rules, "nonResourceRules": path_rules, "incomplete": False}


def _token(call: Call, spec: Object) -> Object:
    audiences = [str(audience) for audience in parts(spec, "audiences")]
    verified = call.api.tokens.verify(str(spec.get("token", "")), audiences)
    if verified is None:
        return {"authenticated": False, "user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": verified.user.info(), "audiences": list(verified.audiences)}


def _myself(call: Call, spec: Object) -> Object:
    del spec
    return {"userInfo": call.user.info()}


_REVIEWS: dict[str, Callable[[Call, Any], Object]] = {
    "subjectaccessreviews": _subject,
    "localsubjectaccessreviews": _local,
    "selfsubjectaccessreviews": _self,
    "selfsubjectrulesreviews": _rules,
    "selfsubjectreviews": _myself,
    "tokenreviews": _token,
}
REVIEWS = frozenset(_REVIEWS)
Handler = Callable[[Call], Awaitable[Answer]]
