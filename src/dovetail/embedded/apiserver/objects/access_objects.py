"""Roles and bindings: nobody gives away more than they have; a binding's role cannot be changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..access.escalation import check_binding, check_role
from ..access.rules import GROUP
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import metadata, names
from .strategy import Context, Strategy

Object = dict[str, Any]
_GC_FIELDS = ("ownerReferences", "finalizers", "managedFields", "resourceVersion")


class RoleStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        if old is None or not _only_for_collection(obj, old):
            check_role(context.api.authorizer, context.user, context.resource.plural, context.namespace, obj, old)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        errors = [error for at, rule in enumerate(parts(obj, "rules")) for error in _rule_errors(rule, at, context)]
        return [*errors, *_aggregation_errors(obj)]


def _only_for_collection(obj: Object, old: Object) -> bool:
    """Whether an update changes nothing but what garbage collection needs: that gives nobody any rights."""

    def rest(whole: Object) -> Object:
        meta = {name: value for name, value in whole["metadata"].items() if name not in _GC_FIELDS}
        return {**whole, "metadata": meta}

    return rest(obj) == rest(old)


def _rule_errors(rule: Object, index: int, context: Context) -> Iterator[FieldError]:
    field = f"rules[{index}]"
    if not rule.get("verbs"):
        yield fe.required(f"{field}.verbs", "verbs must contain at least one value")
    if paths := rule.get("nonResourceURLs"):
        if context.resource.namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            yield fe.invalid(f"{field}.nonResourceURLs", paths, text)
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            yield fe.invalid(f"{field}.nonResourceURLs", paths, text)
        return
    if not rule.get("apiGroups"):
        yield fe.required(f"{field}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield fe.required(f"{field}.resources", "resource rules must supply at least one resource")


def _aggregation_errors(role: Object) -> Iterator[FieldError]:
    if role.get("aggregationRule") is None:
        return
    selectors = parts(role, "aggregationRule", "clusterRoleSelectors")
    field = "aggregationRule.clusterRoleSelectors"
    if not selectors:
        yield fe.required(field, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(selectors):
        yield from metadata.validate_selector(selector, f"{field}[{index}]")


class BindingStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        _default(obj)
        reference = part(obj, "roleRef")
        well_formed = reference.get("name") and reference.get("kind") in ("Role", "ClusterRole")
        if not well_formed or (old is not None and _only_for_collection(obj, old)):
            return
        check_binding(context.api.authorizer, context.user, context.resource.plural, context.namespace, obj)

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        namespaced = context.resource.namespaced
        errors = list(_reference_errors(part(obj, "roleRef"), namespaced))
        for index, subject in enumerate(parts(obj, "subjects")):
            errors.extend(_subject_errors(subject, f"subjects[{index}]", namespaced))
        if old is not None and part(obj, "roleRef") != part(old, "roleRef"):
            errors.append(fe.invalid("roleRef", part(obj, "roleRef"), "cannot change roleRef"))
        return errors


def _default(binding: Object) -> None:
    """The groups that Kubernetes fills in."""
    reference = binding.setdefault("roleRef", {})
    if not reference.get("apiGroup"):
        reference["apiGroup"] = GROUP
    for subject in parts(binding, "subjects"):
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def _reference_errors(reference: Object, namespaced: bool) -> Iterator[FieldError]:
    if reference.get("apiGroup") != GROUP:
        yield fe.not_supported("roleRef.apiGroup", reference.get("apiGroup", ""), [GROUP])
    kinds = ["Role", "ClusterRole"] if namespaced else ["ClusterRole"]
    if reference.get("kind") not in kinds:
        yield fe.not_supported("roleRef.kind", reference.get("kind", ""), kinds)
    name = str(reference.get("name") or "")
    if not name:
        yield fe.required("roleRef.name")
    for problem in names.path_segment(name):
        yield fe.invalid("roleRef.name", name, problem)


def _subject_errors(subject: Object, field: str, namespaced: bool) -> Iterator[FieldError]:
    kind, name, group = subject.get("kind"), str(subject.get("name") or ""), subject.get("apiGroup") or ""
    if not name:
        yield fe.required(f"{field}.name")
    if kind == "ServiceAccount":
        for problem in names.dns_subdomain(name) if name else ():
            yield fe.invalid(f"{field}.name", name, problem)
        if group:
            yield fe.not_supported(f"{field}.apiGroup", group, [""])
        if not namespaced and not subject.get("namespace"):
            yield fe.required(f"{field}.namespace")
    elif kind in ("User", "Group"):
        if not name:
            yield fe.invalid(f"{field}.name", name, f"{str(kind).lower()} name cannot be empty")
        if group != GROUP:
            yield fe.not_supported(f"{field}.apiGroup", group, [GROUP])
    else:
        yield fe.not_supported(f"{field}.kind", kind or "", ["ServiceAccount", "User", "Group"])
