"""One seed, from the empty cluster to the verdict.

The input happens (`scenario.play`), stops, and then the world has a bounded time to become what it should be and to
come to rest. Who gave up gets the user's word to try again, and must use it. Half of the seeds go on to uninstall
everything, after which nothing may be left; a few go on through a whole resynchronisation, in which nothing may be
written.
"""

import asyncio
from dataclasses import dataclass, field
from random import Random

from tests.simulation.found import Input
from tests.simulation.kinds import INSTALLPLAN, JSBUNDLE, SUBSCRIPTION
from tests.simulation.properties import Guard, Violation, gave_up, problems
from tests.simulation.scenario import Wish, calm, play
from tests.simulation.world import World

SETTLING = 2400.0
"""Virtual seconds: some hooks that hang, and the longest pauses after them."""
MAX_STEPS = 60_000
_REST = 6.0


@dataclass
class Verdict:
    """What came of a seed; `violation` is empty when all is well."""

    seed: int
    violation: str = ""
    requests: int = 0
    steps: int = 0
    kills: int = 0
    seconds: float = 0.0
    """Virtual time until the first rest."""
    trace: list[str] = field(default_factory=list[str])


def run(seed: int, *, trace: bool = False, happens: Input = play) -> Verdict:
    """Run it. Never raises for what the platform does. `happens` is the input; by default it is drawn."""
    world = World(seed, trace=trace)
    guard = Guard(world)
    verdict = Verdict(seed)
    try:
        world.loop.run_until_complete(_whole(world, guard, verdict, happens))
    except Violation as violation:
        verdict.violation = str(violation)
    finally:
        world.loop.run_until_complete(world.end())
        world.loop.close()
    if not verdict.violation and world.loop.unhandled:
        verdict.violation = f"an error that nobody handled: {world.loop.unhandled[0]}"
    verdict.requests, verdict.steps, verdict.kills = world.network.requests, world.loop.steps, world.kills
    verdict.trace = world.trace or []
    return verdict


async def _whole(world: World, guard: Guard, verdict: Verdict, happens: Input) -> None:
    chance = Random(world.seed + 5)
    wish = await happens(world, chance)
    calm(world, chance)
    stopped = world.loop.time()
    _unpause(world)
    await _settle(world, guard, wish, "after the input stopped")
    verdict.seconds = world.loop.time() - stopped
    if _ask_again(world, wish):
        await _settle(world, guard, wish, "after the user asked to try again")
    if chance.random() < 0.04:
        await _resync(world, guard, wish)
    if chance.random() < 0.5:
        if world.edge is not None and chance.random() < 0.6:
            world.say("the member cluster is cut off")
            world.edge.cut(True)
        _uninstall_everything(world)
        await _settle(world, guard, wish, "after everything was uninstalled")


async def _settle(world: World, guard: Guard, wish: Wish, when: str) -> None:
    """Wait until all is right and nobody writes any more."""
    deadline = world.loop.time() + SETTLING
    wrong: list[str] = []
    pause = 2.0
    while True:
        await asyncio.sleep(pause)
        if guard.wrong:
            raise Violation(guard.wrong[0])
        if world.helm.clashes:
            raise Violation(f"two workers on one release: {world.helm.clashes[0]}")
        if world.loop.time() - guard.last_write >= _REST:
            wrong = problems(world, wish)
            if not wrong and any(process.ready for process in world.processes):
                return
            pause = 10.0
        if world.loop.time() > deadline or world.loop.steps > MAX_STEPS:
            wrong = wrong or problems(world, wish)
            if wrong:
                raise Violation(f"{when}, {world.loop.time() - deadline + SETTLING:.0f} s later: {'; '.join(wrong)}")
            raise Violation(f"{when} the controllers never stop writing: {', '.join(guard.recent)}")


async def _resync(world: World, guard: Guard, wish: Wish) -> None:
    """Whole rounds of resynchronisations, slow looks and repositories read again: one may find something, no second."""
    for _ in range(3):
        before = guard.last_write
        await asyncio.sleep(720)
        if guard.last_write == before:
            break
    else:
        raise Violation(f"nothing changes, but the controllers write: {', '.join(guard.recent[-3:])}")
    if wrong := problems(world, wish):
        raise Violation(f"after a while at rest: {'; '.join(wrong)}")


def _unpause(world: World) -> None:
    for plan in world.api.all(INSTALLPLAN):
        if plan["spec"].get("paused"):
            world.user("PATCH", INSTALLPLAN, plan["metadata"]["name"], {"spec": {"paused": False}})


def _ask_again(world: World, wish: Wish) -> bool:
    """The exits of those who gave up, and of those to whom somebody stands in the way."""
    asked = bool(wish.squatted)
    for extension in sorted(wish.squatted):
        world.user("DELETE", JSBUNDLE, extension)
    wish.squatted.clear()
    for plan in world.api.all(INSTALLPLAN):
        extension, wanted = plan["metadata"]["name"], plan["spec"]["extension"]["version"]
        if gave_up(plan) and plan["status"]["state"] != "Installed":
            behaviour = world.helm.behaviour(extension, wanted)
            behaviour.fails, behaviour.hangs, behaviour.invalid = 0, 0, False
            token = {"metadata": {"annotations": {"dovetail.dev/retry": "please"}}}
            asked = world.user("PATCH", INSTALLPLAN, extension, token) or asked
    return asked


def _uninstall_everything(world: World) -> None:
    for kind in (SUBSCRIPTION, INSTALLPLAN):
        for obj in world.api.all(kind):
            world.user("DELETE", kind, obj["metadata"]["name"])
