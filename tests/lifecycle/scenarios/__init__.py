"""Scenarios that other systems prove themselves by, told anew for ours: one row a scenario, with its origin.

The origins are public and under Apache-2.0: the scenario folders of Flux's helm-controller (`config/testdata`) and the
features of OLM v1 (operator-controller, `test/e2e/features`). Nothing of theirs is copied; a row takes the situation
and says what we do in it, also where that differs. Every row runs on the real Helm SDK and a real API.
"""

from importlib import import_module

from tests.lifecycle.scenarios.table import ROWS, Row

_MODULES = (
    "flux_installs", "flux_sources", "flux_upgrades", "flux_objects", "olm_resolution", "olm_upgrades", "olm_recovery",
)  # fmt: skip


def rows(origin: str = "") -> list[Row]:
    """The whole table, or one origin's part, in the order of the page."""
    for module in _MODULES:
        import_module(f"{__name__}.{module}")
    return [row for row in ROWS if not origin or row.origin == origin]
