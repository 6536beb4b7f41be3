"""Who was let in and is not counted yet: what makes a workspace's quota exact across its namespaces. Pure.

A namespace's share alone is exact for that namespace; two of them can be filled in the same moment. So every creation
in a limited workspace is asked about here, one after the other, as long as the platform can be reached: it is let in if
it fits beside what the cluster has counted *and* what was let in and has not been counted. When the count of a
namespace grows, what was let in there is settled by as much. What never arrives (another admission refused it) is
forgotten after `FORGOTTEN` seconds; until then it can only make a refusal too many, never too few.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from dovetail.iam.tenancy.quotas import Standing

FORGOTTEN: Final = 3.0
"""Seconds after which what was let in must have been written; the API server gives a request less."""

Amounts = Mapping[str, Decimal]
_ZERO: Final = Decimal(0)


class Ledger:
    """For one process; its quotas are told apart by name."""

    def __init__(self) -> None:
        self._owed: dict[str, dict[str, dict[str, Decimal]]] = {}
        self._latest: dict[tuple[str, str], float] = {}

    def exceeded(self, quota: str, namespace: str, stands: Standing, asked: Amounts, now: float) -> list[str]:
        """The resources of which there is not enough left for `asked`. None: it is let in, and owed from now on."""
        taken = self.taken(quota, stands, now)
        wanted = {name: value for name, value in asked.items() if name in stands.hard and value}
        lacking = [name for name, value in wanted.items() if taken[name] + value > stands.hard[name]]
        if not lacking and wanted:
            owed = self._owed.setdefault(quota, {}).setdefault(namespace, {})
            for name, value in wanted.items():
                owed[name] = owed.get(name, _ZERO) + value
            self._latest[quota, namespace] = now
        return sorted(lacking)

    def counted(self, quota: str, namespace: str, before: Amounts, after: Amounts) -> None:
        """The cluster has counted: what has grown is owed no more."""
        owed = self._owed.get(quota, {}).get(namespace)
        for name in list(owed or ()):
            assert owed is not None
            owed[name] -= min(owed[name], max(_ZERO, after.get(name, _ZERO) - before.get(name, _ZERO)))
            if not owed[name]:
                del owed[name]

    def taken(self, quota: str, stands: Standing, now: float) -> dict[str, Decimal]:
        """What is counted and what is owed, together."""
        total = {name: stands.used.get(name, _ZERO) for name in stands.hard}
        for namespace, owed in list(self._owed.get(quota, {}).items()):
            if now - self._latest[quota, namespace] > FORGOTTEN:
                del self._owed[quota][namespace]
                continue
            for name, value in owed.items():
                if name in total:
                    total[name] += value
        return total
