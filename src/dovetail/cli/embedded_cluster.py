"""The embedded cluster as one process: the API server, and its controllers as clients of it.

The platform's own processes find their roles there from the first moment; `dovetail init` keeps them in step later, as
on any cluster. The controllers talk to the API over TLS like any other client, which is why they would run against a
real one.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path


async def serve(data_dir: Path, host: str, port: int, on_ready: Callable[[], None]) -> None:
    """Serve until cancelled. Ready means that the API answers; the controllers follow within moments."""
    from dovetail.embedded import apiserver, controllers
    from dovetail.iam import process_roles
    from dovetail.kube import ClusterConfig

    listening = asyncio.Event()
    roles = (*process_roles.namespaces(), *process_roles.process_roles())
    settings = apiserver.ApiServerSettings(data_dir=data_dir, host=host, port=port, objects=roles)
    async with asyncio.TaskGroup() as group:
        group.create_task(apiserver.serve(settings, listening.set), name="apiserver")
        await listening.wait()
        on_ready()
        config = ClusterConfig.load(data_dir / "kubeconfig")
        keys = controllers.SigningKeys.below(data_dir / "pki")
        group.create_task(controllers.serve(config, lambda: None, keys), name="controllers")
