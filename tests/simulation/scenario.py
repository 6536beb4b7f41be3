"""What happens to a world until the input stops: users, faults and accidents, by the seed.

Each action is a small function of a `Play`; how often each is drawn is in `_ACTIONS`. Everything is done through the
API as a user would. What the properties must know afterwards is noted in `Wish`: whose objects somebody touched by
hand, whose deletion was forced.
"""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.simulation import charts
from tests.simulation.api import Object
from tests.simulation.helm_world import Behaviour
from tests.simulation.kinds import (
    CATEGORY,
    CLUSTERROLE,
    CONFIGMAP,
    EXTENSIONVERSION,
    HIDDEN,
    INSTALLPLAN,
    JSBUNDLE,
    NAMESPACE,
    REPOSITORY,
    SECRET,
    SUBSCRIPTION,
)
from tests.simulation.repositories import SimulatedRepository
from tests.simulation.world import World

SYSTEM = "kubesphere-system"
TEAM = "team"
"""A namespace that a user made, and in which extensions may be installed."""
OWNER = "dovetail.dev/subscription"


@dataclass
class Wish:
    """What is to be known about the input when it is over."""

    extensions: tuple[str, ...] = ()
    forced: set[str] = field(default_factory=set[str])
    touched: set[str] = field(default_factory=set[str])
    uploads: set[str] = field(default_factory=set[str])
    """Extensions whose packages are uploaded by hand."""
    squatted: set[str] = field(default_factory=set[str])
    """Extensions one of whose objects' names somebody else has taken."""


@dataclass
class Play:
    world: World
    chance: Random
    wish: Wish
    repository: SimulatedRepository
    second: SimulatedRepository | None = None

    def extension(self) -> str:
        return self.chance.choice(self.wish.extensions)

    def version(self) -> str:
        return self.chance.choice((*charts.VERSIONS, *charts.VERSIONS, "9.9.9"))


async def play(world: World, chance: Random) -> Wish:
    """Set the stage and let things happen; returns when the input stops."""
    wish = Wish(tuple(chance.sample(charts.EXTENSIONS, chance.choices((1, 2, 3), (70, 25, 5))[0])))
    stage = _stage(world, chance, wish)
    world.storm = chance.choice((0.0, 0.0, 0.1, 0.25, 0.5))
    world.settings = _settings(chance)
    first = world.start(chance.choice((0.0, 3600.0, -3600.0)))
    if chance.random() < 0.5:
        first.crash_at, first.crash_after = chance.randrange(1, 45), chance.random() < 0.5
    if world.settings.leader_elect:
        world.start(chance.choice((0.0, 3600.0, -3600.0)))
    actions, weights = zip(*_ACTIONS.items(), strict=True)
    await asyncio.sleep(chance.choice((0.0, 0.5, 3.0)))
    _want(stage)
    if world.edge is not None:
        _place(stage)
    for _ in range(chance.randrange(2, 8)):
        await asyncio.sleep(chance.choice((0.0, 0.05, 0.2, 0.5, 1.0, 1.0, 3.0, 8.0)))
        chance.choices(actions, weights)[0](stage)
    await asyncio.sleep(chance.choice((0.0, 0.3, 2.0)))
    return wish


def calm(world: World, chance: Random) -> None:
    """The input stops: nobody does anything any more, and nothing breaks any more."""
    world.say("the input stops")
    world.storm = 0.0
    for repository in world.repositories.known.values():
        repository.mood = ""
    if world.edge is not None and world.edge.network.cut and chance.random() < 0.5:
        world.say("the member cluster is back")
        world.edge.cut(False)
    for process in world.processes:
        process.crash_at = None
        process.cut_until = process.frozen_until = 0.0


def _settings(chance: Random) -> Any:
    from dovetail.lifecycle.settings import LifecycleSettings

    return LifecycleSettings(leader_elect=chance.random() < 0.12)


def _stage(world: World, chance: Random, wish: Wish) -> Play:
    for name in (SYSTEM, "default", TEAM):
        world.user("POST", NAMESPACE, name)
    world.user("POST", CONFIGMAP, "precious", {"data": {"mine": "yes"}}, TEAM)
    world.user("POST", CLUSTERROLE, "kubesphere:foreign:helm-executor", {"rules": []})
    world.user("POST", JSBUNDLE, "foreign", {"spec": {"raw": "Mg=="}})
    world.user("POST", CATEGORY, "dev-tools", {"spec": {}})
    stage = Play(world, chance, wish, world.repositories.add("main", world.loop.time))
    for extension in wish.extensions:
        if chance.random() < 0.3:
            wish.uploads.add(extension)
        for version in charts.VERSIONS:
            world.helm.behaviours[extension, version] = _behaviour(chance)
            if extension in wish.uploads:
                _upload(stage, extension, version, 0)
            else:
                stage.repository.put(extension, version)
    interval = chance.choice(("60s", "600s"))
    spec = {"url": stage.repository.url, "updateStrategy": {"registryPoll": {"interval": interval}, "timeout": "30s"}}
    world.user("POST", REPOSITORY, "main", {"spec": spec})
    if chance.random() < 0.1:
        stage.second = world.repositories.add("other", world.loop.time)
        for extension in wish.extensions:
            stage.second.put(extension, charts.VERSIONS[1])
        world.user(
            "POST", REPOSITORY, "other", {"spec": {**spec, "url": stage.second.url, "priority": chance.choice((0, 5))}}
        )
    if chance.random() < 0.12:
        edge = world.add_member()
        for name in (SYSTEM, "default", TEAM):
            edge.api.call("user", "POST", NAMESPACE, "", body={"metadata": {"name": name}})
    if chance.random() < 0.05:
        squatted = chance.choice(wish.extensions)
        wish.squatted.add(squatted)
        world.user("POST", JSBUNDLE, squatted, {"spec": {"raw": "Mw=="}})
    return stage


def _behaviour(chance: Random) -> Behaviour:
    kind = chance.choices(("well", "slow", "flaky", "hangs", "fails", "invalid", "stays"), (55, 8, 12, 3, 8, 4, 10))[0]
    match kind:
        case "slow":
            return Behaviour(seconds=chance.uniform(5, 60))
        case "flaky":
            return Behaviour(fails=chance.randrange(1, 4))
        case "hangs":
            return Behaviour(hangs=1)
        case "fails":
            return Behaviour(fails=-1)
        case "invalid":
            return Behaviour(invalid=True)
        case "stays":
            return Behaviour(uninstall_fails=chance.randrange(1, 4))
        case _:
            return Behaviour(seconds=chance.choice((0.05, 0.5, 2.0)))


def _want(play: Play) -> None:
    """Somebody wants an extension."""
    extension, version = play.extension(), play.version()
    spec: Object = {"extension": {"name": extension, "version": version}, "enabled": play.chance.random() < 0.85}
    if play.chance.random() < 0.3:
        spec["config"] = f"color: {play.chance.choice(('blue', 'green'))}"
    if play.chance.random() < 0.12:
        spec["targetNamespace"] = TEAM
    if play.chance.random() < 0.2:
        spec["onUpgradeFailure"] = "Rollback"
    if play.world.api.get(INSTALLPLAN, extension) is not None or _subscription(play, extension):
        return
    if play.chance.random() < 0.2:
        play.world.user("POST", SUBSCRIPTION, f"sub-{extension}", {"spec": spec})
    else:
        play.world.user("POST", INSTALLPLAN, extension, {"spec": spec})


def _subscription(play: Play, extension: str) -> bool:
    return play.world.api.get(SUBSCRIPTION, f"sub-{extension}") is not None


def _change(play: Play, change: Object) -> None:
    extension = play.extension()
    if _subscription(play, extension) and play.chance.random() < 0.8:
        play.world.user("PATCH", SUBSCRIPTION, f"sub-{extension}", {"spec": change})
    else:
        play.world.user("PATCH", INSTALLPLAN, extension, {"spec": change})


def _upgrade(play: Play) -> None:
    _change(play, {"extension": {"version": play.version()}})


def _configure(play: Play) -> None:
    _change(play, {"config": play.chance.choice(("color: blue", "color: green", ""))})


def _switch(play: Play) -> None:
    _change(play, {"enabled": play.chance.random() < 0.5})


def _pause(play: Play) -> None:
    extension = play.extension()
    if play.world.user("PATCH", INSTALLPLAN, extension, {"spec": {"paused": True}}):
        play.world.loop.call_later(
            play.chance.uniform(0.1, 20), play.world.user, "PATCH", INSTALLPLAN, extension, {"spec": {"paused": False}}
        )


def _uninstall(play: Play) -> None:
    extension = play.extension()
    if _subscription(play, extension) and play.chance.random() < 0.8:
        play.world.user("DELETE", SUBSCRIPTION, f"sub-{extension}")
    else:
        play.world.user("DELETE", INSTALLPLAN, extension)


def _force(play: Play) -> None:
    """The user's last resort: forget it, whatever stays."""
    extension = play.extension()
    marks = {"metadata": {"annotations": {"kubesphere.io/force-delete": "true"}}}
    if play.world.user("PATCH", INSTALLPLAN, extension, marks):
        play.wish.forced.add(extension)
        play.world.user("DELETE", INSTALLPLAN, extension)


def _ask_again(play: Play) -> None:
    token = {"metadata": {"annotations": {"dovetail.dev/retry": str(play.chance.random())}}}
    play.world.user("PATCH", INSTALLPLAN, play.extension(), token)


def _upload(play: Play, extension: str, version: str, build: int) -> None:
    made = charts.chart(extension, version, build)
    name = f"extension-{extension}-{version}-chart"
    data = {"binaryData": {"chart.tgz": base64.b64encode(made.data).decode()}}
    if not play.world.user("POST", CONFIGMAP, name, data, SYSTEM):
        play.world.user("PATCH", CONFIGMAP, name, data, SYSTEM)
    reference = {"namespace": SYSTEM, "name": name, "key": "chart.tgz"}
    labels = {"labels": {charts.EXTENSION_REF: extension}} if play.chance.random() < 0.5 else {}
    spec: Object = {"chartDataRef": reference}
    if labels:
        spec |= {"version": version, "digest": made.digest}
    if not play.world.user("POST", EXTENSIONVERSION, f"{extension}-{version}", {"metadata": labels, "spec": spec}):
        play.world.user("PATCH", EXTENSIONVERSION, f"{extension}-{version}", {"spec": spec | {"digest": made.digest}})


def _rebuild(play: Play) -> None:
    """The same version, another package."""
    extension, version = play.extension(), play.chance.choice(charts.VERSIONS)
    if extension in play.wish.uploads:
        _upload(play, extension, version, play.chance.randrange(1, 3))
    elif (extension, version) in play.repository.listed:
        play.world.say(f"repository main lists another build of {extension} {version}")
        play.repository.put(extension, version, play.chance.randrange(1, 3))
        _resync(play)


def _withdraw(play: Play) -> None:
    """A version is not offered any more."""
    extension, version = play.extension(), play.chance.choice(charts.VERSIONS)
    if extension in play.wish.uploads:
        play.world.user("DELETE", EXTENSIONVERSION, f"{extension}-{version}")
    else:
        play.world.say(f"repository main does not list {extension} {version} any more")
        play.repository.drop(extension, version)
        _resync(play)


def _delete_version(play: Play) -> None:
    play.world.user("DELETE", EXTENSIONVERSION, f"{play.extension()}-{play.chance.choice(charts.VERSIONS)}")


def _resync(play: Play) -> None:
    if play.chance.random() < 0.7:
        token = {"metadata": {"annotations": {"dovetail.dev/retry": str(play.chance.random())}}}
        play.world.user("PATCH", REPOSITORY, "main", token)


def _spoil_repository(play: Play) -> None:
    mood = play.chance.choice(("down", "500", "slow", "torn", "cut", "empty", "digest", ""))
    play.world.say(f"repository main is {mood or 'well'}")
    play.repository.mood = mood
    if play.chance.random() < 0.5:
        _resync(play)


def _lose_release(play: Play) -> None:
    extension = play.extension()
    for secret in play.world.api.all(SECRET, None, f"owner=helm,name={extension}"):
        if play.chance.random() < 0.8:
            meta = secret["metadata"]
            play.wish.touched.add(extension)
            play.world.user("DELETE", SECRET, meta["name"], None, meta["namespace"])


def _lose_namespace(play: Play) -> None:
    extension = play.extension()
    if play.world.user("DELETE", NAMESPACE, f"extension-{extension}"):
        play.wish.touched.add(extension)


def _tamper(play: Play) -> None:
    """By hand: an API object deleted, or switched."""
    extension = play.extension()
    if extension in play.wish.squatted:
        return
    play.wish.touched.add(extension)
    if play.chance.random() < 0.4:
        play.world.user("DELETE", JSBUNDLE, extension)
    else:
        state = play.chance.choice(("Disabled", "Available", "Unavailable"))
        play.world.user("PATCH", JSBUNDLE, extension, {"status": {"state": state}}, subresource="status")


def _place(play: Play) -> None:
    """Agents on the member cluster, or none any more."""
    if play.world.edge is None:
        return
    clusters = ["edge"] if play.chance.random() < 0.75 else []
    _change(play, {"clusterScheduling": {"placement": {"clusters": clusters}}})


def _cut_member(play: Play) -> None:
    if play.world.edge is not None:
        cut = play.chance.random() < 0.7
        play.world.say(f"the member cluster is {'cut off' if cut else 'back'}")
        play.world.edge.cut(cut)


def _kill(play: Play) -> None:
    for process in list(play.world.processes):
        if play.chance.random() < 0.7:
            play.world.kill(process, "by somebody")


def _crash_soon(play: Play) -> None:
    for process in play.world.processes:
        process.crash_at = process.writes + play.chance.randrange(1, 25)
        process.crash_after = play.chance.random() < 0.5


def _cut(play: Play) -> None:
    for process in play.world.processes:
        if play.chance.random() < 0.6:
            process.cut_until = play.world.loop.time() + play.chance.choice((1.0, 12.0, 30.0))


def _freeze(play: Play) -> None:
    """A machine that stands still: what its controllers send arrives when they lead no more."""
    for process in play.world.processes[:1]:
        process.frozen_until = play.world.loop.time() + play.chance.choice((2.0, 20.0, 40.0))


def _restart_api(play: Play) -> None:
    play.world.network.drop_watches()
    if play.chance.random() < 0.5:
        for kind in play.world.api.compacted.keys() - set(HIDDEN):
            play.world.api.compacted[kind] = play.world.api.version


def _worker_dies(play: Play) -> None:
    for process in play.world.processes:
        play.world.say(f"the helm workers of {process.name} die")
        for helm in process.helms:
            helm.die()


_ACTIONS: dict[Callable[[Play], None], int] = {
    _want: 14, _upgrade: 18, _configure: 6, _switch: 8, _pause: 3, _uninstall: 12, _force: 3, _ask_again: 4,
    _rebuild: 3, _withdraw: 5, _delete_version: 3, _resync: 3, _spoil_repository: 5, _lose_release: 4,
    _lose_namespace: 4, _tamper: 4, _kill: 7, _crash_soon: 8, _cut: 4, _freeze: 3, _restart_api: 4, _worker_dies: 4,
    _place: 6, _cut_member: 6,
}  # fmt: skip
