"""The data plane under test runs on the loop it is made for."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from tests.gateway_proxy.backend import RUNNING


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """uvloop, as in production: its transports differ from asyncio's where it matters here."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
async def _backends() -> AsyncIterator[None]:
    """Stop the backends that a test has started, also when it failed."""
    yield
    while RUNNING:
        await RUNNING.pop().stop()
