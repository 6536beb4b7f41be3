"""The short form of the soak: mixed load with failing backends and moving routes, every answer checked, nothing that
grows. The long form is `python bench/soak_gateway.py`."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(120)  # a busy machine takes a while to start and to end so many clients
async def test_a_soak_of_seconds() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "bench/soak_gateway.py", "--seconds", "10", "--clients", "12", cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(100):
            told = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, told
    figures = json.loads(told.splitlines()[-1])
    assert figures["wrong"] == 0
    assert figures["requests"] > 100
    for kind in ("plain 200", "up 200", "chunks 200", "garbage 502", "reset 502", "down 502", "hang 504", "tunnel"):
        assert kind in told, f"the load had no {kind}"
