"""Where the platform is taken off the real world: its transport, its clock, Helm, its fetcher, chance.

Nothing of the controllers is replaced. `install` is for a process that does nothing but simulate; it is not undone.
"""

import functools
import random
from datetime import UTC, datetime, tzinfo
from typing import Any

import orjson
import yaml

from tests.simulation.helm import SimulatedHelm
from tests.simulation.loop import order_task_groups
from tests.simulation.network import SERVER, SimulatedTransport
from tests.simulation.processes import PROCESS
from tests.simulation.repositories import SimulatedFetcher

EPOCH = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC).timestamp()


class SimulatedClock(datetime):
    """`datetime.now` of the process that asks: the run's time, off by its skew."""

    loop: Any = None

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        process = PROCESS.get(None)
        skew = process.skew if process else 0.0
        return datetime.fromtimestamp(EPOCH + cls.loop.time() + skew, tz)


def install() -> None:
    """Put the simulation in the place of the outside world, in this whole process."""
    from dovetail import packaging
    from dovetail.helm import HelmWorker
    from dovetail.kube import client, config, events, leases, timestamps
    from dovetail.lifecycle import assembly, fetching

    del assembly  # imported now, not in the first run
    order_task_groups()
    client.Transport = SimulatedTransport  # type: ignore[misc,assignment]
    loaded = config.ClusterConfig(server=SERVER)
    config.ClusterConfig.load = classmethod(lambda cls, path=None, context=None: loaded)  # type: ignore[method-assign,assignment]
    timestamps.datetime = SimulatedClock  # type: ignore[misc,attr-defined]
    for name, part in vars(SimulatedHelm).items():
        if callable(part) or isinstance(part, property):
            setattr(HelmWorker, name, part)
    assert "_follow" in vars(fetching.Fetcher), "Fetcher has another seam now: give the simulation its name"
    fetching.Fetcher._follow = SimulatedFetcher._follow  # type: ignore[method-assign]
    packaging.read_package = functools.lru_cache(maxsize=512)(packaging.read_package)
    yaml.load = _loaded
    events.secrets = _Tokens  # type: ignore[assignment]
    leases.default_identity = lambda: PROCESS.get().name


_load = yaml.load


def _loaded(stream: Any, Loader: Any) -> Any:  # noqa: N803 -- as yaml calls it
    """JSON is YAML, and read a hundred times as fast; most of what is read here is JSON, or the same few words."""
    if isinstance(stream, str) and stream[:1] == "{":
        return orjson.loads(stream)
    if isinstance(stream, str) and len(stream) < 40:
        value = _short(stream, Loader)
        return dict(value) if isinstance(value, dict) else value
    return _load(stream, Loader)


@functools.lru_cache(maxsize=1024)
def _short(text: str, loader: Any) -> Any:
    return _load(text, loader)


class _Tokens:
    @staticmethod
    def token_hex(count: int) -> str:
        return f"{random.getrandbits(8 * count):0{2 * count}x}"
