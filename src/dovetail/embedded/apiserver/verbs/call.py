"""One request on its way: who asks for what, with which options, and what the answer may need."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ..access.identity import User
from ..access.rbac import Authorizer
from ..access.service_tokens import ServiceTokens
from ..admission.webhooks.configurations import Webhooks
from ..errors import Invalid
from ..fielderrors import FieldError, forbidden, invalid, not_supported, required, too_long
from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType
from ..requests import Query, RequestInfo
from ..storage.history import History
from ..storage.hub import Hub
from ..storage.store import Store
from .node_streams import NodeStreams


@dataclass(frozen=True, slots=True)
class Api:
    """The parts that the verbs work on. ``nodes`` reaches the machines that run pods; None when there is none."""

    store: Store
    history: History
    hub: Hub
    catalogue: Catalogue
    authorizer: Authorizer
    tokens: ServiceTokens
    webhooks: Webhooks = field(init=False)
    nodes: NodeStreams | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        object.__setattr__(self, "webhooks", Webhooks(self.store))

    def now(self) -> str:
        """RFC 3339 in seconds, as in metadata."""
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options of every write; ``validation`` is Strict, Warn or Ignore. ``stated`` is what the client said of them."""

    dry_run: bool
    manager: str
    validation: str
    force: bool
    stated: dict[str, Any] = field(default_factory=dict[str, Any])

    def wire(self, operation: str) -> dict[str, Any]:
        """CreateOptions or UpdateOptions, as webhooks see them."""
        kind = "CreateOptions" if operation == "CREATE" else "UpdateOptions"
        return {"kind": kind, "apiVersion": "meta.k8s.io/v1", **self.stated}


@dataclass
class Call:
    """A request for a resource. ``warnings`` become Warning headers of the answer."""

    api: Api
    info: RequestInfo
    resource: ResourceType
    user: User
    query: Query
    body: bytes = b""
    content_type: str = "application/json"
    accept: str = ""
    user_agent: str = ""
    warnings: list[str] = field(default_factory=list[str])

    @property
    def namespace(self) -> str:
        """The namespace for storage: "" for cluster-scoped kinds (whose own URL may carry one: /namespaces/x)."""
        return self.info.namespace if self.resource.namespaced else ""

    def write_options(self) -> WriteOptions:
        """Raises Invalid for values that Kubernetes does not know."""
        dry_run, validation = self.query.all("dryRun"), self.query.get("fieldValidation")
        manager = self.query.get("fieldManager")
        if errors := [*self._force_errors(manager), *_option_errors(manager, dry_run, validation)]:
            raise Invalid("meta.k8s.io", _KINDS.get(self.info.verb, "CreateOptions"), "", errors)
        stated = {"dryRun": dry_run, "fieldManager": manager, "fieldValidation": validation}
        kept = {name: value for name, value in stated.items() if value}
        return WriteOptions(
            bool(dry_run), manager or self._agent(), validation or "Warn", self.query.flag("force"), kept
        )

    def _agent(self) -> str:
        return self.user_agent.partition("/")[0][:_MANAGER_LIMIT] or "unknown"

    def _force_errors(self, manager: str) -> Iterator[FieldError]:
        if self.info.verb != "patch":
            return
        if not self.content_type.startswith("application/apply-patch"):
            if self.query.has("force"):
                yield forbidden("force", "may not be specified for non-apply patch")
        elif not manager:
            yield required("fieldManager", "is required for apply patch")


_MANAGER_LIMIT = 128
_KINDS = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions", "delete": "DeleteOptions"}


def _option_errors(manager: str, dry_run: list[str], validation: str) -> Iterator[FieldError]:
    if len(manager.encode()) > _MANAGER_LIMIT:
        yield too_long("fieldManager", _MANAGER_LIMIT)
    for place, char in enumerate(manager):
        if not char.isprintable():
            yield invalid("fieldManager", manager, f"invalid character U+{ord(char):04X} (at position {place})")
    if any(value != "All" for value in dry_run):
        yield not_supported("dryRun", dry_run, ["All"])
    if validation not in ("", "Ignore", "Strict", "Warn"):
        yield not_supported("fieldValidation", validation, ["", "Ignore", "Strict", "Warn"])
