"""What an admission plugin sees and may do.

Model, as in kube-apiserver: a write is authorized, decoded and defaulted; then every plugin may change the object
(``mutate``); then the kind's own rules prepare and validate it; then every plugin may refuse it (``validate``), in the
same tick as the write, so that what a plugin counted (a quota) cannot change between its answer and the write.
"""

from __future__ import annotations

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
    ``mutate`` only. ``options`` is the wire form of CreateOptions, UpdateOptions, PatchOptions or DeleteOptions.
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


class Plugin:
    """A built-in plugin. The defaults admit everything unchanged."""

    def mutate(self, attributes: Attributes) -> None:
        """Change ``attributes.obj`` in place; may raise StatusError."""

    def validate(self, attributes: Attributes) -> None:
        """Raise StatusError (Forbidden, usually) to refuse the write. Nothing is awaited until the write is made."""
