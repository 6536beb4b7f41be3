"""The audit's configuration as people write it: two YAML texts in the ConfigMap `dovetail-audit`. Pure.

`policy.yaml` is a Policy of Kubernetes' audit.k8s.io/v1, with `paths` in a rule and `maxBodyBytes` on top as additions;
`webhook.yaml` says where events are sent. What is not understood is refused, never ignored: a misspelled field would
mean that something is not recorded.
"""

from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from dovetail.apis.dialects.certificates import decode_pem, loads
from dovetail.gateway.audit.policy import MOST_BODY, AuditPolicy, AuditRule, Level, Resources, Stage
from dovetail.packaging.errors import InvalidYaml
from dovetail.packaging.yaml11 import load

POLICY: Final = "policy.yaml"
WEBHOOK: Final = "webhook.yaml"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_Shape = TypeVar("_Shape")
Names = Annotated[list[str], msgspec.Meta(max_length=1000)]


class BadConfiguration(Exception):
    """A text that cannot be put in force."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")


class _Strict(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    pass


class _GroupResources(_Strict, frozen=True, kw_only=True):
    group: str = ""
    resources: Names = []
    resource_names: Names = []


class _Rule(_Strict, frozen=True, kw_only=True):
    level: Level
    users: Names = []
    user_groups: Names = []
    verbs: Names = []
    resources: list[_GroupResources] = []
    namespaces: Names = []
    non_resource_urls: Annotated[list[str], msgspec.Meta(max_length=1000)] = msgspec.field(
        default_factory=list[str], name="nonResourceURLs"
    )
    paths: Names = []
    omit_stages: list[Stage] = []


class _Policy(_Strict, frozen=True, kw_only=True):
    api_version: str
    kind: str
    rules: Annotated[list[_Rule], msgspec.Meta(max_length=1000)]
    metadata: dict[str, Any] = {}
    omit_stages: list[Stage] = []
    max_body_bytes: Annotated[int, msgspec.Meta(ge=0, le=MOST_BODY)] = 0


class TokenSecret(_Strict, frozen=True, kw_only=True):
    """A key of a Secret of the system's namespace."""

    name: str
    key: str = "token"


class Webhook(_Strict, frozen=True, kw_only=True):
    """Where events are sent. Times are in seconds."""

    url: str
    ca_bundle: str = ""
    token_secret: TokenSecret | None = None
    max_batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 400
    max_wait: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    max_buffered: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
    timeout: Annotated[float, msgspec.Meta(gt=0, le=120)] = 10.0


def read_policy(text: str) -> AuditPolicy:
    """The policy of a text. Raises BadConfiguration."""
    read = _read(POLICY, text, _Policy)
    if read.api_version != "audit.k8s.io/v1" or read.kind != "Policy":
        raise BadConfiguration(POLICY, "it must be of apiVersion audit.k8s.io/v1 and kind Policy")
    if not read.max_body_bytes and any(rule.level in ("Request", "RequestResponse") for rule in read.rules):
        problem = f"the levels Request and RequestResponse need maxBodyBytes (at most {MOST_BODY})"
        raise BadConfiguration(POLICY, problem)
    rules = tuple(_rule(rule) for rule in read.rules)
    return AuditPolicy(rules=rules, omit_stages=tuple(read.omit_stages), max_body=read.max_body_bytes)


def read_webhook(text: str) -> Webhook:
    """The webhook of a text. Raises BadConfiguration."""
    read = _read(WEBHOOK, text, Webhook)
    parts = urlsplit(read.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadConfiguration(WEBHOOK, "url must be an http or https URL")
    if parts.username or parts.password:
        raise BadConfiguration(WEBHOOK, "url must not hold a password; use tokenSecret")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise BadConfiguration(WEBHOOK, "url must be https: audit events are not sent in the clear")
    pem = decode_pem(read.ca_bundle.strip())
    if read.ca_bundle and not (pem and loads(pem)):
        raise BadConfiguration(WEBHOOK, "caBundle must be certificates in PEM, or base64 of that")
    return msgspec.structs.replace(read, ca_bundle=pem)


def _rule(rule: _Rule) -> AuditRule:
    resources = tuple(
        Resources(group=one.group, resources=tuple(one.resources), names=tuple(one.resource_names))
        for one in rule.resources
    )
    return AuditRule(
        level=rule.level, users=tuple(rule.users), groups=tuple(rule.user_groups), verbs=tuple(rule.verbs),
        resources=resources, namespaces=tuple(rule.namespaces), non_resource_urls=tuple(rule.non_resource_urls),
        paths=tuple(rule.paths), omit_stages=tuple(rule.omit_stages),
    )  # fmt: skip


def _read(key: str, text: str, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.convert(load(text.encode(), key).value, shape)
    except (InvalidYaml, msgspec.ValidationError) as error:
        raise BadConfiguration(key, str(error)) from error
