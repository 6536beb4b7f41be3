"""The embedded cluster as one process: the API server, and its controllers as clients of it.

The platform's own processes find their roles there from the first moment; `dovetail init` keeps them in step later, as
on any cluster. The controllers talk to the API like any other client, which is why they would run against a real one;
only that here they come through a private Unix socket, since a hundred watches over TLS to one's own process cost
memory and time at the start.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

_LONGEST_SOCKET_PATH = 100
"""Of the 108 bytes that Linux allows (macOS: 104)."""


async def serve(data_dir: Path, host: str, port: int, on_ready: Callable[[], None]) -> None:
    """Serve until cancelled. Ready means that the API answers; the controllers follow within moments."""
    from dovetail.embedded import apiserver, controllers
    from dovetail.iam import process_roles
    from dovetail.kube import ClusterConfig

    listening = asyncio.Event()
    roles = (*process_roles.namespaces(), *process_roles.process_roles())
    socket = private_socket(data_dir)
    settings = apiserver.ApiServerSettings(
        data_dir=data_dir, host=host, port=port, objects=roles, private_socket=socket
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(apiserver.serve(settings, listening.set), name="apiserver")
        await listening.wait()
        on_ready()
        config = ClusterConfig.load(data_dir / "kubeconfig")
        if socket is not None:
            config = replace(config, server="http://localhost", socket=socket)
        keys = controllers.SigningKeys.below(data_dir / "pki")
        group.create_task(controllers.serve(config, lambda: None, keys), name="controllers")


def private_socket(data_dir: Path) -> Path | None:
    """Where the controllers connect; None, which means over TLS, when the path is too long for a socket."""
    path = data_dir.absolute() / "kube" / "private" / "api.sock"
    return path if len(str(path).encode()) <= _LONGEST_SOCKET_PATH else None
