"""What an admission plugin sees and may do.

Model, as in kube-apiserver: a write is authorized, decoded and defaulted; then every plugin may change the object
(``mutate``); then mutating webhooks may; then the kind's own rules prepare and validate it; then validating webhooks
and every plugin may refuse it (``validate``), the plugins in the same tick as the write, so that what one counted (a
quota) cannot change between its answer and the write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..access.identity import User
from ..registry.resource import ResourceType

if TYPE_CHECKING:
    from ..verbs.call import Api

Object = dict[str, Any]

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


@dataclass(slots=True)
class Attributes:
    """One write. ``obj`` is None for a deletion, ``old`` for a creation; a plugin changes ``obj`` in place in
    ``mutate`` only. ``options`` is the wire form of CreateOptions, UpdateOptions or DeleteOptions. ``kind`` (group,
    version, kind) is that of ``obj`` where it is not the resource's own (a Scale, an Eviction). ``reread`` gives an
    object that a webhook changed its proper shape again.
    """

    api: Api
    operation: str
    resource: ResourceType
    subresource: str
    namespace: str
    name: str
    obj: Object | None
    old: Object | None
    user: User
    dry_run: bool = False
    options: Object = field(default_factory=dict[str, Any])
    warnings: list[str] = field(default_factory=list[str])
    kind: tuple[str, str, str] | None = None
    reread: Callable[[Object], Object] | None = None

    @property
    def is_new_pod(self) -> bool:
        return self.operation == CREATE and self.resource.store == "/pods" and not self.subresource

    def set_object(self, obj: Object) -> None:
        """Replace the object's content; it stays the same object to whoever holds it."""
        assert self.obj is not None
        self.obj.clear()
        self.obj.update(obj)


class Plugin:
    """A built-in plugin. The defaults admit everything unchanged."""

    async def wait(self, attributes: Attributes) -> None:
        """Before a creation is looked at: wait for what is on its way (the account of a new namespace)."""

    def mutate(self, attributes: Attributes) -> None:
        """Change ``attributes.obj`` in place; may raise StatusError."""

    def validate(self, attributes: Attributes) -> None:
        """Raise StatusError (Forbidden, usually) to refuse the write. Nothing is awaited until the write is made."""
