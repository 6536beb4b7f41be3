"""Roles and bindings: nobody gives away more than they have; a binding's role cannot be changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from .. import fielderrors as fe
from ..access.escalation import check_binding, check_role
from ..fielderrors import FieldError
from ..foreign import part, parts
from ..storage.records import ObjectKey
from .strategy import Context, Strategy

Object = dict[str, Any]
_GROUP = "rbac.authorization.k8s.io"


class RoleStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is not None and obj.get("rules") == old.get("rules") and "aggregationRule" not in obj:
            return
        check_role(context.api.authorizer, context.user, context.resource.plural, context.namespace, obj)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        return [error for index, rule in enumerate(parts(obj, "rules")) for error in _rule_errors(rule, index, context)]


def _rule_errors(rule: Object, index: int, context: Context) -> Iterator[FieldError]:
    field = f"rules[{index}]"
    if not rule.get("verbs"):
        yield fe.required(f"{field}.verbs", "verbs must contain at least one value")
    if rule.get("nonResourceURLs"):
        if context.resource.namespaced:
            yield fe.invalid(
                f"{field}.nonResourceURLs",
                rule["nonResourceURLs"],
                "namespaced rules cannot apply to non-resource URLs",
            )
        return
    for name in ("apiGroups", "resources"):
        if not rule.get(name):
            text = (
                "resource rules must supply at least one api group"
                if name == "apiGroups"
                else "resource rules must supply at least one resource"
            )
            yield fe.required(f"{field}.{name}", text)


class BindingStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        reference = part(obj, "roleRef")
        same = old is not None and obj.get("subjects") == old.get("subjects") and reference == old.get("roleRef")
        if same or not reference.get("name"):
            return
        role = _bound_role(context, reference)
        check_binding(context.api.authorizer, context.user, context.resource.plural, context.namespace, obj, role)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        errors: list[FieldError] = []
        reference = part(obj, "roleRef")
        if not reference.get("name"):
            errors.append(fe.required("roleRef.name"))
        kinds = ["Role", "ClusterRole"] if context.resource.namespaced else ["ClusterRole"]
        if reference.get("kind") not in kinds:
            errors.append(fe.not_supported("roleRef.kind", reference.get("kind", ""), kinds))
        if old is not None and reference != old.get("roleRef"):
            errors.append(fe.invalid("roleRef", reference, "cannot change roleRef"))
        for index, subject in enumerate(parts(obj, "subjects")):
            errors.extend(_subject_errors(subject, f"subjects[{index}]"))
        return errors


def _subject_errors(subject: Object, field: str) -> Iterator[FieldError]:
    if not subject.get("name"):
        yield fe.required(f"{field}.name")
    if subject.get("kind") not in ("ServiceAccount", "User", "Group"):
        yield fe.not_supported(f"{field}.kind", subject.get("kind", ""), ["ServiceAccount", "User", "Group"])
    elif subject["kind"] == "ServiceAccount" and not subject.get("namespace"):
        yield fe.required(f"{field}.namespace")


def _bound_role(context: Context, reference: Object) -> Object | None:
    cluster = reference.get("kind") == "ClusterRole"
    plural, namespace = ("clusterroles", "") if cluster else ("roles", context.namespace)
    record = context.api.store.latest(ObjectKey(f"{_GROUP}/{plural}", namespace, str(reference["name"])))
    return orjson.loads(record.value) if record else None
