"""What can stand in each other's way, one value for each sentence of an explanation (`words` says it)."""

from dataclasses import dataclass
from typing import Final

KUBERNETES: Final = "Kubernetes"
PLATFORM: Final = "platform"


@dataclass(frozen=True)
class Asked:
    """It shall be installed, in any version. `offered` are its versions, when told."""

    extension: str
    offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class AskedVersion:
    """It shall be installed in this version, or in this range. `offered` are its versions, when told."""

    extension: str
    range: str = ""
    version: str = ""
    offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Removed:
    """It shall be uninstalled."""

    extension: str


@dataclass(frozen=True)
class Stays:
    """It is installed, and nobody asked to uninstall it."""

    extension: str
    version: str


@dataclass(frozen=True)
class Pinned:
    """It is installed, and its version may not change."""

    extension: str
    version: str


@dataclass(frozen=True)
class Kept:
    """It is installed, and nobody asked for another version."""

    extension: str
    version: str


@dataclass(frozen=True)
class Needs:
    """These versions of it (best first) require the target in a range. `offered`: the target's versions, when told."""

    extension: str
    versions: tuple[str, ...]
    target: str
    range: str
    offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wants:
    """These versions of it run only where Kubernetes or the platform (`what`) is in a range, and here is `actual`."""

    extension: str
    versions: tuple[str, ...]
    what: str
    range: str
    actual: str


Statement = Asked | AskedVersion | Removed | Stays | Pinned | Kept | Needs | Wants
