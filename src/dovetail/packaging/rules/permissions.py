"""Rules about permissions.yaml as it is written: what reviewers ask about (reference/ksbuilder.md 4.4)."""

from collections.abc import Iterator
from typing import Final

import msgspec

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, warning
from dovetail.packaging.granting import Need, grants
from dovetail.packaging.permissions import PERMISSIONS_FILE, Rule, placed_rules

_RBAC: Final = "rbac.authorization.k8s.io"
_CORE_GROUPS: Final = frozenset({"apps", "batch", "policy", "autoscaling", "extensions"})

_RISKS: Final[tuple[tuple[str, tuple[Need, ...]], ...]] = (
    ("hand out any right (escalate, bind or impersonate)", (
        Need("escalate", _RBAC, "clusterroles"), Need("bind", _RBAC, "clusterroles"), Need("impersonate", "", "users"),
    )),
    ("read every Secret", (Need("get", "", "secrets"), Need("list", "", "secrets"))),
    ("run commands in every pod", (Need("create", "", "pods/exec"), Need("get", "", "nodes/proxy"))),
    ("start pods anywhere", (Need("create", "", "pods"),)),
    ("change nodes", (Need("update", "", "nodes"), Need("patch", "", "nodes"))),
    ("intercept every request (admission webhooks)", (
        Need("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        Need("create", "admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    )),
    ("take over an API of Kubernetes (APIServices)", (Need("create", "apiregistration.k8s.io", "apiservices"),)),
    ("change users and roles of the platform", (
        Need("update", "iam.kubesphere.io", "users"), Need("create", "iam.kubesphere.io", "globalrolebindings"),
    )),
    ("install other extensions", (Need("create", "kubesphere.io", "installplans"),)),
)  # fmt: skip


def risks(examined: Examined) -> Iterator[Finding]:
    """Cluster-wide rules that make an administrator of the extension, or read what is everybody's own."""
    for kind, rule, place in _rules(examined):
        if kind != "ClusterRole":
            continue
        if allows_everything(rule):
            message = "this rule allows everything in the cluster"
            yield warning("permission-everything", place, message, "List what the package installs")
            continue
        if told := risks_of(rule):
            message = f"with this rule the extension may {', '.join(told)}"
            fix = "Name the resources, verbs and resourceNames that are needed, or move the rule to the Role"
            yield warning("permission-risky", place, message, fix)


def allows_everything(rule: Rule) -> bool:
    """Whether the rule, held for the cluster, makes its holder the cluster's administrator."""
    return "*" in rule.verbs and "*" in rule.api_groups and "*" in rule.resources and not rule.resource_names


def risks_of(rule: Rule) -> list[str]:
    """What its holder, if he holds it for the cluster, may do that is more than his own affair; read after `may`."""
    return [what for what, needs in _RISKS if any(grants(rule, need) for need in needs)]


def groups(examined: Examined) -> Iterator[Finding]:
    """API groups that are none."""
    for _, rule, place in _rules(examined):
        for group in rule.api_groups:
            if group and group != "*" and "." not in group and group not in _CORE_GROUPS:
                message = f"{group!r} is not an API group, so this rule allows nothing there"
                fix = "Give the group, such as apiextensions.k8s.io, and put the resource into resources"
                yield warning("permission-group-unknown", place, message, fix)
            elif _is_resource(group):
                message = f"{group!r} is a resource, not an API group"
                fix = f"Write apiGroups: [{group.partition('.')[2]}]"
                yield warning("permission-group-unknown", place, message, fix)


def _is_resource(group: str) -> bool:
    """`jsbundles.extensions.kubesphere.io`: a resource with its group."""
    return group.count(".") >= 2 and group.partition(".")[2] in (
        "extensions.kubesphere.io",
        "rbac.authorization.k8s.io",
    )


def repeated(examined: Examined) -> Iterator[Finding]:
    """The same rule twice."""
    seen: dict[bytes, str] = {}
    for kind, rule, place in _rules(examined):
        key = kind.encode() + msgspec.json.encode(rule)
        if key in seen:
            yield warning("permission-repeated", place, f"this rule is also at {seen[key]}", "Remove one")
        seen.setdefault(key, place)


def _rules(examined: Examined) -> Iterator[tuple[str, Rule, str]]:
    return placed_rules(examined.package.files.get(PERMISSIONS_FILE, b""))
