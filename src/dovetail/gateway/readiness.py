"""Whether the whole gateway is ready: named checks, told as Kubernetes tells its own (/readyz, ?verbose, ?exclude=).

`Readiness` looks at the parts twice a second, because some faults only count when they last: workers that lag behind
the latest snapshot, a cluster that does not answer. `answer` is pure. A worker answers /livez and /healthz itself;
/readyz comes here, so that it is also not ready when control is not there.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from dovetail.gateway.figures import Figure, gauge
from dovetail.kube import Client, KubeError

_STEP: Final = 0.5
_LAG_SECONDS: Final = 2.0
_CLUSTER_SECONDS: Final = 5.0
_CLUSTER_TIMEOUT: Final = 3.0
_CLUSTER_FAILURES: Final = 2


class Check(msgspec.Struct, frozen=True):
    """One of them: its name, and what is wrong; empty when all is well."""

    name: str
    problem: str = ""


def answer(checks: Iterable[Check], *, verbose: bool, excluded: Sequence[str] = ()) -> tuple[int, str]:
    """The status and the text of an answer to /readyz."""
    lines: list[str] = []
    failed = False
    for check in checks:
        if check.name in excluded:
            lines.append(f"[+]{check.name} excluded: ok")
        elif check.problem:
            failed = True
            lines.append(f"[-]{check.name} failed: {check.problem}")
        else:
            lines.append(f"[+]{check.name} ok")
    if failed:
        return 503, "\n".join([*lines, "readyz check failed"]) + "\n"
    return 200, "\n".join([*lines, "readyz check passed"]) + "\n" if verbose else "ok"


def workers_problem(generation: int, serving: Sequence[int], lagging_since: float | None, now: float) -> str:
    """What is wrong with the workers; a short lag is not, since every change begins with one."""
    if not serving:
        return "no worker is connected"
    behind = [served for served in serving if served != generation]
    if behind and lagging_since is not None and now - lagging_since > _LAG_SECONDS:
        return f"{len(behind)} of {len(serving)} workers serve an older snapshot than {generation}"
    return ""


class Readiness:
    """The checks of one control process. `run` looks until cancelled."""

    def __init__(
        self, client: Client, *, unsynced: Callable[[], Sequence[str]], generation: Callable[[], int],
        serving: Callable[[], Sequence[int]],
    ) -> None:  # fmt: skip
        self._client = client
        self._unsynced = unsynced
        self._generation = generation
        self._serving = serving
        self._lagging_since: float | None = None
        self._cluster_failures = 0
        self._cluster_problem = ""

    def checks(self) -> tuple[Check, ...]:
        """As it stands now."""
        now = asyncio.get_running_loop().time()
        unsynced, generation = self._unsynced(), self._generation()
        failing = self._cluster_failures >= _CLUSTER_FAILURES
        return (
            Check("ping"),
            Check("informer-sync", f"{len(unsynced)} caches are not filled yet: {unsynced[0]}" if unsynced else ""),
            Check("cluster", self._cluster_problem if failing else ""),
            Check("snapshot", "" if generation else "nothing has been compiled yet"),
            Check("workers", workers_problem(generation, self._serving(), self._lagging_since, now)),
        )

    def figures(self) -> Iterator[Figure]:
        """The same for Prometheus."""
        for check in self.checks():
            yield gauge("dovetail_readiness_check", 0 if check.problem else 1, check=check.name)
        yield gauge("dovetail_control_snapshot_generation", self._generation())
        yield gauge("dovetail_control_workers", len(self._serving()))

    async def run(self) -> None:
        """Look at what takes time to judge."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_at_workers(), name="readiness of the workers")
            group.create_task(self._look_at_cluster(), name="readiness of the cluster")

    async def _look_at_workers(self) -> None:
        while True:
            in_step = set(self._serving()) <= {self._generation()}
            if in_step:
                self._lagging_since = None
            elif self._lagging_since is None:
                self._lagging_since = asyncio.get_running_loop().time()
            await asyncio.sleep(_STEP)

    async def _look_at_cluster(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_CLUSTER_TIMEOUT):
                    status = (await self._client.request("GET", "/version")).status
                problem = f"it answers {status}" if status >= 500 else ""
            except (KubeError, TimeoutError) as error:
                problem = str(error) or "no answer in time"
            self._cluster_failures = self._cluster_failures + 1 if problem else 0
            self._cluster_problem = f"the cluster does not serve: {problem}"
            await asyncio.sleep(_STEP if self._cluster_failures else _CLUSTER_SECONDS)
