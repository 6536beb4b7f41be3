"""What of a kind a caller sees in a list: everything, or what lies in certain workspaces and namespaces.

Asked of the decision function itself, so a list and a single read never disagree: first whether the verb is allowed
outside any workspace (then it is allowed in all of them), then place by place for the workspaces and namespaces in
which the caller holds a role at all. A workspace that is visible brings all its namespaces. Pure.
"""

from collections.abc import Iterable

import msgspec

from dovetail.iam.attributes import Attributes, of_resource
from dovetail.iam.authorizer import allowed_by_role
from dovetail.iam.policy import CLUSTER, PLATFORM, Identity, Place, Policy
from dovetail.iam.rules import roles_of, subjects_of


class Everything(msgspec.Struct, frozen=True):
    """Nothing is hidden from the caller."""

    def holds(self, *, workspace: str = "", namespace: str = "") -> bool:
        return True


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in these workspaces and namespaces; nothing else, and nothing that lies in none."""

    workspaces: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()

    def holds(self, *, workspace: str = "", namespace: str = "") -> bool:
        """Whether an object of this namespace, or else of this workspace, is visible."""
        return namespace in self.namespaces if namespace else workspace in self.workspaces


Visible = Everything | Only


def visible(
    policy: Policy, identity: Identity, verb: str, group: str, resource: str, *,
    workspaces: Iterable[str] = (), members: bool = False,
) -> Visible:  # fmt: skip
    """Where the caller may `verb` (mostly `list`) the resource.

    `workspaces` are those that exist (the policy knows those only that have namespaces or members); they count where a
    role of the platform or of the cluster decides workspace by workspace. With `members`, who holds any role of a place
    sees the place itself, whatever the role says.
    """

    def allowed(workspace: str = "", namespace: str = "") -> bool:
        asked = of_resource(verb, group, resource, workspace=workspace, namespace=namespace)
        return allowed_by_role(policy, identity, asked)

    if allowed():
        return Everything()
    candidates, namespaces = _held(policy, identity)
    if _may_differ_anywhere(policy, identity, of_resource(verb, group, resource)):
        candidates |= {*workspaces, *policy.namespaces.values()}
        namespaces |= policy.namespaces.keys()
    seen = frozenset(workspace for workspace in candidates if allowed(workspace=workspace))
    inside = {namespace for namespace, workspace in policy.namespaces.items() if workspace in seen}
    inside = {namespace for namespace in inside if allowed(namespace=namespace)}
    own = {namespace for namespace in namespaces - inside if allowed(namespace=namespace)}
    found = Only(workspaces=seen, namespaces=frozenset(inside | own))
    if not members:
        return found
    holds = memberships(policy, identity)
    return Only(workspaces=found.workspaces | holds.workspaces, namespaces=found.namespaces | holds.namespaces)


def memberships(policy: Policy, identity: Identity) -> Only:
    """The workspaces and namespaces in which the caller holds a role that exists, directly or through a group."""
    workspaces, namespaces = _held(policy, identity)
    return Only(
        workspaces=frozenset(name for name in workspaces if _has_role(policy, identity, Place("workspace", name))),
        namespaces=frozenset(name for name in namespaces if _has_role(policy, identity, Place("namespace", name))),
    )


def _has_role(policy: Policy, identity: Identity, place: Place) -> bool:
    return any(place.key(role) in policy.scoped_roles for role in roles_of(policy, identity, place))


def _may_differ_anywhere(policy: Policy, identity: Identity, asked: Attributes) -> bool:
    """Whether the answer for a workspace may be yes without a role in it: by Rego, or because what is of Global scope
    outside workspaces is asked of the cluster's roles inside."""
    if asked.scope == "Global" and roles_of(policy, identity, CLUSTER):
        return True
    held = ((place, role) for place in (PLATFORM, CLUSTER) for role in roles_of(policy, identity, place))
    return bool(policy.rego) and any(place.key(role) in policy.rego for place, role in held)


def _held(policy: Policy, identity: Identity) -> tuple[set[str], set[str]]:
    workspaces, namespaces = set[str](), set[str]()
    for _, held in subjects_of(policy, identity):
        if held is not None:
            workspaces |= held.workspaces.keys()
            namespaces |= held.namespaces.keys()
    return workspaces, namespaces
