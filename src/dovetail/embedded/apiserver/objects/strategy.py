"""The hooks through which single kinds add their own rules to create and update.

A strategy is found by ``group/plural`` (see ``strategies``). The defaults do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..access.identity import User
from ..fielderrors import FieldError
from ..registry.resource import ResourceType

if TYPE_CHECKING:
    from ..verbs.call import Api

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """The write that a strategy takes part in. ``subresource`` is ``status``, ``scale``, ... or "" for the object."""

    api: Api
    resource: ResourceType
    user: User
    namespace: str
    dry_run: bool = False
    subresource: str = ""


class Strategy:
    """``keeps_status``: the main endpoint may write the status, too."""

    keeps_status = False

    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        """Change ``obj`` in place before validation; may raise StatusError."""

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        del context, obj, old
        return []

    def warnings(self, context: Context, obj: Object, old: Object | None) -> list[str]:
        """Texts of Warning headers for a write that is valid."""
        del context, obj, old
        return []

    def stored(self, api: Api, obj: Object) -> None:
        """After the write was made (it is not committed yet)."""

    def removed(self, api: Api, obj: Object) -> None:
        """After the object was taken out (it is not committed yet)."""
