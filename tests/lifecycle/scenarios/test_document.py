"""The published page is the tables, and nothing of the origins' lists is forgotten."""

from tests.e2e.demo.platform import ROOT
from tests.lifecycle.scenarios import document, rows
from tests.lifecycle.scenarios.table import FLUX

FOLDERS = {
    "charts", "crds-upgrade", "delete-ns", "dependencies", "impersonation", "install-create-target-ns", "install-fail",
    "install-fail-remediate", "install-fail-retry", "install-from-hc-source", "install-from-ocirepo-source",
    "install-test-fail", "install-test-fail-ignore", "job-ttl", "podinfo", "post-renderer-kustomize",
    "server-side-apply", "sources", "status-defaults", "targetnamespace", "upgrade-chart-name-change", "upgrade-fail",
    "upgrade-fail-remediate", "upgrade-fail-remediate-uninstall", "upgrade-fail-retry", "upgrade-from-ocirepo-source",
    "upgrade-test-fail", "valuesfrom",
}  # fmt: skip
"""Of config/testdata in helm-controller, 2025-11."""


def test_every_folder_of_flux_has_its_row() -> None:
    assert len(FOLDERS) == 28
    assert {row.place for row in rows(FLUX)} == FOLDERS


def test_the_published_page_is_the_tables() -> None:
    page = ROOT / "docs" / "reference" / "lifecycle-scenarios.md"
    assert page.read_text() == document.page(), "run `make docs` and commit the page"
