"""`permissions.yaml`: what an extension may do while it is installed.

The file holds documents of kind ClusterRole and Role; the rules of equal kinds are put together, other kinds are
reported and ignored. The published platform stops reading at the first fault and silently grants what came before it;
here a fault anywhere makes the whole file an error, because half of a permission file is a different permission file.
No file means no rules. The platform's implicit minimum in the extension's own namespace is not added here.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from dovetail.packaging.decoding import decode
from dovetail.packaging.errors import InvalidPermissions, InvalidYaml
from dovetail.packaging.findings import Finding, errors_of
from dovetail.packaging.yaml11 import Document, load_all

PERMISSIONS_FILE: Final = "permissions.yaml"
IMPLICIT_GROUPS: Final = ("", "apps", "batch", "policy", "networking.k8s.io", "autoscaling", "metrics.k8s.io")
"""In its own namespace an extension may do everything with these groups (reference/ksbuilder.md 2.8)."""

_FIX: Final = "Write it like a Kubernetes ClusterRole or Role: kind and rules"


class Rule(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"api_groups": "apiGroups", "resource_names": "resourceNames", "non_resource_urls": "nonResourceURLs"},
    omit_defaults=True,
):
    """One rule of Kubernetes RBAC."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


class Permissions(msgspec.Struct, frozen=True):
    """Rules for the whole cluster, and rules for the extension's namespace."""

    cluster: tuple[Rule, ...] = ()
    namespace: tuple[Rule, ...] = ()
    findings: tuple[Finding, ...] = ()


class _Role(msgspec.Struct, frozen=True, rename="camel"):
    kind: str = ""
    rules: tuple[Rule, ...] = ()
    api_version: str = ""
    metadata: object = None
    aggregation_rule: object = None


def read_permissions(data: bytes) -> Permissions:
    """Read all documents. Raises InvalidPermissions for any fault: nothing is granted by half."""
    rules: dict[str, list[Rule]] = {"ClusterRole": [], "Role": []}
    findings: list[Finding] = []
    try:
        for document in load_all(data, PERMISSIONS_FILE):
            if document.value is not None:
                findings += _read_role(document, rules)
    except InvalidYaml as error:
        raise InvalidPermissions(error.place, f"not valid YAML: {error.reason}", "Correct the file") from error
    return Permissions(tuple(rules["ClusterRole"]), tuple(rules["Role"]), tuple(findings))


def placed_rules(data: bytes) -> Iterator[tuple[str, Rule, str]]:
    """Every rule with its kind (ClusterRole, Role) and its place. Raises InvalidPermissions."""
    for document in load_all(data, PERMISSIONS_FILE):
        rules: dict[str, list[Rule]] = {"ClusterRole": [], "Role": []}
        if document.value is not None:
            _read_role(document, rules)
        for kind, found in rules.items():
            for at, rule in enumerate(found):
                yield kind, rule, f"{PERMISSIONS_FILE}:{document.line(('rules', at))}"


def _read_role(document: Document, rules: dict[str, list[Rule]]) -> list[Finding]:
    role, findings = decode(document, _Role, PERMISSIONS_FILE)
    place = f"{PERMISSIONS_FILE}:{document.line(('kind',))}"
    for error in errors_of(findings):
        raise InvalidPermissions(error.place, error.message, _FIX)
    if not role.kind:
        raise InvalidPermissions(place, "a document has no kind", _FIX)
    if role.kind not in rules:
        message = f"a {role.kind} is not a ClusterRole or Role and is ignored"
        fix = "Put other objects into the templates"
        return [*findings, Finding(code="permissions-kind", severity="warning", place=place, message=message, fix=fix)]
    for at, rule in enumerate(role.rules):
        _check_rule(rule, f"{PERMISSIONS_FILE}:{document.line(('rules', at))}")
    rules[role.kind] += role.rules
    return list(findings)


def _check_rule(rule: Rule, place: str) -> None:
    if not rule.verbs:
        raise InvalidPermissions(place, "a rule has no verbs", "Add verbs, such as [get, list]")
    if not rule.non_resource_urls and not (rule.resources and rule.api_groups):
        raise InvalidPermissions(place, "a rule names no resources of an API group", "Add apiGroups and resources")
