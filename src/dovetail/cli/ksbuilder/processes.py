"""Processes that a command starts, each a session of its own, and that are gone when it is.

What they print goes to stderr: stdout is the command's.
"""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path


async def start(*command: str, cwd: Path) -> asyncio.subprocess.Process:
    """Start a program that is to be ended with `end`."""
    return await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr, start_new_session=True
    )


async def run(*command: str, cwd: Path) -> int:
    """Run a program to its end; its exit code."""
    process = await start(*command, cwd=cwd)
    try:
        return await process.wait()
    finally:
        await end(process)


async def end(process: asyncio.subprocess.Process | None, *, patience: float = 5.0, leads: bool = False) -> None:
    """End a process and its children, after `patience` seconds by force. One that `leads` ends its children itself."""
    if process is None or process.returncode is not None:
        return
    try:
        if leads:
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGTERM)
        async with asyncio.timeout(patience):
            await process.wait()
    except ProcessLookupError:
        await process.wait()
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if not isinstance(error, TimeoutError):
            raise
        await process.wait()
