"""Carrying verdicts out, after asking the API whether the graph is right.

Work comes as uids (in the name of a `Key`). Before an object is touched it is read anew, and every write names the
version it was decided on, so that a change in between makes the write fail and the object is judged again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from dovetail.embedded.controllers.garbage.graph import ORPHAN, Graph, Node, Owner, is_stranger, node_of
from dovetail.embedded.controllers.garbage.verdict import (
    Delete,
    DeleteDependents,
    DropOwners,
    Keep,
    OrphanDependents,
    OwnerState,
    Release,
    Verdict,
    judge,
)
from dovetail.kube import (
    Client,
    Controller,
    EventRecorder,
    Key,
    NotFound,
    Object,
    Propagation,
    RequeueAfter,
    UnknownKind,
    finalizers_of,
    owners_of,
    resource_version_of,
    uid_of,
)

WORKERS = 4
UNTIL_FILLED = 0.5
UNSEEN_OWNER = 10.0


class Collector:
    """The graph with hands. `controller` runs it; `enqueue` says what to look at."""

    def __init__(self, client: Client, graph: Graph) -> None:
        self._client, self._graph = client, graph
        self._events = EventRecorder(client, "garbage-collector-controller")
        self.filled = False
        """Whether the graph is complete; before that an owner that is missing in it means nothing."""
        self.controller = Controller("garbage-collection", self._reconcile, workers=WORKERS)

    def enqueue(self, uids: Iterable[str]) -> None:
        """Look at these objects."""
        for uid in uids:
            self.controller.enqueue(Key("", uid))

    async def _reconcile(self, key: Key) -> RequeueAfter | None:
        if not self.filled:
            return RequeueAfter(UNTIL_FILLED)
        node = self._graph.get(key.name)
        if node is None:
            return None
        await self._report_strangers(node)
        if isinstance(await self._judge(node), Keep):
            return self._look_again(node)
        live = await self._live(node)
        if live is None:
            self.enqueue(self._graph.forget(node.uid))
        else:
            node = node_of(node.resource, live)
            await self._carry_out(await self._judge(node), node, live)
        return None

    def _look_again(self, node: Node) -> RequeueAfter | None:
        """Nobody tells us when an owner goes that we do not watch."""
        unseen = not node.deleting and any(self._graph.get(owner.uid) is None for owner in node.owners)
        return RequeueAfter(UNSEEN_OWNER) if unseen else None

    async def _judge(self, node: Node) -> Verdict:
        states: dict[str, OwnerState] = {}
        if not node.deleting:
            states = {owner.uid: await self._state(owner, node) for owner in node.owners}
        return judge(node, states, self._graph.dependents(node.uid))

    async def _state(self, owner: Owner, dependent: Node) -> OwnerState:
        known = self._graph.get(owner.uid)
        if known is not None and known.is_named_by(owner, dependent):
            return OwnerState.WAITING if known.deletes_dependents_first else OwnerState.SOLID
        try:
            resource = await self._client.discover(owner.api_version, owner.kind)
        except UnknownKind:
            return OwnerState.UNKNOWN
        if resource.namespaced and not dependent.key.namespace:
            return OwnerState.UNKNOWN  # a cluster-scoped object cannot say in which namespace its owner is
        namespace = dependent.key.namespace if resource.namespaced else None
        try:
            found = await self._client.get(resource, owner.name, namespace, metadata_only=True)
        except NotFound:
            return OwnerState.DANGLING
        if uid_of(found) != owner.uid:
            return OwnerState.DANGLING
        return OwnerState.WAITING if node_of(resource, found).deletes_dependents_first else OwnerState.SOLID

    async def _report_strangers(self, node: Node) -> None:
        """An owner in another namespace is no owner: say so where people look."""
        for owner in node.owners:
            known = self._graph.get(owner.uid)
            if known is None or node.deleting or not is_stranger(known, node):
                continue
            where = f"namespace: {node.key.namespace}, name: {owner.name}, uid: {owner.uid}"
            who = f"[{owner.api_version}/{owner.kind}, {where}]"
            subject = {
                "apiVersion": node.resource.api_version, "kind": node.resource.kind,
                "metadata": {"name": node.key.name, "namespace": node.key.namespace, "uid": node.uid},
            }  # fmt: skip
            text = f'ownerRef {who} does not exist in namespace "{node.key.namespace}"'
            await self._events.record(subject, "Warning", "OwnerRefInvalidNamespace", text)

    async def _live(self, node: Node) -> Object | None:
        try:
            live = await self._client.get(node.resource, node.key.name, node.key.namespace or None, metadata_only=True)
        except NotFound:
            return None
        return live if uid_of(live) == node.uid else None

    async def _carry_out(self, verdict: Verdict, node: Node, live: Mapping[str, Any]) -> None:
        match verdict:
            case Keep():
                return
            case DropOwners(uids):
                await self._patch(node, live, ownerReferences=_without(live, uids))
            case Delete(propagation, unblock):
                if unblock:
                    live = await self._patch(node, live, ownerReferences=_unblocked(live))
                await self._delete(node, live, propagation)
            case Release(finalizer):
                await self._release(node, live, finalizer)
            case DeleteDependents():
                self.enqueue(dependent.uid for dependent in self._graph.dependents(node.uid))
            case OrphanDependents():
                await self._orphan(node, live)

    async def _orphan(self, node: Node, live: Mapping[str, Any]) -> None:
        for dependent in self._graph.dependents(node.uid):
            found = await self._live(dependent)
            if found is not None:
                await self._patch(dependent, found, ownerReferences=_without(found, {node.uid}))
        await self._release(node, live, ORPHAN)

    async def _release(self, node: Node, live: Mapping[str, Any], finalizer: str) -> None:
        await self._patch(node, live, finalizers=[name for name in finalizers_of(live) if name != finalizer])

    async def _delete(self, node: Node, live: Mapping[str, Any], propagation: Propagation) -> None:
        try:
            await self._client.delete(
                node.resource,
                node.key.name,
                node.key.namespace or None,
                propagation=propagation,
                uid=node.uid,
                resource_version=resource_version_of(live),
            )
        except NotFound:
            return

    async def _patch(self, node: Node, live: Mapping[str, Any], **fields: object) -> Mapping[str, Any]:
        patch = {"metadata": {"uid": node.uid, "resourceVersion": resource_version_of(live), **fields}}
        try:
            return await self._client.patch(node.resource, node.key.name, patch, node.key.namespace or None)
        except NotFound:
            return live


def _without(live: Mapping[str, Any], uids: Iterable[str]) -> list[Mapping[str, Any]]:
    gone = set(uids)
    return [reference for reference in owners_of(live) if reference.get("uid") not in gone]


def _unblocked(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [{**reference, "blockOwnerDeletion": False} for reference in owners_of(live)]
