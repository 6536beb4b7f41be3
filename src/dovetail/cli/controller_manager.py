"""The controllers' process: the extension lifecycle, and roles mirrored into Kubernetes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from dovetail.iam import materialise
from dovetail.kube import Client, ClusterConfig, ControllerRuntime
from dovetail.lifecycle.manager import serve as serve_lifecycle
from dovetail.lifecycle.settings import LifecycleSettings


async def serve(kubeconfig: Path | None, leader_elect: bool, on_ready: Callable[[], None]) -> None:
    """Run all reconcilers until cancelled."""
    settings = LifecycleSettings(kubeconfig=kubeconfig, leader_elect=leader_elect)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_lifecycle(settings, on_ready), name="lifecycle")
        group.create_task(_roles(kubeconfig), name="roles")


async def _roles(kubeconfig: Path | None) -> None:
    async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-iam") as client:
        runtime = ControllerRuntime(client)
        for controller in materialise.controllers(runtime):
            runtime.add(controller)
        await runtime.run()
