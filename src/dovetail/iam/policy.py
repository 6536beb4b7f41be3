"""The policy as a value: who holds which rules, where. Compiled by control, carried in the snapshot, read by `decide`.

Source of the semantics: `reference/kubesphere-core.md` 1.7. A role lives in one of four places, and a subject holds it
in that place only: on the platform (`roles`, `user_roles`, `group_roles`), in a workspace, in a namespace, on the
cluster. A role is named by its key: `global/x`, `workspace/w/x`, `namespace/n/x`, `cluster/x`; names of Kubernetes
objects hold no slash, so a key cannot be mistaken. What a binding of workspace w names is looked up under
`workspace/w/`, so it never reaches a role of another workspace.

Every field is a dict with small entries, because the delta between two policies travels entry by entry: a binding that
changes costs the entry of its subject. Thousands of workspaces hold the same few built-in roles: those of narrower
places name a set of rules (`rule_sets`) instead of carrying it. A reference that leads nowhere gives nothing.
"""

from typing import Literal

import msgspec

from dovetail.iam.attributes import Attributes, Scope

STORED_GROUPS = frozenset({"iam.kubesphere.io", "tenant.kubesphere.io"})

RoleScope = Literal["global", "workspace", "namespace", "cluster"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A Kubernetes PolicyRule: either about resources or about paths (`non_resource_urls`)."""

    verbs: tuple[str, ...] = ()
    api_groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes a request, as resolved at the time of the request."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the policy knows of a user: groups are resolved here at request time, never taken from a token."""

    uid: str = ""
    groups: tuple[str, ...] = ()
    disabled: bool = False
    uninitialized: bool = False
    """Whether the password has to be changed before anything else."""
    tokens_not_before: int = 0
    """Tokens issued before this second of the epoch are no longer good (password change, disabling)."""


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The names of the roles that one subject holds by place, outside the platform's own."""

    workspaces: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    namespaces: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    cluster: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """Where a role holds. `name` is the workspace or the namespace; empty for the platform and the cluster."""

    scope: RoleScope
    name: str = ""

    def key(self, role: str) -> str:
        """The key of the role of that name here."""
        return f"{self.scope}/{self.name}/{role}" if self.name else f"{self.scope}/{role}"


PLATFORM = Place("global")
CLUSTER = Place("cluster")


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Accounts, roles and who holds them. Terminating bindings and users that do not exist are left out before."""

    accounts: dict[str, Account] = msgspec.field(default_factory=dict[str, Account])
    roles: dict[str, tuple[Rule, ...]] = msgspec.field(default_factory=dict[str, tuple[Rule, ...]])
    """The GlobalRoles by name."""
    user_roles: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    group_roles: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    scoped_roles: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """The roles of workspaces, namespaces and the cluster: the key of a role, and which of `rule_sets` it has."""
    rule_sets: dict[str, tuple[Rule, ...]] = msgspec.field(default_factory=dict[str, tuple[Rule, ...]])
    user_bindings: dict[str, Held] = msgspec.field(default_factory=dict[str, Held])
    group_bindings: dict[str, Held] = msgspec.field(default_factory=dict[str, Held])
    namespaces: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    """The workspace of each namespace that belongs to one."""
    rego: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    """The Rego modules of the roles that carry any, by the roles' keys. Each adds to the rules of the role."""


def alike(first: Policy, second: Policy) -> bool:
    """Whether two policies are equal; quick where they share most of their fields."""
    pairs = [(getattr(first, name), getattr(second, name)) for name in Policy.__struct_fields__]
    return all(one == other for one, other in pairs if one is not other)


def rules_of_role(policy: Policy, place: Place, role: str) -> tuple[Rule, ...]:
    """The rules of a role; none when there is no such role."""
    if place.scope == "global":
        return policy.roles.get(role, ())
    return policy.rule_sets.get(policy.scoped_roles.get(place.key(role), ""), ())


def roles_at(place: Place, roles: tuple[str, ...], held: Held | None) -> tuple[str, ...]:
    """The names of the roles of one subject at a place, given what it holds on the platform and elsewhere."""
    if place.scope == "global":
        return roles
    if held is None:
        return ()
    if place.scope == "cluster":
        return held.cluster
    return (held.workspaces if place.scope == "workspace" else held.namespaces).get(place.name, ())


def places_of(policy: Policy, attributes: Attributes) -> tuple[Place, ...]:
    """The places whose roles count for a request, in the order in which they are visited."""
    if not attributes.resource_request:
        return (PLATFORM, CLUSTER)
    if stored(attributes):
        return (PLATFORM,)
    return places_in(policy, attributes.scope, attributes.workspace, attributes.namespace)


def stored(attributes: Attributes) -> bool:
    """Whether a request is for the stored objects of identity and tenancy themselves (`/apis`).

    They go to kube-apiserver as they are, with password hashes, and past the checks of what the caller may grant; so
    they are for those alone who may do everything: a rule of a role of the platform for the API group `*`.
    """
    return attributes.resource_request and attributes.api_prefix == "apis" and attributes.api_group in STORED_GROUPS


def places_in(policy: Policy, scope: Scope, workspace: str = "", namespace: str = "") -> tuple[Place, ...]:
    """The same for a scope: a namespace belongs to the workspace that its label says, whatever the request says."""
    if scope == "Global":
        return (PLATFORM,)
    if scope == "Namespace":
        workspace = policy.namespaces.get(namespace, "")
        here = (Place("namespace", namespace), CLUSTER)
        return (PLATFORM, Place("workspace", workspace), *here) if workspace else (PLATFORM, *here)
    if scope == "Workspace" and workspace:
        return (PLATFORM, Place("workspace", workspace), CLUSTER)
    return (PLATFORM, CLUSTER)
