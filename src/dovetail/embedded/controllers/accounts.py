"""Every namespace has a ServiceAccount named `default`, for pods that name no other.

It does not make tokens: those are asked for with TokenRequest and live for a while only.
"""

from dovetail.embedded.controllers.living import is_alive
from dovetail.kube import (
    NAMESPACES,
    SERVICEACCOUNTS,
    AlreadyExists,
    Controller,
    ControllerRuntime,
    Forbidden,
    Key,
    NotFound,
    is_deleting,
)

DEFAULT = "default"


def default_accounts(runtime: ControllerRuntime) -> Controller:
    """The controller; its keys are names of namespaces."""
    namespaces = runtime.informer(NAMESPACES)
    accounts = runtime.informer(SERVICEACCOUNTS, metadata_only=True)

    async def reconcile(key: Key) -> None:
        namespace = namespaces.lister.get(key.name)
        if namespace is None or is_deleting(namespace) or accounts.lister.get(DEFAULT, key.name):
            return
        try:
            await runtime.client.create(SERVICEACCOUNTS, {"metadata": {"name": DEFAULT, "namespace": key.name}})
        except (AlreadyExists, NotFound):  # somebody was faster, or the namespace is gone
            return
        except Forbidden:
            if await is_alive(runtime.client, key.name):
                raise

    controller = Controller("default-service-accounts", reconcile, workers=2)
    controller.watches(namespaces)
    controller.watches(accounts, lambda account: [Key("", account["metadata"]["namespace"])])
    return controller
