"""The controllers' process: extensions, roles mirrored into Kubernetes, and tenancy, on one set of caches."""

from collections.abc import Callable

from dovetail.iam import (
    aggregation_controllers,
    deleted_users,
    instances,
    materialise,
    rbac_controllers,
    rego_conditions,
    served_definitions,
    service_account_secrets,
    shipped,
)
from dovetail.iam.tenancy import controllers as tenancy
from dovetail.kube import Controller, ControllerRuntime
from dovetail.lifecycle import assembly
from dovetail.lifecycle.settings import LifecycleSettings


async def serve(settings: LifecycleSettings, on_ready: Callable[[], None]) -> None:
    """Run all reconcilers until cancelled."""
    await assembly.serve(settings, on_ready, _of_identity)


def _of_identity(runtime: ControllerRuntime) -> list[Controller]:
    parts = (
        materialise, rbac_controllers, shipped, instances, aggregation_controllers, rego_conditions, deleted_users,
        service_account_secrets, served_definitions, tenancy,
    )  # fmt: skip
    return [controller for part in parts for controller in part.controllers(runtime)]
