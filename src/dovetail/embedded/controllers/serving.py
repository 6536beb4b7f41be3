"""The controllers put together on one runtime: shared informers, one connection pool, one life."""

from collections.abc import Callable

from dovetail.embedded.controllers.accounts import default_accounts
from dovetail.embedded.controllers.aggregation import role_aggregation
from dovetail.embedded.controllers.certificate_approval import certificate_approver, certificate_cleaner
from dovetail.embedded.controllers.garbage import collect_garbage
from dovetail.embedded.controllers.mirroring import endpoint_mirroring
from dovetail.embedded.controllers.namespaces import namespace_deletion
from dovetail.embedded.controllers.quotas import quota_status
from dovetail.embedded.controllers.root_ca import root_ca_publisher
from dovetail.embedded.controllers.signer import certificate_signer
from dovetail.embedded.controllers.signing_keys import SigningKeys
from dovetail.embedded.controllers.storage_protection import claim_protection, volume_protection
from dovetail.embedded.controllers.token_secrets import token_secrets
from dovetail.kube import Client, ClusterConfig, ControllerRuntime

USER_AGENT = "dovetail-kube-controllers"


async def serve(config: ClusterConfig, on_ready: Callable[[], None], keys: SigningKeys | None = None) -> None:
    """Run all controllers against the cluster of `config` until cancelled; ready when their caches are filled.

    Without `keys` nothing is signed: no certificates, no tokens in Secrets.
    Raises NotSynced when the API does not answer for two minutes. Shorter outages are waited out.
    """
    async with Client(config, user_agent=USER_AGENT) as client:
        runtime = ControllerRuntime(client)
        runtime.add(namespace_deletion(runtime))
        runtime.add(default_accounts(runtime))
        if authority := config.ca_pem():
            runtime.add(root_ca_publisher(runtime, authority))
        runtime.add(role_aggregation(runtime))
        runtime.add(endpoint_mirroring(runtime))
        runtime.add(certificate_approver(runtime))
        runtime.add(certificate_cleaner(runtime))
        if keys is not None:
            runtime.add(certificate_signer(runtime, keys))
            runtime.add(token_secrets(runtime, keys, config.ca_pem() or ""))
        runtime.add(quota_status(runtime))
        runtime.add(claim_protection(runtime))
        runtime.add(volume_protection(runtime))
        collect_garbage(runtime)
        await runtime.run(on_ready)
