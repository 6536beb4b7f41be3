"""A platform of a test's own: `dovetail up` on data that is gone afterwards, on ports that nobody else has."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dovetail.cli.ksbuilder import processes
from dovetail.cli.ksbuilder.errors import DevelopmentFailed

_PATIENCE: Final = 120.0


@dataclass(frozen=True, slots=True)
class Platform:
    """Where it is, and who may do everything there."""

    url: str
    user: str
    password: str
    kubeconfig: Path


@asynccontextmanager
async def fresh_platform() -> AsyncGenerator[Platform]:
    """Start it, and end it. Raises DevelopmentFailed with what it said."""
    with tempfile.TemporaryDirectory(prefix="ksbuilder-test-", ignore_cleanup_errors=True) as folder:
        async with _platform_in(Path(folder)) as platform:
            yield platform


@asynccontextmanager
async def _platform_in(folder: Path) -> AsyncGenerator[Platform]:
    command = ("-m", "dovetail.cli.dovetail", "up", "--data-dir", str(folder / "data"), "--output", "json")
    ports = ("--port", "0", "--kube-port", "0", "--workers", "1")
    with (folder / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, *ports, stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True
        )
    try:
        assert process.stdout is not None
        line = b""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                line = await process.stdout.readline()
        if not line:
            said = (folder / "up.log").read_text(errors="replace").strip().split("\n")[-1]
            raise DevelopmentFailed(f"the platform did not start: {said}", "Try `dovetail up`")
        facts: dict[str, Any] = json.loads(line)
        yield Platform(facts["console"], facts["user"], facts["password"], Path(facts["kubeconfig"]))
    finally:
        await processes.end(process, patience=30, leads=True)
