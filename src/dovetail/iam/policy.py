"""The policy as a value: who holds which rules. Compiled by control, carried in the snapshot, read by the authorizer.

Source of the semantics: `reference/kubesphere-core.md` 1.7. Scopes narrower than the platform (workspace, cluster,
namespace) are a later widening of `Policy`; the decision function is the same for all.
"""

import msgspec


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
    tokens_not_before: int = 0
    """Tokens issued before this second of the epoch are no longer good (password change, disabling)."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Accounts, roles and who holds them. Terminating bindings and broken references are left out by the compiler."""

    accounts: dict[str, Account] = msgspec.field(default_factory=dict[str, Account])
    roles: dict[str, tuple[Rule, ...]] = msgspec.field(default_factory=dict[str, tuple[Rule, ...]])
    user_roles: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    group_roles: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
