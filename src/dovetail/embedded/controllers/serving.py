"""The controllers put together on one runtime: shared informers, one connection pool, one life."""

from collections.abc import Callable

from dovetail.embedded.controllers.accounts import default_accounts
from dovetail.embedded.controllers.garbage import collect_garbage
from dovetail.embedded.controllers.namespaces import namespace_deletion
from dovetail.embedded.controllers.root_ca import root_ca_publisher
from dovetail.kube import Client, ClusterConfig, ControllerRuntime

USER_AGENT = "dovetail-kube-controllers"


async def serve(config: ClusterConfig, on_ready: Callable[[], None]) -> None:
    """Run all controllers against the cluster of `config` until cancelled; ready when their caches are filled.

    Raises NotSynced when the API does not answer for two minutes. Shorter outages are waited out.
    """
    async with Client(config, user_agent=USER_AGENT) as client:
        runtime = ControllerRuntime(client)
        runtime.add(namespace_deletion(runtime))
        runtime.add(default_accounts(runtime))
        if authority := config.ca_pem():
            runtime.add(root_ca_publisher(runtime, authority))
        collect_garbage(runtime)
        await runtime.run(on_ready)
