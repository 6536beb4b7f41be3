"""Rules made ready for matching: one set of rules, compiled once and asked for every request.

A rule matches as a Kubernetes PolicyRule does (`reference/kubesphere-core.md` 1.7). Grants are a union: there is no
deny, and no order that matters except for which role is named in the reason. Pure; what is kept for long is kept by
`authorizer`.
"""

from dataclasses import dataclass
from itertools import product

from dovetail.iam.attributes import Attributes
from dovetail.iam.policy import PLATFORM, Held, Identity, Place, Policy, Rule, roles_at, rules_of_role, stored

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
PRE_REGISTRATION = "system:pre-registration"
"""As whom somebody calls who has no user yet (`dovetail.iam.pre_registration`): not one of the authenticated."""

_ALL = "*"
_MOST_FILED = 64


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
    """A set of rules, filed by what they can be asked about: a decision looks up, and walks through few of them.

    A rule is filed under each (group, resource) that it lists, with its verbs; with names, under each name. One that
    lists too many of them to be filed is kept as it is and asked every time.
    """

    __slots__ = ("_named", "_on_paths", "_others", "_verbs")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._verbs: dict[tuple[str, str], set[str]] = {}
        self._named: dict[tuple[str, str, str], set[str]] = {}
        others: list[Grant] = []
        for rule in rules:
            if len(rule.api_groups) * len(rule.resources) * max(1, len(rule.resource_names)) > _MOST_FILED:
                others.append(Grant.of(rule))
            else:
                self._file(rule)
        self._others = tuple(others)
        self._on_paths = tuple(Grant.of(rule) for rule in rules if rule.non_resource_urls)

    def allow(self, attributes: Attributes) -> bool:
        """Whether one of the rules lets the request pass."""
        if not attributes.resource_request:
            return any(grant.allows(attributes) for grant in self._on_paths)
        only_any_group = stored(attributes)
        groups = (_ALL,) if only_any_group else (attributes.api_group, _ALL)
        return self._filed(groups, attributes) or any(
            grant.allows(attributes) for grant in self._others if not only_any_group or _ALL in grant.groups
        )

    def _file(self, rule: Rule) -> None:
        for target in product(rule.api_groups, rule.resources):
            if not rule.resource_names:
                self._verbs.setdefault(target, set()).update(rule.verbs)
            for name in rule.resource_names:
                self._named.setdefault((*target, name), set()).update(rule.verbs)

    def _filed(self, groups: tuple[str, ...], attributes: Attributes) -> bool:
        verb, name = attributes.verb, attributes.name
        for resource in _resources(attributes.resource, attributes.subresource):
            for group in groups:
                verbs = self._verbs.get((group, resource))
                if verbs is not None and (verb in verbs or _ALL in verbs):
                    return True
                verbs = self._named.get((group, resource, name)) if self._named else None
                if verbs is not None and (verb in verbs or _ALL in verbs):
                    return True
        return False


def _resources(resource: str, subresource: str) -> tuple[str, ...]:
    """What a rule can call it."""
    return (f"{resource}/{subresource}", _ALL, f"*/{subresource}") if subresource else (resource, _ALL)


def groups_of(identity: Identity) -> tuple[str, ...]:
    """The groups a decision counts: the identity's, and the one that says whether anybody is logged in at all."""
    if identity.name == PRE_REGISTRATION:
        return identity.groups
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
