"""What the Helm workers of all processes share: the API, how charts behave, and who works on which release."""

from dataclasses import dataclass, field
from random import Random

from tests.simulation.api import MemoryApi
from tests.simulation.network import Network
from tests.simulation.processes import Process


@dataclass
class Behaviour:
    """How a version behaves. `fails` and `hangs` count down; -1 is for ever."""

    seconds: float = 0.5
    fails: int = 0
    hangs: int = 0
    invalid: bool = False
    uninstall_fails: int = 0

    @property
    def hopeless(self) -> bool:
        return self.invalid or self.fails < 0 or self.hangs < 0


@dataclass
class HelmWorld:
    """What all workers share: the API, how charts behave, and who works on which release."""

    places: dict[str | None, tuple[MemoryApi, Network]]
    """By kubeconfig; None is the host."""
    chance: Random
    behaviours: dict[tuple[str, str], Behaviour] = field(default_factory=dict[tuple[str, str], Behaviour])
    working: dict[tuple[str, ...], Process] = field(default_factory=dict[tuple[str, ...], Process])
    clashes: list[str] = field(default_factory=list[str])
    failures: dict[str, int] = field(default_factory=dict[str, int])
    """By extension: refusals that were told to a controller, whatever the reason."""

    def behaviour(self, extension: str, version: str) -> Behaviour:
        return self.behaviours.setdefault((extension, version), Behaviour())
