"""What the demo prints: a line a step with its duration, and one JSON object at the end."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """The steps so far and what was measured."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; a failure is recorded and ends the demo."""
        begun = time.monotonic()
        try:
            yield
        except BaseException as error:
            self._add(name, time.monotonic() - begun, str(error) or type(error).__name__)
            raise
        self._add(name, time.monotonic() - begun, None)

    def skip(self, name: str, reason: str) -> None:
        """Say that a step was not taken and why."""
        self.steps.append({"name": name, "skipped": reason})
        print(f"  -- {name}: {reason}", flush=True)

    def note(self, **facts: Any) -> None:
        """Keep a measurement."""
        self.facts.update(facts)

    def _add(self, name: str, seconds: float, error: str | None) -> None:
        self.steps.append({"name": name, "seconds": round(seconds, 3), "ok": error is None})
        print(f"  {'ok' if error is None else 'FAILED'}  {seconds:6.2f} s  {name}", flush=True)
        if error is not None:
            print(f"      {error}", file=sys.stderr, flush=True)

    @property
    def ok(self) -> bool:
        return bool(self.steps) and all(step.get("ok", True) for step in self.steps)

    def print(self) -> None:
        """The measurements for people, then the one line for scripts."""
        memory: dict[str, float] = self.facts.get("rss_by_process_mib", {})
        for name, mib in memory.items():
            print(f"  {name:<28} {mib:7.1f} MiB")
        print(f"  {'rss_with_helm_mib':<28} {self.facts.get('rss_with_helm_mib')}   (while the Helm worker is there)")
        for key, goal in (("start_s", "<= 3 s"), ("install_s", "<= 1 s"), ("rss_mib", "<= 400 MiB")):
            print(f"  {key:<28} {self.facts.get(key)}   (goal {goal})")
        print(json.dumps({"ok": self.ok, "steps": self.steps, **self.facts}))
