"""The controller of projects: namespaces that come into workspaces, move and leave (`projects` decides)."""

from dovetail.apis.iam_v1beta1 import ROLEBINDINGS
from dovetail.iam.tenancy.actions import carry_out
from dovetail.iam.tenancy.projects import plan_project
from dovetail.kube.controller import Controller
from dovetail.kube.objects import Key
from dovetail.kube.resources import NAMESPACES
from dovetail.kube.runtime import ControllerRuntime


def project_controller(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are namespaces. Bindings are only read when a namespace has moved."""
    namespaces = runtime.informer(NAMESPACES, metadata_only=True)
    bindings = runtime.informer(ROLEBINDINGS)

    async def reconcile(key: Key) -> None:
        namespace = namespaces.lister.get(key.name)
        if namespace is not None:
            await carry_out(runtime.client, plan_project(namespace, bindings.lister.list(key.name)))

    controller = Controller("projects", reconcile, workers=2)
    controller.watches(namespaces)
    return controller
