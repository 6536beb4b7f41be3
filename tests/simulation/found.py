"""What the simulation has found, played again on purpose: each of these was a wedge or a lie once.

Seeds do not keep: whoever changes a scenario changes what every seed does. These inputs stay what they are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

from tests.simulation import charts
from tests.simulation.helm_world import Behaviour
from tests.simulation.kinds import EXTENSIONVERSION, INSTALLPLAN, NAMESPACE, REPOSITORY
from tests.simulation.repositories import SimulatedRepository
from tests.simulation.scenario import SYSTEM, Wish
from tests.simulation.world import World

Input = Callable[[World, Random], Awaitable[Wish]]


def _stage(world: World) -> SimulatedRepository:
    """A repository with three versions of alpha, read every minute, and one process."""
    for name in (SYSTEM, "default"):
        world.user("POST", NAMESPACE, name)
    repository = world.repositories.add("main", world.loop.time)
    for version in charts.VERSIONS:
        repository.put("alpha", version)
    spec = {"url": repository.url, "updateStrategy": {"registryPoll": {"interval": "60s"}, "timeout": "30s"}}
    world.user("POST", REPOSITORY, "main", {"spec": spec})
    world.start()
    return repository


async def _install(world: World, version: str) -> None:
    await asyncio.sleep(2)
    wanted = {"extension": {"name": "alpha", "version": version}, "enabled": True}
    world.user("POST", INSTALLPLAN, "alpha", {"spec": wanted})
    await asyncio.sleep(10)
    assert world.api.get(INSTALLPLAN, "alpha")["status"]["state"] == "Installed"  # type: ignore[index]


def _want(world: World, **spec: object) -> None:
    world.user("PATCH", INSTALLPLAN, "alpha", {"spec": spec})


async def disabled_after_the_upgrade_gave_up(world: World, chance: Random) -> Wish:
    """The plan was at rest in UpgradeFailed: what did not change the target was not looked at any more."""
    _stage(world)
    world.helm.behaviours["alpha", "1.1.0"] = Behaviour(invalid=True)
    await _install(world, "1.0.0")
    _want(world, extension={"version": "1.1.0"})
    await asyncio.sleep(5)
    _want(world, enabled=False)
    return Wish(("alpha",))


async def killed_amid_an_upgrade_then_asked_for_nothing_there_is(world: World, chance: Random) -> Wish:
    """The release stayed locked, because a version that does not exist was told before it was unlocked."""
    _stage(world)
    await _install(world, "1.0.0")
    world.helm.behaviours["alpha", "1.1.0"] = Behaviour(seconds=30)
    _want(world, extension={"version": "1.1.0"})
    await asyncio.sleep(5)
    world.kill(world.processes[0], "amid the upgrade")
    _want(world, extension={"version": "9.9.9"})
    return Wish(("alpha",))


async def unpublished_while_it_is_installed(world: World, chance: Random) -> Wish:
    """Helm ended well, and the plan went on saying that the old version is in force."""
    repository = _stage(world)
    await _install(world, "1.1.0")
    world.helm.behaviours["alpha", "1.0.0"] = Behaviour(seconds=5)
    _want(world, extension={"version": "1.0.0"})
    await asyncio.sleep(3)
    repository.drop("alpha", "1.0.0")
    world.user("DELETE", EXTENSIONVERSION, "alpha-1.0.0")
    return Wish(("alpha",))


async def one_kept_and_one_lost(world: World, chance: Random) -> Wish:
    """As many versions as there should be, but others: the lost one never came back."""
    repository = _stage(world)
    await _install(world, "1.0.0")
    repository.drop("alpha", "1.0.0")
    await asyncio.sleep(200)
    world.user("DELETE", EXTENSIONVERSION, "alpha-2.0.0")
    return Wish(("alpha",))


FOUND: Final[tuple[Input, ...]] = (
    disabled_after_the_upgrade_gave_up,
    killed_amid_an_upgrade_then_asked_for_nothing_there_is,
    unpublished_while_it_is_installed,
    one_kept_and_one_lost,
)
