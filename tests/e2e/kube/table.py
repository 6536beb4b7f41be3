"""Rows of the conformance table, collected by the decorators as the modules are imported."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Check = Callable[..., Any]
DOCS = "https://kubernetes.io/docs/"


@dataclass(frozen=True)
class Row:
    """One behaviour. `source` is its place in the Kubernetes documentation; `supported` False: how it is refused."""

    area: str
    says: str
    client: str
    source: str
    check: Check
    supported: bool = True

    @property
    def id(self) -> str:
        return f"{self.area}-{self.check.__name__}".replace(" ", "-")


ROWS: list[Row] = []


def row(area: str, says: str, client: str, source: str, supported: bool = True) -> Callable[[Check], Check]:
    """Put a check into the table. `source` is relative to kubernetes.io/docs, or an address."""

    def add(check: Check) -> Check:
        address = source if source.startswith("https://") else DOCS + source
        found = Row(area, says, client, address, check, supported)
        assert all(other.id != found.id for other in ROWS), found.id
        ROWS.append(found)
        return check

    return add
