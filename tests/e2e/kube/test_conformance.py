"""Every row of the table holds; the published page is the table."""

import pytest

from tests.e2e.demo.platform import ROOT
from tests.e2e.kube import document, rows
from tests.e2e.kube.cluster import Cluster
from tests.e2e.kube.table import Row


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.id)
def test_row(row: Row, cluster: Cluster) -> None:
    row.check(cluster)


def test_the_published_page_is_the_table() -> None:
    page = ROOT / "docs" / "reference" / "kubernetes-compatibility.md"
    assert page.read_text() == document.page(), "run `make docs` and commit the page"
