"""The admission plugin: the last of all, so that nothing is charged for what another plugin refuses."""

from __future__ import annotations

from ...plugin import CREATE, UPDATE, Attributes, Plugin
from . import ledger


class ResourceQuota(Plugin):
    def validate(self, attributes: Attributes) -> None:
        if attributes.operation in (CREATE, UPDATE):
            ledger.charge(attributes)
