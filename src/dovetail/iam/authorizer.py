"""The one place where access is decided.

`decide` is a pure function of (policy, identity, attributes) and the only decision function there is: the gateway's
workers, the platform's own API and the command line all ask it. A request is allowed when one rule of one role that
the user holds (directly or through a group) matches it, or when it is one of the few things everybody may do with the
own account; everything else is denied. There are no deny rules, so the order of roles never changes an answer.

`Authorizer` answers the same question for one policy, keeping each user's compiled rules and its latest decisions.
It never outlives its policy: a new snapshot brings a new one. Neither looks at tokens, and neither does I/O.
"""

from dataclasses import dataclass

from dovetail.iam import query as queries
from dovetail.iam.attributes import Attributes, parse
from dovetail.iam.policy import Identity, Policy
from dovetail.iam.rules import ANONYMOUS, Grant, grants_of

IAM_GROUP = "iam.kubesphere.io"
SELF_SERVICE = frozenset({("get", "users", ""), ("update", "users", "password")})
"""(verb, resource, subresource) of the platform's user API that everybody may do with the own account, and only under
`/kapis`: under `/apis` the same request would reach the stored object (`reference/kubesphere-core.md` 8.3)."""

_KEPT_DECISIONS = 2048
_KEPT_USERS = 4096
_LONGEST_KEPT = 512


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and why: which role allowed it, or what was missing, in words for the caller."""

    allowed: bool
    reason: str


def decide(policy: Policy, identity: Identity, attributes: Attributes) -> Decision:
    """Whether `identity` may make the request. Deny by default. Pure."""
    return _decide(_Grants(grants_of(policy, identity)), policy, identity, attributes)


class _Grants:
    """A user's grants with the decisions they lead to, sorted by what they can be asked about."""

    __slots__ = ("_by_group", "_on_any_group", "_on_paths")

    def __init__(self, grants: tuple[Grant, ...]) -> None:
        told = [(grant, Decision(True, f'role "{grant.role}" allows it')) for grant in grants]
        groups = {group for grant in grants for group in grant.groups if group != "*"}
        self._by_group = {group: tuple(one for one in told if one[0].groups & {group, "*"}) for group in groups}
        self._on_any_group = tuple(one for one in told if "*" in one[0].groups)
        self._on_paths = tuple(one for one in told if one[0].paths)

    def about(self, attributes: Attributes) -> tuple[tuple[Grant, Decision], ...]:
        """Those that could allow the request."""
        if attributes.resource_request:
            return self._by_group.get(attributes.api_group, self._on_any_group)
        return self._on_paths


def _decide(grants: _Grants, policy: Policy, identity: Identity, attributes: Attributes) -> Decision:
    if attributes.ambiguous:
        return Decision(False, f"{attributes.ambiguous}, so different servers could read it differently")
    account = policy.accounts.get(identity.name)
    if account is not None and account.disabled:
        return Decision(False, f'user "{identity.name}" is disabled')
    for grant, decision in grants.about(attributes):
        if grant.allows(attributes):
            return decision
    if _own_account(identity, attributes):
        return Decision(True, "everybody may do this with the own account")
    return Decision(False, _refusal(identity, attributes))


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
    """`decide` over one policy for many requests: rules are compiled once a user, decisions kept for a while.

    Both stores are bounded: the users' one is emptied when full; decisions live in two halves, and a full young half
    pushes out the old one. Not for use by several threads.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._grants: dict[tuple[str, tuple[str, ...]], _Grants] = {}
        self._young: dict[tuple[str, tuple[str, ...], str, str, str], Decision] = {}
        self._old: dict[tuple[str, tuple[str, ...], str, str, str], Decision] = {}

    def check(self, identity: Identity, method: str, path: str, query: str = "") -> Decision:
        """Decide about a raw request: percent-encoded `path`, `query` without the `?`."""
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
        """Decide about attributes, with the user's rules compiled before."""
        return _decide(self._compiled(identity), self.policy, identity, attributes)

    def _compiled(self, identity: Identity) -> _Grants:
        key = (identity.name, identity.groups)
        grants = self._grants.get(key)
        if grants is None:
            if len(self._grants) >= _KEPT_USERS:
                self._grants.clear()
            grants = self._grants[key] = _Grants(grants_of(self.policy, identity))
        return grants

    def _keep(self, key: tuple[str, tuple[str, ...], str, str, str], decision: Decision) -> None:
        if len(self._young) >= _KEPT_DECISIONS:
            self._old, self._young = self._young, {}
        self._young[key] = decision
