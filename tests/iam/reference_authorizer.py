"""Section 1.7 of the reference, written down a second time from its text: slow, obvious, from objects, not a policy.

Nothing here is shared with `dovetail.iam` but the attributes of the request. Objects are plain: `World` is lists of
(name, ...) records, and each question walks through all of them. The mends of 9.2 and the closed doors of
docs/authorization.md are written as what they are: exceptions, at the top.
"""

from dataclasses import dataclass, field
from typing import Any

from dovetail.iam.attributes import Attributes


@dataclass
class World:
    """Objects as their manifests have them, by kind."""

    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Those that are not being deleted."""
        return [one for one in self.objects.get(kind, []) if "deletionTimestamp" not in one["metadata"]]


def allowed(world: World, user: str, asked: Attributes) -> bool:
    """Whether this user may do this."""
    if asked.ambiguous:
        return False
    stored = asked.resource_request and asked.api_prefix == "apis"
    stored = stored and asked.api_group in ("iam.kubesphere.io", "tenant.kubesphere.io")
    for account in world.of("User"):
        if account["metadata"]["name"] == user and account.get("status", {}).get("state") == "Disabled":
            return False
    if visit(world, user, asked, "GlobalRole", "", only_any_group=stored):
        return True
    if stored:
        return own(user, asked)
    if asked.resource_request and asked.scope == "Global":
        return own(user, asked)
    if asked.resource_request and asked.scope == "Namespace":
        for namespace in world.of("Namespace"):
            if namespace["metadata"]["name"] == asked.namespace:
                workspace = namespace["metadata"].get("labels", {}).get("kubesphere.io/workspace", "")
                if workspace and visit(world, user, asked, "WorkspaceRole", workspace):
                    return True
        if visit(world, user, asked, "Role", asked.namespace):
            return True
    in_workspace = asked.resource_request and asked.scope == "Workspace" and asked.workspace
    if in_workspace and visit(world, user, asked, "WorkspaceRole", asked.workspace):
        return True
    if visit(world, user, asked, "ClusterRole", ""):
        return True
    return own(user, asked)


def visit(world: World, user: str, asked: Attributes, kind: str, place: str, *, only_any_group: bool = False) -> bool:
    """Every binding of one kind and place, one after the other."""
    for binding in world.of(kind + "Binding"):
        if place_of(kind, binding) != place or not names(world, binding, user):
            continue
        for role in world.of(kind):
            if role["metadata"]["name"] != binding["roleRef"]["name"] or place_of(kind, role) != place:
                continue
            for rule in role.get("rules", []):
                if only_any_group and "*" not in rule.get("apiGroups", []):
                    continue
                if matches(rule, asked):
                    return True
    return False


def place_of(kind: str, obj: dict[str, Any]) -> str:
    if kind == "WorkspaceRole":
        return str(obj["metadata"].get("labels", {}).get("kubesphere.io/workspace", ""))
    if kind == "Role":
        return str(obj["metadata"]["namespace"])
    return ""


def names(world: World, binding: dict[str, Any], user: str) -> bool:
    """Whether a subject of the binding is the user, who has to exist, or a group that the user is in."""
    exists = user in [one["metadata"]["name"] for one in world.of("User")]
    groups = groups_of(world, user)
    for subject in binding["subjects"]:
        if subject["kind"] == "User" and subject["name"] == user and exists:
            return True
        if subject["kind"] == "Group" and subject["name"] in groups:
            return True
    return False


def groups_of(world: World, user: str) -> list[str]:
    if user == "system:anonymous":
        return ["system:unauthenticated"]
    groups = ["system:authenticated"]
    for account in world.of("User"):
        if account["metadata"]["name"] == user:
            groups += [one for one in account.get("spec", {}).get("groups", []) if not one.startswith("system:")]
            for binding in world.of("GroupBinding"):
                group = binding["groupRef"]["name"]
                if user in binding["users"] and group in [one["metadata"]["name"] for one in world.of("Group")]:
                    groups.append(group)
    return groups


def matches(rule: dict[str, Any], asked: Attributes) -> bool:
    """As a PolicyRule of Kubernetes."""
    if not asked.resource_request:
        verbs = [verb.lower() for verb in rule["verbs"]]
        if "*" not in verbs and asked.verb not in verbs and not (asked.verb == "head" and "get" in verbs):
            return False
        for url in rule.get("nonResourceURLs", []):
            if url == asked.path or url == "*" or (url.endswith("*") and asked.path.startswith(url[:-1])):
                return True
        return False
    if "*" not in rule["verbs"] and asked.verb not in rule["verbs"]:
        return False
    if "*" not in rule.get("apiGroups", []) and asked.api_group not in rule.get("apiGroups", []):
        return False
    resources, full = rule.get("resources", []), asked.resource
    if asked.subresource:
        full = asked.resource + "/" + asked.subresource
    any_of_it = asked.subresource and "*/" + asked.subresource in resources
    if "*" not in resources and full not in resources and not any_of_it:
        return False
    only = rule.get("resourceNames", [])
    return not only or asked.name in only


def own(user: str, asked: Attributes) -> bool:
    """What every user may do with the own account, and the lists that are answered per caller."""
    if user == "system:anonymous" or asked.api_prefix != "kapis" or asked.cluster:
        return False
    account = asked.api_group == "iam.kubesphere.io" and asked.resource == "users" and asked.name == user
    if account and not asked.workspace and not asked.namespace:
        looks = [("get", ""), ("get", "loginrecords"), ("get", "roletemplates")]
        return (asked.verb, asked.subresource) in [*looks, ("update", "password")]
    if asked.api_group == "resources.kubesphere.io" and asked.api_version == "v1alpha3":
        return asked.verb in ["get", "list"]
    if asked.api_group == "tenant.kubesphere.io" and not asked.namespace and asked.verb == "list":
        return asked.resource in ["workspaces", "workspacetemplates", "namespaces", "clusters", "metrics"]
    return False
