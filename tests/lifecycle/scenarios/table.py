"""Rows of the scenario tables, collected by the decorators as the modules are imported."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.lifecycle.scenarios.stage import Stage

Check = Callable[[Stage], Awaitable[None]]
FLUX = "flux"
OLM = "olm"
PLACES = {
    FLUX: "https://github.com/fluxcd/helm-controller/tree/main/config/testdata/",
    OLM: "https://github.com/operator-framework/operator-controller/blob/main/test/e2e/features/",
}


@dataclass(frozen=True)
class Row:
    """One scenario. `place` is the folder or file of its origin, `scenario` its name there; `differs`: what we do."""

    origin: str
    place: str
    scenario: str
    says: str
    differs: str
    check: Check

    @property
    def id(self) -> str:
        return self.check.__name__.replace("_", "-")

    @property
    def address(self) -> str:
        return PLACES[self.origin] + self.place


ROWS: list[Row] = []


def flux(place: str, says: str, differs: str = "", scenario: str = "") -> Callable[[Check], Check]:
    """A row from a folder of Flux's helm-controller."""
    return _row(FLUX, place, scenario or place, says, differs)


def olm(place: str, scenario: str, says: str, differs: str = "") -> Callable[[Check], Check]:
    """A row from a feature of OLM v1."""
    return _row(OLM, f"{place}.feature", scenario, says, differs)


def _row(origin: str, place: str, scenario: str, says: str, differs: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        found = Row(origin, place, scenario, says, differs, check)
        assert all(other.id != found.id for other in ROWS), found.id
        ROWS.append(found)
        return check

    return add
