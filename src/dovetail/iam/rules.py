"""Rules made ready for matching: a user's grants, compiled once per policy and asked for every request.

A rule matches as a Kubernetes PolicyRule does (`reference/kubesphere-core.md` 1.7). Grants are a union: there is no
deny, and no order that matters except for which role is named in the reason. Pure; nothing is cached here.
"""

from dataclasses import dataclass

from dovetail.iam.attributes import Attributes
from dovetail.iam.policy import Identity, Policy, Rule

ANONYMOUS = "system:anonymous"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"

_ALL = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule with the role it came from. The frozen sets hold what the rule lists, `*` included.

    `methods` are the verbs in lower case: for paths KubeSphere's roles write `GET` where Kubernetes' write `get`.
    """

    role: str
    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    methods: frozenset[str]
    paths: frozenset[str]
    path_prefixes: tuple[str, ...]

    @classmethod
    def of(cls, role: str, rule: Rule) -> "Grant":
        return cls(
            role=role,
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


def groups_of(identity: Identity) -> tuple[str, ...]:
    """The groups a decision counts: the identity's, and the one that says whether anybody is logged in at all."""
    implied = UNAUTHENTICATED if identity.name in {"", ANONYMOUS} else AUTHENTICATED
    return identity.groups if implied in identity.groups else (*identity.groups, implied)


def roles_of(policy: Policy, identity: Identity) -> tuple[str, ...]:
    """The names of the roles an identity holds, each once, its own before its groups'."""
    held = [*policy.user_roles.get(identity.name, ())]
    for group in groups_of(identity):
        held.extend(policy.group_roles.get(group, ()))
    return tuple(dict.fromkeys(held))


def rules_of(policy: Policy, identity: Identity) -> tuple[Rule, ...]:
    """Every rule an identity holds, as written."""
    return tuple(rule for role in roles_of(policy, identity) for rule in policy.roles.get(role, ()))


def grants_of(policy: Policy, identity: Identity) -> tuple[Grant, ...]:
    """The same, compiled."""
    held = roles_of(policy, identity)
    return tuple(Grant.of(role, rule) for role in held for rule in policy.roles.get(role, ()))
