"""A client of the shared `dovetail kube`, whose controllers these tests watch at work."""

from collections.abc import AsyncIterator

import pytest

from dovetail.kube import Client
from tests.conftest import KubeApi


@pytest.fixture
async def client(kube_api: KubeApi) -> AsyncIterator[Client]:
    async with kube_api.client() as opened:
        yield opened
