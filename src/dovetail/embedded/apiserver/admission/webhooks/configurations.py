"""The webhooks that are configured now, compiled once for each change of a configuration.

Model. Mutating- and ValidatingWebhookConfigurations are read when first needed and again after a commit that touched
one. Hooks come in the order of kube-apiserver: configurations by name, hooks as listed. Nothing is called from here.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ...foreign import part, parts
from ...selecting.labels import LabelSelector, from_object
from ...service_endpoints import Service
from ...storage.records import Change
from ...storage.store import Store
from ..plugin import Attributes
from .rules import Rule, is_exempt

GROUP = "admissionregistration.k8s.io"
MUTATING, VALIDATING = f"{GROUP}/mutatingwebhookconfigurations", f"{GROUP}/validatingwebhookconfigurations"
_PORT, _SECONDS = 443, 10


@dataclass(frozen=True, slots=True)
class Client:
    """Where a webhook is: a URL, or a service and a path. ``authority`` is PEM, b"" for the system's authorities."""

    url: str
    service: Service | None
    path: str
    authority: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """One webhook. ``conditions`` are pairs of name and CEL expression; ``seconds`` is the timeout."""

    name: str
    configuration: str
    mutating: bool
    rules: tuple[Rule, ...]
    client: Client
    ignores_failure: bool
    equivalent: bool
    namespaces: LabelSelector
    objects: LabelSelector
    conditions: tuple[tuple[str, str], ...]
    dry_run: bool
    seconds: int
    review: str
    again: bool


class Webhooks:
    """All configured hooks; registers itself for changes of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hooks: dict[bool, tuple[Hook, ...]] | None = None
        store.on_commit.append(self._changed)

    def _changed(self, changes: Iterable[Change]) -> None:
        if self._hooks is not None and any(change.key.resource in (MUTATING, VALIDATING) for change in changes):
            self._hooks = None

    def hooks(self, mutating: bool) -> tuple[Hook, ...]:
        if self._hooks is None:
            self._hooks = {True: self._read(MUTATING, True), False: self._read(VALIDATING, False)}
        return self._hooks[mutating]

    def _read(self, store: str, mutating: bool) -> tuple[Hook, ...]:
        configurations = [orjson.loads(record.value) for record in self._store.list(store).records]
        return tuple(hook for configuration in configurations for hook in _compile(configuration, mutating))

    def any(self) -> bool:
        return bool(self.hooks(True) or self.hooks(False))

    def concerned(self, mutating: bool, attributes: Attributes) -> bool:
        """Whether a hook may have to be asked: cheap, and never False when one has to."""
        hooks = self.hooks(mutating)
        if not hooks or is_exempt(attributes):
            return False
        operation = attributes.operation
        return any(rule.has_operation(operation) for hook in hooks for rule in hook.rules)


def _compile(configuration: dict[str, Any], mutating: bool) -> Iterator[Hook]:
    for hook in parts(configuration, "webhooks"):
        reviews = [version for version in parts(hook, "admissionReviewVersions") if version in ("v1", "v1beta1")]
        yield Hook(
            str(hook.get("name", "")), str(configuration["metadata"]["name"]), mutating,
            rules=tuple(Rule.read(rule) for rule in parts(hook, "rules")), client=_client(part(hook, "clientConfig")),
            ignores_failure=hook.get("failurePolicy") == "Ignore", equivalent=hook.get("matchPolicy") != "Exact",
            namespaces=from_object(part(hook, "namespaceSelector")), objects=from_object(part(hook, "objectSelector")),
            conditions=tuple((str(c.get("name")), str(c.get("expression"))) for c in parts(hook, "matchConditions")),
            dry_run=hook.get("sideEffects") in ("None", "NoneOnDryRun"), seconds=hook.get("timeoutSeconds", _SECONDS),
            review=reviews[0] if reviews else "v1", again=hook.get("reinvocationPolicy") == "IfNeeded",
        )  # fmt: skip


def _client(config: dict[str, Any]) -> Client:
    service = part(config, "service")
    target = None
    if service:
        target = Service(str(service.get("namespace")), str(service.get("name")), service.get("port") or _PORT)
    path = str(service.get("path") or "/")
    return Client(str(config.get("url") or ""), target, path, b64decode(config.get("caBundle") or ""))
