"""How much of a request is recorded: a policy of rules, of which the first that matches says it. Pure.

The rules are those of Kubernetes' audit.k8s.io/v1 Policy, with three additions: `paths` (prefixes of any request's
path, resource or not), the group `*`, and the verb `*`. As in Kubernetes, a rule that names resources or namespaces
concerns resource requests only, one that names nonResourceURLs the others only, and what no rule matches is not
recorded.

Bodies are recorded only by the levels Request and RequestResponse, only up to `max_body` bytes, and never without
a `max_body`.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from dovetail.iam.attributes import Attributes

Level = Literal["None", "Metadata", "Request", "RequestResponse"]
Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
MOST_BODY: Final = 64 << 10


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """Resources of one group: `pods`, `pods/log`, `pods/*`, `*/scale`, `*`; none named means all of the group."""

    group: str = ""
    resources: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class AuditRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. Whatever is empty does not restrict it."""

    level: Level
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[Resources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    omit_stages: tuple[Stage, ...] = ()


class AuditPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Rules in order."""

    rules: tuple[AuditRule, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    max_body: int = 0

    @property
    def wants_bodies(self) -> bool:
        """Whether some rule may ask for bodies."""
        return self.max_body > 0 and any(rule.level in ("Request", "RequestResponse") for rule in self.rules)


class Decision(msgspec.Struct, frozen=True):
    """What the policy says of a request."""

    level: Level
    omit_stages: tuple[Stage, ...] = ()


_HEALTH = ("/healthz", "/livez", "/livez/*", "/readyz", "/readyz/*")
DEFAULT: Final = AuditPolicy(
    rules=(AuditRule(level="None", verbs=("get", "head"), non_resource_urls=_HEALTH), AuditRule(level="Metadata"))
)
"""In force until a policy is given: everything is recorded, without bodies, except health checks."""
_NOT_RECORDED: Final = Decision("None")


def decide(policy: AuditPolicy, user: str, groups: Sequence[str], asks: Attributes) -> Decision:
    """The level of a request by the first rule that matches it."""
    for rule in policy.rules:
        if _matches(rule, user, groups, asks):
            return Decision(rule.level, (*policy.omit_stages, *rule.omit_stages))
    return _NOT_RECORDED


def _matches(rule: AuditRule, user: str, groups: Sequence[str], asks: Attributes) -> bool:
    if rule.users and user not in rule.users:
        return False
    if rule.groups and not any(group in rule.groups for group in groups):
        return False
    if rule.verbs and asks.verb not in rule.verbs and "*" not in rule.verbs:
        return False
    if rule.paths and not any(_path_matches(pattern, asks.path) for pattern in rule.paths):
        return False
    if rule.namespaces or rule.resources:
        return asks.resource_request and _resource_matches(rule, asks)
    if rule.non_resource_urls:
        return not asks.resource_request and any(_path_matches(url, asks.path) for url in rule.non_resource_urls)
    return True


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _resource_matches(rule: AuditRule, asks: Attributes) -> bool:
    if rule.namespaces and asks.namespace not in rule.namespaces:
        return False
    return not rule.resources or any(_is_among(resources, asks) for resources in rule.resources)


def _is_among(resources: Resources, asks: Attributes) -> bool:
    if resources.group not in (asks.api_group, "*"):
        return False
    if not resources.resources:
        return True
    if resources.names and asks.name not in resources.names:
        return False
    asked = f"{asks.resource}/{asks.subresource}" if asks.subresource else asks.resource
    return any(_is_named(pattern, asked, asks) for pattern in resources.resources)


def _is_named(pattern: str, asked: str, asks: Attributes) -> bool:
    if pattern in ("*", asked):
        return True
    if not asks.subresource:
        return False
    return pattern in (f"{asks.resource}/*", f"*/{asks.subresource}")
