"""Whether a namespace still takes objects.

A controller that puts something into every namespace meets namespaces that are just being deleted: there the API
forbids to create anything, which is no failure.
"""

from dovetail.kube import NAMESPACES, Client, NotFound, is_deleting


async def is_alive(client: Client, namespace: str) -> bool:
    """Asks the API, not a cache: the caller has just been refused."""
    try:
        return not is_deleting(await client.get(NAMESPACES, namespace))
    except NotFound:
        return False
