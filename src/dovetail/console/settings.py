"""How a console process is set up: values only."""

from dataclasses import dataclass
from pathlib import Path

from dovetail import __version__

STATIC = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """`socket_path` is created, readable by this user only. Without `kubeconfig` the usual places are looked at."""

    socket_path: Path
    kubeconfig: Path | None = None
    static_dir: Path = STATIC
    title: str = "Dovetail"
    version: str = __version__
    languages: tuple[str, ...] = ("en", "zh")
    default_language: str = "en"
