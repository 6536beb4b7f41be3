"""The one place where access is decided.

`decide` is a pure function of (policy, identity, attributes) and the only decision function there is: the gateway's
workers, the platform's own API and the command line all ask it. Section 1.7 of `reference/kubesphere-core.md` in one
paragraph: the request has a scope, the scope says which places count (`policy.places_of`: the platform always; then the
workspace, the namespace and the cluster, as far as they apply), and the request is allowed when one rule of one role
that the user holds in one of these places, directly or through a group, matches it. A role may also carry a Rego module
that says so; those are asked last, since they cost more. Everybody may do a few things with the own account; everything
else is denied. There are no deny rules, so the order of roles never changes an answer, only which role is named.

`Authorizer` answers the same question for one policy and many requests. What it compiles is kept by what it was made
from (`CompiledRoles`), so the next policy's Authorizer takes over all that did not change, and a user costs nothing to
prepare. Neither looks at tokens, and neither does I/O.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dovetail.iam import query as queries
from dovetail.iam.attributes import Attributes, parse
from dovetail.iam.compiled_roles import CompiledRoles, compiled_for, new_purse
from dovetail.iam.policy import Held, Identity, Place, Policy, places_of, roles_at, stored
from dovetail.iam.rules import ANONYMOUS, PRE_REGISTRATION, subjects_of

IAM_GROUP = "iam.kubesphere.io"
TENANT_GROUP = "tenant.kubesphere.io"
SELF_SERVICE = frozenset(
    {
        ("get", "users", ""),
        ("update", "users", "password"),
        ("get", "users", "loginrecords"),
        ("get", "users", "roletemplates"),
    }
)
"""(verb, resource, subresource) of the platform's user API that everybody may do with the own account, and only under
`/kapis`: under `/apis` the same request would reach the stored object (`reference/kubesphere-core.md` 8.3)."""

FILTERED_LISTS = frozenset({"workspaces", "workspacetemplates", "namespaces", "clusters", "metrics"})
"""Lists of the tenancy API that every user may ask for: the answer holds what this user may see (`visibility`)."""

AS_CALLER = ("resources.kubesphere.io", "v1alpha3")
"""Kubernetes' kinds with the platform's grammar: read as the caller, so Kubernetes decides what he sees."""

_STRANGERS = frozenset({"", ANONYMOUS, PRE_REGISTRATION})
_KEPT_DECISIONS = 2048
_LONGEST_KEPT = 512

Subjects = list[tuple[tuple[str, ...], Held | None]]


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and why: which role allowed it, or what was missing, in words for the caller."""

    allowed: bool
    reason: str


def decide(policy: Policy, identity: Identity, attributes: Attributes) -> Decision:
    """Whether `identity` may make the request. Deny by default. Pure."""
    return _decide(compiled_for(policy), policy, identity, attributes)


def allowed_by_role(policy: Policy, identity: Identity, attributes: Attributes) -> bool:
    """Whether a role allows it, apart from what everybody may do: for questions about what a caller may see."""
    if refused_outright(policy, identity, attributes):
        return False
    return bool(_by_role(compiled_for(policy), policy, identity, attributes))


def _decide(roles: CompiledRoles, policy: Policy, identity: Identity, attributes: Attributes) -> Decision:
    refusal = refused_outright(policy, identity, attributes)
    if refusal:
        return Decision(False, refusal)
    by_role = _by_role(roles, policy, identity, attributes)
    if by_role:
        return Decision(True, by_role)
    for_everybody = open_to_all(identity, attributes)
    if for_everybody:
        return Decision(True, for_everybody)
    return Decision(False, _refusal(identity, attributes))


def _by_role(roles: CompiledRoles, policy: Policy, identity: Identity, attributes: Attributes) -> str:
    """Which role allows it, in words; an empty string when none does."""
    subjects, places = subjects_of(policy, identity), places_of(policy, attributes)
    for place, role in held_roles(subjects, places):
        grants = roles.grants(place, role)
        if grants is not None and grants.allow(attributes):
            return f"{words(place, role)} allows it"
    if policy.rego and not stored(attributes):
        purse = new_purse()
        for place, role in held_roles(subjects, places):
            if roles.rego_allows(place, role, identity, attributes, purse):
                return f"{words(place, role)} allows it by its Rego"
    return ""


def refused_outright(policy: Policy, identity: Identity, attributes: Attributes) -> str:
    """Why no role would help; an empty string when roles are asked."""
    if attributes.ambiguous:
        return f"{attributes.ambiguous}, so different servers could read it differently"
    account = policy.accounts.get(identity.name)
    if account is not None and account.disabled:
        return f'user "{identity.name}" is disabled'
    if account is not None and account.uninitialized and not _own_account(identity, attributes):
        return f'user "{identity.name}" has to change the password first'
    return ""


def held_roles(subjects: Subjects, places: tuple[Place, ...]) -> Iterator[tuple[Place, str]]:
    """The roles that count, place by place; one that is held twice comes twice."""
    for place in places:
        for roles, held in subjects:
            for role in roles_at(place, roles, held):
                yield place, role


def open_to_all(identity: Identity, attributes: Attributes) -> str:
    """Why every user may do this, whatever the roles; an empty string when not every user may."""
    if identity.name in _STRANGERS or attributes.api_prefix != "kapis" or attributes.cluster:
        return ""
    if _own_account(identity, attributes):
        return "everybody may do this with the own account"
    if attributes.api_group == TENANT_GROUP and _filtered(identity, attributes):
        return "everybody may ask for it: the answer holds what the caller may see"
    if (attributes.api_group, attributes.api_version) == AS_CALLER and attributes.verb in {"get", "list"}:
        return "everybody may ask for it: Kubernetes is asked as the caller"
    return ""


def _filtered(identity: Identity, attributes: Attributes) -> bool:
    asked = (attributes.verb, attributes.resource, attributes.subresource)
    if asked == ("get", "workspacemembers", "namespaces"):
        return attributes.name == identity.name
    return attributes.verb == "list" and attributes.resource in FILTERED_LISTS and not attributes.namespace


def _own_account(identity: Identity, attributes: Attributes) -> bool:
    return (
        attributes.api_prefix == "kapis"
        and attributes.api_group == IAM_GROUP
        and not attributes.workspace
        and not attributes.namespace
        and not attributes.cluster
        and attributes.name == identity.name
        and identity.name not in {"", ANONYMOUS}
        and (attributes.verb, attributes.resource, attributes.subresource) in SELF_SERVICE
    )


def words(place: Place, role: str) -> str:
    """A role in words."""
    return f'role "{role}"' if place.scope == "global" else f'{place.scope} role "{role}"{_of(place)}'


def _of(place: Place) -> str:
    return f' of {place.scope} "{place.name}"' if place.name else ""


def _refusal(identity: Identity, attributes: Attributes) -> str:
    """The refusal in Kubernetes' words, which clients and people know."""
    user = f'User "{identity.name or ANONYMOUS}"'
    if not attributes.resource_request:
        return f'{user} cannot {attributes.verb} path "{attributes.path}"'
    resource = attributes.resource + (f"/{attributes.subresource}" if attributes.subresource else "")
    if attributes.namespace and attributes.resource != "namespaces":
        place = f'in the namespace "{attributes.namespace}"'
    elif attributes.workspace and attributes.scope == "Workspace":
        place = f'in the workspace "{attributes.workspace}"'
    else:
        place = "at the cluster scope"
    return f'{user} cannot {attributes.verb} resource "{resource}" in API group "{attributes.api_group}" {place}'


class Authorizer:
    """`decide` over one policy for many requests, taking over from the policy `before` what is compiled already.

    Decisions are kept for a while in two bounded halves: a full young half pushes out the old one. Not for use by
    several threads.
    """

    def __init__(self, policy: Policy, before: "Authorizer | None" = None) -> None:
        self.policy = policy
        self._roles = CompiledRoles(policy, before._roles if before is not None else None)
        self._young: dict[tuple[str, tuple[str, ...], str, str, str], Decision] = {}
        self._old: dict[tuple[str, tuple[str, ...], str, str, str], Decision] = {}

    def check(self, identity: Identity, method: str, path: str, query: str = "") -> Decision:
        """Decide about a raw request: percent-encoded `path`, `query` without the `?`."""
        if identity.extra:  # a module may ask for it, and it is in no key
            return self.decide(identity, parse(method, path, query))
        if query and not queries.matters(query):
            query = ""
        key = (identity.name, identity.groups, method, path, query)
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
            if known is None:
                known = self.decide(identity, parse(method, path, query))
            if len(path) + len(query) <= _LONGEST_KEPT:
                self._keep(key, known)
        return known

    def decide(self, identity: Identity, attributes: Attributes) -> Decision:
        """Decide about attributes, with the roles compiled before."""
        return _decide(self._roles, self.policy, identity, attributes)

    def _keep(self, key: tuple[str, tuple[str, ...], str, str, str], decision: Decision) -> None:
        if len(self._young) >= _KEPT_DECISIONS:
            self._old, self._young = self._young, {}
        self._young[key] = decision
