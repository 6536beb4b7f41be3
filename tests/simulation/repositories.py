"""Helm repositories, modelled behind the platform's Fetcher: an index and packages, in every mood a server can have.

What a repository truly lists is told apart from what it answered: `gone_since` says since when a version is really not
listed, so that a version removed for any other reason is known to be a mistake. A lucky cut (an index that is whole but
lists less) is never answered twice in a row: two such readings are, by the platform's design, a removal.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from dovetail.lifecycle.fetching import Body, FetchFailed
from tests.simulation import charts
from tests.simulation.processes import PROCESS

MOODS = ("down", "500", "slow", "torn", "cut", "empty", "digest", "hangs")


@dataclass
class SimulatedRepository:
    """`mood` is how it answers until it is told otherwise; empty: well."""

    name: str
    clock: Any
    listed: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """(extension, version) -> build"""
    mood: str = ""
    gone_since: dict[str, float] = field(default_factory=dict[str, float])
    _lied: bool = False
    _lying: bool = False

    @property
    def url(self) -> str:
        return f"https://{self.name}.test/charts"

    def put(self, extension: str, version: str, build: int = 0) -> None:
        self.listed[extension, version] = build
        self.gone_since.pop(f"{extension}-{version}", None)

    def drop(self, extension: str, version: str) -> None:
        if self.listed.pop((extension, version), None) is not None:
            self.gone_since[f"{extension}-{version}"] = self.clock()

    def lists(self, version_name: str) -> bool:
        """Whether a version is truly listed now."""
        return any(f"{extension}-{version}" == version_name for extension, version in self.listed)

    def index(self, left_out: int = 0) -> bytes:
        entries: dict[str, list[Any]] = {}
        for (extension, version), build in sorted(self.listed.items())[left_out:]:
            made = charts.chart(extension, version, build)
            file = f"{extension}-{version}-{build}.tgz"
            entry = {"name": extension, "version": version, "urls": [file], "digest": made.digest}
            entries.setdefault(extension, []).append(entry)
        return orjson.dumps({"apiVersion": "v1", "entries": entries})

    def answer_index(self, mood: str, chance: Random) -> bytes:
        whole = self.index()
        if mood == "torn":
            return whole[: chance.randrange(1, len(whole))]
        if mood in ("cut", "empty") and not self._lied and len(self.listed) > 1:
            self._lied = True
            return self.index(chance.randrange(1, len(self.listed)) if mood == "cut" else len(self.listed))
        self._lied = False
        return whole

    def answer_package(self, file: str, mood: str) -> bytes:
        extension, version, build = file.removesuffix(".tgz").rsplit("-", 2)
        if mood == "digest":
            return charts.chart(extension, version, int(build) + 7).data
        data = charts.chart(extension, version, int(build)).data
        return data[: len(data) // 2] if mood in ("torn", "cut") else data


@dataclass
class Repositories:
    """All repositories, by host. In a storm each request may meet a mood of its own."""

    chance: Random
    storm: float = 0.0
    known: dict[str, SimulatedRepository] = field(default_factory=dict[str, SimulatedRepository])
    asked: int = 0

    def add(self, name: str, clock: Any) -> SimulatedRepository:
        repository = self.known[f"{name}.test"] = SimulatedRepository(name, clock)
        return repository

    def mood(self, repository: SimulatedRepository) -> str:
        if repository.mood:
            return repository.mood
        return self.chance.choice(MOODS) if self.storm and self.chance.random() < self.storm * 0.4 else ""

    async def answer(self, url: str, headers: dict[str, str]) -> Body:
        """As Fetcher._follow: a body, or FetchFailed and OSError."""
        self.asked += 1
        host, _, path = url.removeprefix("https://").partition("/")
        repository = self.known.get(host)
        await asyncio.sleep(0.005 + 0.05 * self.chance.random())
        if repository is None or PROCESS.get().dead:
            raise OSError("no such host")
        mood = self.mood(repository)
        if mood == "down":
            raise ConnectionRefusedError("connection refused")
        if mood == "500":
            raise FetchFailed("the server answers 500")
        if mood in ("slow", "hangs"):
            await asyncio.sleep(self.chance.uniform(5, 40) if mood == "slow" else 100_000)
        file = path.rpartition("/")[2]
        if file != "index.yaml":
            return Body(repository.answer_package(file, mood))
        data = repository.answer_index(mood, self.chance)
        stamp = hashlib.sha256(data).hexdigest()[:16]
        if headers.get("If-None-Match") == stamp:
            return Body(None)
        return Body(data, stamp)


class SimulatedFetcher:
    """The method that replaces `Fetcher`'s."""

    world: Repositories

    async def _follow(self, url: str, origin: Any, headers: dict[str, str], limit: int) -> Body:
        return await SimulatedFetcher.world.answer(url, headers)
