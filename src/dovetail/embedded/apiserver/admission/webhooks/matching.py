"""Which hooks a request goes to, and in which version of its kind.

Order as in kube-apiserver: namespace selector, object selector, rules (then, with matchPolicy Equivalent, the rules
against the kind's other versions), match conditions. A selector that cannot be evaluated matters only to a hook whose
rules fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ...errors import Forbidden, NotFound, StatusError
from ...foreign import part
from ...registry.resource import ResourceType
from ...storage.records import ObjectKey
from ..plugin import CREATE, UPDATE, Attributes, Object
from .configurations import Hook


@dataclass(frozen=True, slots=True)
class Invocation:
    """A hook that is to be asked, in the version ``resource``."""

    hook: Hook
    resource: ResourceType


def select(hook: Hook, attributes: Attributes) -> Invocation | None:
    """Whether the hook is asked. Raises StatusError when that cannot be told and the hook's failures count."""
    problem: StatusError | None = None
    try:
        if not _namespace_selected(hook, attributes):
            return None
    except NotFound as error:
        problem = error
    if not _object_selected(hook, attributes):
        return None
    resource = _resource(hook, attributes)
    if resource is None:
        return None
    if problem is not None:
        raise problem
    return Invocation(hook, resource) if _conditions_met(hook, attributes, resource) else None


def _namespace_selected(hook: Hook, attributes: Attributes) -> bool:
    if not hook.namespaces:
        return True
    of_namespaces = attributes.resource.store == "/namespaces"
    if of_namespaces and not attributes.subresource and attributes.operation in (CREATE, UPDATE):
        return hook.namespaces.matches(part(attributes.obj or {}, "metadata", "labels"))
    name = attributes.name if of_namespaces else attributes.namespace
    if not name:
        return True
    record = attributes.api.store.latest(ObjectKey("/namespaces", "", name))
    if record is None:
        raise NotFound("", "namespaces", name)
    return hook.namespaces.matches(part(orjson.loads(record.value), "metadata", "labels"))


def _object_selected(hook: Hook, attributes: Attributes) -> bool:
    if not hook.objects:
        return True
    found = [obj for obj in (attributes.obj, attributes.old) if obj is not None and "metadata" in obj]
    return any(hook.objects.matches(part(obj, "metadata", "labels")) for obj in found)


def _resource(hook: Hook, attributes: Attributes) -> ResourceType | None:
    asked = attributes.resource
    if any(rule.matches(attributes, asked) for rule in hook.rules):
        return asked
    if not hook.equivalent:
        return None
    others = [r for r in attributes.api.catalogue.resources() if r.store == asked.store and r is not asked]
    return next((other for rule in hook.rules for other in others if rule.matches(attributes, other)), None)


def convert(obj: Object | None, source: ResourceType, target: ResourceType) -> Object | None:
    """An object in another version of its kind. Versions of custom resources differ in name only."""
    if obj is None or source is target or obj.get("apiVersion") != source.api_version:
        return obj
    if source.conversion is not None or target.conversion is not None:
        stored = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
        value = orjson.dumps(stored)  # a write is in the shape in which the kind is stored by now
        return target.decode(value if target.conversion is None else target.conversion.outward(value))
    return {**obj, "apiVersion": target.api_version, "kind": target.kind}


# -- match conditions


def _conditions_met(hook: Hook, attributes: Attributes, resource: ResourceType) -> bool:
    if not hook.conditions:
        return True
    from ...cel import CelCompileError, CelEvaluationError, program
    from .authorizer import UserAuthorizer
    from .review import request_of

    bindings = {
        "object": convert(attributes.obj, attributes.resource, resource),
        "oldObject": convert(attributes.old, attributes.resource, resource),
        "request": condition_request(request_of(attributes, resource, "")),
        "authorizer": UserAuthorizer(attributes.api.authorizer, attributes.user),
    }
    problems: list[str] = []
    for _, expression in hook.conditions:
        try:
            if program(expression, CONDITION_VARIABLES).evaluate(bindings) is not True:
                return False
        except (CelCompileError, CelEvaluationError) as error:
            problems.append(f"expression '{expression}' resulted in error: {error}")
    if not problems:
        return True
    if hook.ignores_failure:
        return False
    text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    raise Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, text)


CONDITION_VARIABLES = ("object", "oldObject", "request", "authorizer")


def condition_request(request: Mapping[str, Any]) -> Object:
    """The AdmissionRequest without the objects, which are variables of their own."""
    return {key: value for key, value in request.items() if key not in ("object", "oldObject", "uid")}
