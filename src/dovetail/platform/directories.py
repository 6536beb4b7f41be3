"""The caches that the platform's API reads lists from: one informer a kind, shared with whoever else in the process
asked for `runtime.informer(kind, optional=True, transform=transform_of(kind))`.

All kinds of identity and tenancy are kept, since the policy is made of nearly all of them anyway, and namespaces. Login
records are not: they are many and read rarely. What is not kept is asked from the API, by whoever wants it; handing out
an empty cache for it would be a list that lies.
"""

from typing import Final

from dovetail.apis import crds
from dovetail.apis.labels import WORKSPACE
from dovetail.iam.aggregation import transform_of
from dovetail.iam.served_definitions import served_definitions
from dovetail.kube.lister import Lister
from dovetail.kube.objects import labels_of
from dovetail.kube.resources import NAMESPACES, Object, ResourceLike
from dovetail.kube.runtime import ControllerRuntime

_GROUPS: Final = frozenset({"iam.kubesphere.io", "tenant.kubesphere.io", "quota.kubesphere.io"})
_NOT_KEPT: Final = frozenset({"loginrecords"})


def _workspace_of(obj: Object) -> list[str]:
    workspace = labels_of(obj).get(WORKSPACE)
    return [workspace] if workspace else []


BY_WORKSPACE: Final = "workspace of label"
_INDEXERS: Final = {BY_WORKSPACE: _workspace_of}
"""Every directory finds what is of a workspace without looking at what is not: there may be fifty thousand bindings."""


class Directories:
    """`directories(resource)` is the cache of a kept kind. Make it before the runtime runs: then all are filled when
    it is ready."""

    def __init__(self, runtime: ControllerRuntime) -> None:
        kept: list[ResourceLike] = [kind.resource for kind in crds.KINDS if kind.resource.group in _GROUPS]
        kept = [resource for resource in kept if resource.plural not in _NOT_KEPT]
        self._kept = {
            (resource.group, resource.plural): runtime.informer(
                resource, optional=True, indexers=_INDEXERS, transform=transform_of(resource)
            )
            for resource in (*kept, NAMESPACES)
        }

        self._definitions = served_definitions(runtime)

    def definitions(self) -> list[Object]:
        """The CustomResourceDefinitions of other people's kinds that are served generically."""
        return self._definitions.lister.list()

    def __contains__(self, resource: ResourceLike) -> bool:
        return (resource.group, resource.plural) in self._kept

    def __call__(self, resource: ResourceLike) -> Lister:
        """The cache. Raises LookupError for a kind that is not kept."""
        informer = self._kept.get((resource.group, resource.plural))
        if informer is None:
            raise LookupError(f"{resource.plural} are not kept; ask the API for them")
        return informer.lister
