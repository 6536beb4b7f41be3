"""Rules made ready for matching: one set of rules, compiled once and asked for every request.

A rule matches as a Kubernetes PolicyRule does (`reference/kubesphere-core.md` 1.7). Grants are a union: there is no
deny, and no order that matters except for which role is named in the reason. Pure; what is kept for long is kept by
`authorizer`.
"""

from dataclasses import dataclass

from dovetail.iam.attributes import Attributes
from dovetail.iam.policy import PLATFORM, Held, Identity, Place, Policy, Rule, roles_at, rules_of_role, stored

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"

_ALL = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule. The frozen sets hold what the rule lists, `*` included.

    `methods` are the verbs in lower case: for paths KubeSphere's roles write `GET` where Kubernetes' write `get`.
    """

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    methods: frozenset[str]
    paths: frozenset[str]
    path_prefixes: tuple[str, ...]

    @classmethod
    def of(cls, rule: Rule) -> "Grant":
        return cls(
            verbs=frozenset(rule.verbs),
            groups=frozenset(rule.api_groups),
            resources=frozenset(rule.resources),
            names=frozenset(rule.resource_names),
            methods=frozenset(verb.lower() for verb in rule.verbs),
            paths=frozenset(rule.non_resource_urls),
            path_prefixes=tuple(url[:-1] for url in rule.non_resource_urls if url.endswith(_ALL)),
        )

    def allows(self, attributes: Attributes) -> bool:
        """Whether this one rule lets the request pass."""
        if attributes.resource_request:
            return self._resource(attributes)
        return self._path(attributes.verb, attributes.path)

    def _resource(self, attributes: Attributes) -> bool:
        return (
            (_ALL in self.verbs or attributes.verb in self.verbs)
            and (_ALL in self.groups or attributes.api_group in self.groups)
            and self._names_resource(attributes.resource, attributes.subresource)
            and (not self.names or attributes.name in self.names)
        )

    def _names_resource(self, resource: str, subresource: str) -> bool:
        if _ALL in self.resources:
            return True
        if not subresource:
            return resource in self.resources
        return f"{resource}/{subresource}" in self.resources or f"*/{subresource}" in self.resources

    def _path(self, method: str, path: str) -> bool:
        if not (_ALL in self.methods or method in self.methods or (method == "head" and "get" in self.methods)):
            return False
        return path in self.paths or (bool(self.path_prefixes) and path.startswith(self.path_prefixes))


class Grants:
    """A set of rules sorted by what they can be asked about."""

    __slots__ = ("_by_group", "_on_any_group", "_on_paths")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        grants = tuple(map(Grant.of, rules))
        groups = {group for grant in grants for group in grant.groups if group != _ALL}
        self._by_group = {group: tuple(one for one in grants if one.groups & {group, _ALL}) for group in groups}
        self._on_any_group = tuple(one for one in grants if _ALL in one.groups)
        self._on_paths = tuple(one for one in grants if one.paths)

    def allow(self, attributes: Attributes) -> bool:
        """Whether one of the rules lets the request pass."""
        if not attributes.resource_request:
            about = self._on_paths
        elif stored(attributes):
            about = self._on_any_group
        else:
            about = self._by_group.get(attributes.api_group, self._on_any_group)
        return any(grant.allows(attributes) for grant in about)


def groups_of(identity: Identity) -> tuple[str, ...]:
    """The groups a decision counts: the identity's, and the one that says whether anybody is logged in at all."""
    implied = UNAUTHENTICATED if identity.name in {"", ANONYMOUS} else AUTHENTICATED
    return identity.groups if implied in identity.groups else (*identity.groups, implied)


def subjects_of(policy: Policy, identity: Identity) -> list[tuple[tuple[str, ...], Held | None]]:
    """What an identity's user and each of its groups hold, those that hold anything: (platform roles, elsewhere)."""
    subjects = [(policy.user_roles.get(identity.name, ()), policy.user_bindings.get(identity.name))]
    subjects.extend(
        (policy.group_roles.get(group, ()), policy.group_bindings.get(group)) for group in groups_of(identity)
    )
    return [(roles, held) for roles, held in subjects if roles or held is not None]


def roles_of(policy: Policy, identity: Identity, place: Place = PLATFORM) -> tuple[str, ...]:
    """The names of the roles an identity holds at a place, each once, its own before its groups'."""
    held = [role for roles, held in subjects_of(policy, identity) for role in roles_at(place, roles, held)]
    return tuple(dict.fromkeys(held))


def rules_of(policy: Policy, identity: Identity, place: Place = PLATFORM) -> tuple[Rule, ...]:
    """Every rule an identity holds by roles of a place, as written."""
    return tuple(rule for role in roles_of(policy, identity, place) for rule in rules_of_role(policy, place, role))
