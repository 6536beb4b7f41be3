"""A process of the simulation: what a kill takes away, and what each process sees differently.

Whatever runs in a process's context knows it by `PROCESS`. A killed one is cut off from everything shared at once (API,
Helm, repositories), as if by SIGKILL; its tasks are cancelled only to be rid of them.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Process:
    """`skew` is what its wall clock is off by, in seconds; `crash_at` the write at which it will be killed."""

    name: str
    skew: float = 0.0
    dead: bool = False
    ready: bool = False
    writes: int = 0
    crash_at: int | None = None
    crash_after: bool = False
    """Killed after the write took effect, not before."""
    cut_until: float = 0.0
    """No connection to the API until then."""
    frozen_until: float = 0.0
    """What it sends before is sent then."""
    task: "asyncio.Task[Any] | None" = None
    helms: list[Any] = field(default_factory=list[Any])
    entered: set[str] = field(default_factory=set[str])
    """For mutants: what only this process's memory knows."""


PROCESS: ContextVar[Process] = ContextVar("PROCESS")
