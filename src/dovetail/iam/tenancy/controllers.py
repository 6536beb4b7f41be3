"""All controllers of tenancy, for the controllers' process."""

from dovetail.iam.tenancy.project_controller import project_controller
from dovetail.iam.tenancy.quota_controller import quota_controller
from dovetail.iam.tenancy.workspace_controllers import workspace_controllers
from dovetail.kube.controller import Controller
from dovetail.kube.runtime import ControllerRuntime


def controllers(runtime: ControllerRuntime) -> list[Controller]:
    """Add them to the runtime that they were made for."""
    return [*workspace_controllers(runtime), project_controller(runtime), quota_controller(runtime)]
