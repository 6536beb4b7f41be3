"""Reading any served kind: one object, or a list in Kubernetes' envelope with the platform's query grammar.

The workspace of the URL is one more condition on what is shown, never a replacement of what the client asked for.
Kinds of identity and tenancy come from the caches, others from the API; single objects always come from the API.
"""

from collections.abc import Mapping
from typing import Any

from dovetail.apis.labels import WORKSPACE
from dovetail.kube.errors import NotFound
from dovetail.kube.objects import key_of, labels_of
from dovetail.kube.resources import api_version_of
from dovetail.platform.bound_bodies import Target
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import Missing
from dovetail.platform.listing import ListQuery, list_of
from dovetail.platform.shown_objects import shown

Object = dict[str, Any]
Objects = list[Object]


class ObjectReads:
    """Objects as the platform's API shows them."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    async def list(self, target: Target, query: ListQuery) -> Object:
        """The objects of the URL's place that are asked for."""
        resource = target.kind.resource
        found = [obj for obj in await self._all(target, query) if self._inside(obj, target)]
        seen = [shown(obj, resource.group, resource.plural) for obj in found]
        return list_of(seen, query, api_version_of(resource), f"{resource.kind}List")

    async def get(self, target: Target) -> Object:
        """The object as it is stored; `shown` makes it what may be shown. Raises Missing."""
        try:
            obj = await self._deps.client.get(target.kind.resource, target.name, target.namespace or None)
        except NotFound as error:
            raise Missing(f"{target.described} not found") from error
        if not self._inside(obj, target):
            raise Missing(f"{target.described} not found")
        return obj

    async def _all(self, target: Target, query: ListQuery) -> Objects:
        try:
            return self._deps.directory(target.kind.resource).list(target.namespace or None)
        except LookupError:
            labels = query.labels
            if target.workspace and target.kind.home != "namespace":
                labels = labels.narrowed(WORKSPACE, target.workspace)
            listed = await self._deps.client.list(
                target.kind.resource, target.namespace or None, label_selector=str(labels)
            )
            return listed.items

    def _inside(self, obj: Mapping[str, Any], target: Target) -> bool:
        """Whether the object lies in the URL's workspace."""
        if not target.workspace:
            return True
        if target.kind.home == "namespace":
            return self._deps.policy().namespaces.get(key_of(obj).namespace) == target.workspace
        return labels_of(obj).get(WORKSPACE) == target.workspace
