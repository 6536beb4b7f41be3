"""Clusters in paths: `/clusters/<name>/apis/...` is the API of the cluster of this name. Pure.

This platform serves one cluster, its own, under the name `host` (reference/kubesphere-core.md 1.6): its paths lose
their first two segments before they are matched and authorized, so they are the same requests as without. Every other
cluster is unknown. Pages of the console below `/clusters` are no APIs and stay as they are.
"""

from typing import Final

LOCAL: Final = "host"
_BASE: Final = "/clusters/"
_APIS: Final = frozenset(("api", "apis", "kapi", "kapis", "openapi", "version"))


def local_path(path: str) -> str | None:
    """A canonical path as this cluster itself knows it; None when it is in another cluster."""
    if not path.startswith(_BASE):
        return path
    name, slash, rest = path.removeprefix(_BASE).partition("/")
    if not slash or rest.partition("/")[0] not in _APIS:
        return path
    return f"/{rest}" if name == LOCAL else None
