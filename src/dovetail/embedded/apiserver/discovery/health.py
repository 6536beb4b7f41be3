"""/healthz, /livez and /readyz: named checks, in the line format of kube-apiserver.

A check is a function that gives "" when all is well, or the problem. The problem is shown to those only who may ask
for the single check; the sum says ``reason withheld``, because everybody may ask for it.
"""

from __future__ import annotations

from collections.abc import Callable

from ..requests import Query
from ..verbs.answer import Answer

Check = Callable[[], str]

_TEXT = "text/plain; charset=utf-8"


class Health:
    """``stopping`` is set when the server begins to shut down: it is then alive, but no longer ready."""

    def __init__(self) -> None:
        self.stopping = False
        self._checks: dict[str, Check] = {"ping": _well, "log": _well, "etcd": _well}

    def add(self, name: str, check: Check) -> None:
        """Check more, or something of this name in another way. ``etcd`` is the storage, whatever it is."""
        self._checks[name] = check

    def paths(self) -> list[str]:
        """Every path that ``answer`` knows."""
        return [path for name in _ENDPOINTS for path in (f"/{name}", *(f"/{name}/{c}" for c in self._of(name)))]

    def answer(self, path: str, query: Query) -> Answer | None:
        """The answer below /healthz, /livez or /readyz; None for a check that does not exist."""
        name, _, single = path.strip("/").partition("/")
        checks = self._of(name)
        if not single:
            return _sum(name, checks, query)
        if single not in checks:
            return None
        problem = checks[single]()
        if problem:
            return Answer(f"internal server error: {problem}\n".encode(), 500, _TEXT)
        return Answer(b"ok", content_type=_TEXT)

    def _of(self, name: str) -> dict[str, Check]:
        if name != "readyz":
            return self._checks
        return {**self._checks, "etcd-readiness": self._checks["etcd"], "shutdown": self._shutdown}

    def _shutdown(self) -> str:
        return "process is shutting down" if self.stopping else ""


_ENDPOINTS = ("healthz", "livez", "readyz")


def _well() -> str:
    return ""


def _sum(name: str, checks: dict[str, Check], query: Query) -> Answer:
    excluded = set(query.all("exclude"))
    lines: list[str] = []
    failed = False
    for check, run in checks.items():
        if check in excluded:
            lines.append(f"[+]{check} excluded: ok")
        elif run():
            failed = True
            lines.append(f"[-]{check} failed: reason withheld")
        else:
            lines.append(f"[+]{check} ok")
    if unknown := sorted(excluded - set(checks)):
        quoted = ",".join(f'"{check}"' for check in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    if failed:
        return Answer("\n".join([*lines, f"{name} check failed\n"]).encode(), 500, _TEXT)
    if not query.has("verbose"):
        return Answer(b"ok", content_type=_TEXT)
    return Answer("\n".join([*lines, f"{name} check passed\n"]).encode(), content_type=_TEXT)
