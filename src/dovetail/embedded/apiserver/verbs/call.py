"""One request on its way: who asks for what, with which options, and what the answer may need."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..access.identity import User
from ..access.rbac import Authorizer
from ..access.service_tokens import ServiceTokens
from ..errors import BadRequest
from ..registry.catalogue import Catalogue
from ..registry.resource import ResourceType
from ..requests import Query, RequestInfo
from ..storage.history import History
from ..storage.hub import Hub
from ..storage.store import Store


@dataclass(frozen=True, slots=True)
class Api:
    """The parts that the verbs work on."""

    store: Store
    history: History
    hub: Hub
    catalogue: Catalogue
    authorizer: Authorizer
    tokens: ServiceTokens
    clock: Callable[[], float] = time.time

    def now(self) -> str:
        """RFC 3339 in seconds, as in metadata."""
        return datetime.fromtimestamp(self.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """Options of every write; ``validation`` is Strict, Warn or Ignore."""

    dry_run: bool
    manager: str
    validation: str
    force: bool


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
        """Raises BadRequest for values that Kubernetes does not know."""
        dry_run = self.query.all("dryRun")
        if any(value != "All" for value in dry_run):
            raise BadRequest(f'invalid dry-run option: {dry_run}: supported values: "All"')
        validation = self.query.get("fieldValidation") or "Warn"
        if validation not in ("Strict", "Warn", "Ignore"):
            raise BadRequest(
                f'fieldValidation: Unsupported value: "{validation}": supported values: "Ignore", "Strict", "Warn"'
            )
        manager = self.query.get("fieldManager")
        if len(manager) > 128:
            raise BadRequest("fieldManager: Too long: may not be more than 128 bytes")
        default = self.user_agent.partition("/")[0][:128] or "unknown"
        return WriteOptions(bool(dry_run), manager or default, validation, self.query.flag("force"))
