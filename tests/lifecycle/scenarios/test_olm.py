"""Every row from OLM v1, on one platform."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dovetail.kube import Client
from tests.conftest import KubeApi
from tests.lifecycle.scenarios import rows
from tests.lifecycle.scenarios.stage import Stage, platform
from tests.lifecycle.scenarios.table import OLM, Row


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(platform_crds: KubeApi) -> AsyncIterator[Client]:
    async with platform(platform_crds) as found:
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", rows(OLM), ids=lambda row: row.id)
async def test_row(row: Row, client: Client) -> None:
    stage = Stage(client, f"olm-{row.id}"[:44].rstrip("-"))
    await row.check(stage)
    await stage.leave()
