"""What the server needs to know to start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ApiServerSettings:
    """``port`` 0 takes a free one. ``names`` are further host names or addresses for the server's certificate.

    ``objects`` are there from the start, too, written in this order when missing: the roles of the components.

    ``upkeep_seconds`` is the pause between two rounds of forgetting, ``keep_seconds`` the age at which old versions
    may go: as long as that a watch can resume and a list be continued.

    ``private_socket``: who opens this Unix socket is the administrator, without TLS; for clients in the same process.

    Below ``data_dir``: ``kube/state.db``, ``pki/``, ``kubeconfig`` (administrator), ``kubeconfigs/<component>.yaml``.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 16443
    names: tuple[str, ...] = ()
    objects: tuple[dict[str, Any], ...] = ()
    upkeep_seconds: float = 30.0
    keep_seconds: float = 300.0
    private_socket: Path | None = None

    @property
    def database(self) -> Path:
        return self.data_dir / "kube" / "state.db"
