"""Helm's part of an operation: the release with its hooks and tests, and what their pods wrote.

Whatever comes of it, the logs are kept; a failure is told with the last lines of the hook that it is about.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from dovetail.apis import labels
from dovetail.helm import Deploy, Progress, Rollback, RunTests, Uninstall
from dovetail.kube import Client, KubeError
from dovetail.lifecycle import hook_logs, steps
from dovetail.lifecycle.errors import DeployFailed, TestsFailed
from dovetail.lifecycle.facts import HOPELESS
from dovetail.lifecycle.helm_calls import HelmCalls, OnProgress, was_late
from dovetail.lifecycle.hook_logs import HookLogs
from dovetail.lifecycle.release_tests import TestedReleases
from dovetail.lifecycle.steps import Report

_log = logging.getLogger(__name__)
_ON_TOP: Final = 30.0
_LONGEST: Final = 3500.0
"""The reconciliation that carries an operation ends soon after."""


@dataclass(frozen=True)
class Outcome:
    """How a deployment ended that went well. `notes` are things that a user should know all the same."""

    tested: Literal["", "Passed", "Failed"] = ""
    message: str = ""
    logs: str = ""
    """ConfigMap in the system's namespace with what hooks and tests have written."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One operation of Helm's. `hooks` is how many of them run, each of which may take the operation's timeout."""

    extension: str
    what: str
    """In words, for whom reads the logs later."""
    operation: Deploy | Rollback | Uninstall
    course: steps.Following
    hooks: int = 1
    secrets: frozenset[str] = frozenset()
    """What no log may show."""

    @property
    def namespace(self) -> str:
        return self.operation.connection.namespace


@dataclass(frozen=True)
class TestRun:
    """The tests after it. `target` marks the release as what was wanted."""

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    count: int
    must_pass: bool
    target: str


class Releasing:
    """Carries out Helm's operations as an extension's account."""

    def __init__(self, client: Client, helm: HelmCalls) -> None:
        self._client = client
        self._helm = helm
        self._tested = TestedReleases(client)

    async def run(self, job: Job, interrupt: asyncio.Event, report: Report, tests: TestRun | None = None) -> Outcome:
        """The operation, then the tests. Raises DeployFailed, TestsFailed, Interrupted, KubeError, HelmError."""
        limit = _limit(job.operation.timeout, job.hooks + 1)
        async with hook_logs.following(self._client, job.namespace, job.secrets) as logs:
            try:
                await self._helm.call(job.operation, interrupt, _reporting(job.course, report, logs), limit)
            except DeployFailed as error:
                raise await self._explained(error, job, logs) from error
            outcome = Outcome() if tests is None else await self._test(job, tests, interrupt, report, logs)
            kept = await self._keep(job, await logs.logs())
        return replace(outcome, logs=kept)

    async def _test(
        self, job: Job, tests: TestRun, interrupt: asyncio.Event, report: Report, logs: HookLogs
    ) -> Outcome:
        report(steps.TESTING)
        connection, release, timeout = job.operation.connection, job.operation.release, job.operation.timeout
        asked = RunTests(release=release, connection=connection, timeout=timeout)
        outcome = Outcome("Passed", f"{tests.count} test{'s' if tests.count > 1 else ''} passed")
        tell = _reporting(steps.Tests(tests.count), report, logs)
        try:
            await self._helm.call(asked, interrupt, tell, _limit(timeout, tests.count))
        except DeployFailed as error:
            told = await self._explained(error, job, logs)
            if tests.must_pass:
                await self._tested.fail(job.namespace, release, error)
                raise TestsFailed(str(told)) from error
            outcome = Outcome("Failed", str(told))
        await self._tested.mark(job.namespace, release, tests.target)
        return outcome

    async def _explained(self, error: DeployFailed, job: Job, logs: HookLogs) -> DeployFailed:
        """The failure with the last lines of the hook that it is about, and where all of it is."""
        written, (kind, name) = await logs.logs(), logs.last
        kept = await self._keep(job, written)
        words = [str(error)]
        if was_late(error) and name:
            words.insert(0, f"{kind} {name} did not end within {job.operation.timeout} s")
        if name and name in words[0] and (tail := hook_logs.tail_of(written, kind, name)):
            words.append(f"the last lines of {kind} {name}: {tail}")
        if kept:
            words.append(f"its log is in ConfigMap {labels.SYSTEM_NAMESPACE}/{kept}")
        return DeployFailed("; ".join(words), hopeless=error.patience == HOPELESS)

    async def _keep(self, job: Job, logs: Sequence[hook_logs.Log]) -> str:
        """Where the logs are; a log that cannot be kept fails nothing."""
        try:
            return await hook_logs.keep(self._client, job.extension, job.what, logs)
        except KubeError as error:
            _log.warning("logs of the hooks of %s are not kept: %s", job.extension, error)
            return ""


def _limit(timeout: int, times: int) -> float:
    return min(timeout * times + _ON_TOP, _LONGEST)


def _reporting(course: steps.Following, report: Report, logs: HookLogs) -> OnProgress:
    def tell(told: Progress) -> None:
        logs.notice(told)
        step = course.step(told)
        if step is not None:
            report(step)

    return tell
