"""What templates are told of a cluster: its version, and which kinds it serves.

Helm's library renders for its own newest Kubernetes unless it is told; a chart that asks `.Capabilities` (for the kind
of an Ingress, for whether Prometheus' ServiceMonitor exists) would then get the wrong answer on every other cluster.
"""

import orjson

from dovetail.kube import Client, KubeError


async def capabilities(client: Client) -> tuple[str, tuple[str, ...]]:
    """(the version, `v1.29.3`; every `group/version` and `group/version/Kind`). Raises KubeError."""
    answer = await client.request("GET", "/version")
    version = str(orjson.loads(answer.body).get("gitVersion", "")) if answer.status == 200 else ""
    resources = [one.resource for one in await client.discover_all()]
    served = {name for one in resources for name in (one.api_version, f"{one.api_version}/{one.kind}")}
    return version, tuple(sorted(served))


async def capabilities_if_told(client: Client) -> tuple[str, tuple[str, ...]]:
    """The same; nothing if the cluster does not say, which leaves it to Helm's defaults."""
    try:
        return await capabilities(client)
    except (KubeError, orjson.JSONDecodeError):
        return "", ()
