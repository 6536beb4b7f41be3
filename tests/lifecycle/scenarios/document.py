"""The tables as a page for the users."""

from collections.abc import Iterator

from tests.lifecycle.scenarios import rows
from tests.lifecycle.scenarios.table import FLUX, OLM, PLACES, Row

_HEAD = """# Scenarios of the extension lifecycle

Generated from the tables in `tests/lifecycle/scenarios`; each row is run in CI on the real Helm SDK and a real
Kubernetes API. The situations are those by which two other systems prove themselves, told anew for Dovetail: where we
do otherwise, the row says so. After each row the plan is deleted, and it goes.
"""
_PARTS = {
    FLUX: f"The scenario folders of [Flux's helm-controller]({PLACES[FLUX]}).",
    OLM: f"The resolution, upgrade and recovery scenarios of [OLM v1]({PLACES[OLM]}) that apply.",
}
_COLUMNS = "| Scenario | What Dovetail does | Otherwise than there |\n| --- | --- | --- |\n"
_TITLES = {FLUX: "Flux", OLM: "OLM v1"}
_LEFT_OUT = """
## Left out

What those systems have and Dovetail has not, so that nothing can be asserted:

| Scenario | Why |
| --- | --- |
| OLM v1 `revision`: phases with probes, objects in Secrets | Helm's hooks and tests are the gates of a release |
| OLM v1 `install`: webhooks of an operator | they are answered by pods; the tests have no node |
| OLM v1 `status`, `user-managed-fields` (rollout restart): readiness of workloads | the same |
| OLM v1 `metrics`, `proxy`, `tls`, `ha`, `vap-access-control` | about OLM's own processes |
| Flux `server-side-apply`: install, no-ssa and the changes between them | there is one way to apply |
"""


def page() -> str:
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    for origin, text in _PARTS.items():
        yield f"\n## {_TITLES[origin]}\n\n{text}\n\n{_COLUMNS}"
        yield from (f"| {_link(row)} | {_cell(row.says)} | {_cell(row.differs)} |\n" for row in rows(origin))
    yield _LEFT_OUT


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _link(row: Row) -> str:
    return f"[{_cell(row.scenario)}]({row.address})"
