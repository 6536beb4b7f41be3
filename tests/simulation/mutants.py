"""The hazards H1-H8 of the published platform (reference/peers.md 2.1), planted into ours: each must be found.

A mutant changes the running code, never a file, and is planted in a process of its own. What each does is what the
hazard says; the simulation does not know of them.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from tests.simulation.processes import PROCESS

BOUND: Final = 400
"""Seeds within which each has to be found."""


def h1_transition_dropped_if_older() -> None:
    """A transition is dropped if its time is before the last one's: a clock that goes back wedges."""
    from dovetail.kube.timestamps import rfc3339
    from dovetail.lifecycle import progress

    entered = progress._in_state

    def mutated(status: Mapping[str, Any], state: str, now: datetime) -> dict[str, Any]:
        history = status.get("stateHistory") or []
        if history and rfc3339(now) < history[-1]["lastTransitionTime"]:
            return dict(status)
        return entered(status, state, now)

    progress._in_state = mutated


def h2_preparing_persisted_before_the_work_exists() -> None:
    """Preparing is written first; a crash in between, and its successor waits for work that nobody does."""
    from dovetail.lifecycle import planner, states
    from dovetail.lifecycle.plans import PlanReconciler

    enter, decide = PlanReconciler._enter, planner.decide

    async def entering(self: Any, seen: Any, *arguments: Any) -> None:
        PROCESS.get().entered.add(seen.plan.name)
        await enter(self, seen, *arguments)

    def mutated(plan: Any, world: Any) -> Any:
        action = decide(plan, world)
        begun = plan.recorded.state == states.PREPARING and plan.name not in PROCESS.get().entered
        return planner.Idle() if begun and isinstance(action, planner.Deploy) else action

    PlanReconciler._enter = entering
    planner.decide = mutated


def h3_release_absent_stays_installing() -> None:
    """The job is gone and there is no release: it stays Installing."""
    from dovetail.lifecycle import planner, states

    decide = planner.decide

    def mutated(plan: Any, world: Any) -> Any:
        action = decide(plan, world)
        begun = plan.recorded.state in (states.INSTALLING, states.UPGRADING) and world.release is None
        return planner.Idle() if begun and isinstance(action, planner.Deploy) else action

    planner.decide = mutated


def h4_error_swallowed_version_dropped_and_removed() -> None:
    """The error of a package that could not be fetched is swallowed, its version dropped, and so removed."""
    from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
    from dovetail.kube import NotFound
    from dovetail.lifecycle.carrying_out import Publisher

    carry_out = Publisher.carry_out

    async def mutated(self: Any, job: Any, plan: Any, refused: Any) -> Any:
        everything = replace(plan, fetch=(*plan.fetch, *plan.unchanged), unchanged=())
        done = await carry_out(self, job, everything, refused)
        for failure in done.failures:
            with contextlib.suppress(NotFound):
                await self._client.delete(EXTENSIONVERSIONS, f"{failure.extension}-{failure.version}")
        return replace(done, failures=())

    Publisher.carry_out = mutated


def h5_missing_version_returns_before_the_deletion() -> None:
    """A missing ExtensionVersion returns before the deletion is looked at: the plan cannot be deleted."""
    from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
    from dovetail.kube import NotFound
    from dovetail.lifecycle.observing import Observer

    look = Observer.look

    async def mutated(self: Any, name: str) -> Any:
        seen = await look(self, name)
        if seen is None or not seen.plan.deleting:
            return seen
        wanted = seen.obj["spec"]["extension"]
        try:
            await self._client.get(EXTENSIONVERSIONS, f"{wanted['name']}-{wanted['version']}")
        except NotFound:
            return None
        return seen

    Observer.look = mutated


def h6_uninstall_failed_is_never_retried() -> None:
    """UninstallFailed is the end."""
    from dovetail.lifecycle import planner, states

    decide = planner.decide

    def mutated(plan: Any, world: Any) -> Any:
        given_up = plan.deleting and plan.recorded.state == states.UNINSTALL_FAILED and not plan.force_delete
        return planner.Idle() if given_up else decide(plan, world)

    planner.decide = mutated


def h7_unreachable_member_blocks_the_uninstall() -> None:
    """A member cluster that does not answer counts as one whose agents are still being removed."""
    from dovetail.lifecycle import slices

    slices.left_behind = lambda status: {}


def h8_version_told_before_success() -> None:
    """`status.version` is the target before it is in force: a failed upgrade looks installed."""
    from dovetail.lifecycle import bookkeeping, states

    entered = bookkeeping.entered

    def mutated(seen: Any, state: str, *arguments: Any) -> dict[str, Any]:
        status = entered(seen, state, *arguments)
        return {**status, "version": seen.plan.desired.version} if state in states.WORKING else status

    bookkeeping.entered = mutated


MUTANTS: Final[dict[str, Callable[[], None]]] = {
    "H1": h1_transition_dropped_if_older,
    "H2": h2_preparing_persisted_before_the_work_exists,
    "H3": h3_release_absent_stays_installing,
    "H4": h4_error_swallowed_version_dropped_and_removed,
    "H5": h5_missing_version_returns_before_the_deletion,
    "H6": h6_uninstall_failed_is_never_retried,
    "H7": h7_unreachable_member_blocks_the_uninstall,
    "H8": h8_version_told_before_success,
}


def plant(name: str) -> None:
    """Plant one, for the rest of this process."""
    MUTANTS[name]()


def hunt(bound: int = BOUND, jobs: int = 1) -> dict[str, int | None]:
    """The first seed that finds each; None where none does."""
    found: dict[str, int | None] = {}
    for name in MUTANTS:
        command = [sys.executable, "-m", "tests.simulation", "--mutant", name, "--until-found",
                   "--seeds", f"0:{bound}", "--jobs", str(jobs)]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ).stdout
        first = re.search(r"^seed (\d+): ", output, re.MULTILINE)
        found[name] = int(first.group(1)) if first else None
    return found
