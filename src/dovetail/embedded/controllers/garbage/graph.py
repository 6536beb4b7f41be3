"""Who owns whom. Pure: objects go in, and out comes which objects need a look.

A node is what garbage collection needs of an object and no more, because there is one for each object of the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dovetail.kube import Key, Resource, finalizers_of, is_deleting, key_of, owners_of, uid_of

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Owner:
    """An entry of `metadata.ownerReferences`; `blocks`: the owner's foreground deletion waits for the dependent."""

    api_version: str
    kind: str
    name: str
    uid: str
    blocks: bool

    @property
    def group(self) -> str:
        """The API group; versions of a group are the same objects."""
        return self.api_version.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Node:
    """One object."""

    resource: Resource
    key: Key
    uid: str
    owners: tuple[Owner, ...]
    finalizers: frozenset[str]
    deleting: bool

    @property
    def deletes_dependents_first(self) -> bool:
        """Whether it is being deleted in the foreground."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        """Whether it is being deleted and its dependents are to stay."""
        return self.deleting and ORPHAN in self.finalizers

    def is_named_by(self, owner: Owner, dependent: "Node") -> bool:
        """Whether the reference's words fit this object too, not just its uid."""
        return (
            owner.uid == self.uid
            and (owner.group, owner.kind, owner.name) == (self.resource.group, self.resource.kind, self.key.name)
            and self.key.namespace in ("", dependent.key.namespace)
        )


def is_stranger(owner: Node, dependent: Node) -> bool:
    """Whether the object that a reference means lies where it cannot own the dependent."""
    return bool(owner.key.namespace) and owner.key.namespace != dependent.key.namespace


_NO_FINALIZERS: frozenset[str] = frozenset()


def node_of(resource: Resource, obj: Mapping[str, Any]) -> Node:
    """The node of an object (its metadata is enough)."""
    return Node(
        resource,
        key_of(obj),
        uid_of(obj),
        tuple(_owner(reference) for reference in owners_of(obj)),
        frozenset(finalizers_of(obj)) or _NO_FINALIZERS,
        is_deleting(obj),
    )


class Graph:
    """All nodes by uid, and the uids that each uid's object owns (whether or not the owner itself was seen)."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, uid: str) -> Node | None:
        """The node, or None."""
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> list[Node]:
        """The known objects that name this uid as an owner."""
        return [self._nodes[dependent] for dependent in self._dependents.get(uid, ())]

    def with_unseen_owners(self) -> set[str]:
        """The objects that name an owner which was not seen: it is gone, or of a kind that is not watched (yet)."""
        unseen = self._dependents.keys() - self._nodes.keys()
        return set[str]().union(*(self._dependents[uid] for uid in unseen))

    def observe(self, node: Node) -> set[str]:
        """Take a node in, new or changed; the uids that need a look now."""
        old = self._nodes.get(node.uid)
        if node == old:
            return set()
        self._nodes[node.uid] = node
        self._link(node.uid, _owner_uids(old), _owner_uids(node))
        look: set[str] = set()
        if node.orphans_dependents:
            look.add(node.uid)
        if node.deletes_dependents_first:
            look.add(node.uid)
            look |= self._dependents.get(node.uid, set())
        if any(self._is_doubtful(owner.uid, node) for owner in node.owners):
            look.add(node.uid)
        return look | self._waiting_owners(old) | self._waiting_owners(node)

    def forget(self, uid: str) -> set[str]:
        """The object is gone; the uids that need a look now: its dependents, and owners that waited for it."""
        node = self._nodes.pop(uid, None)
        if node is None:
            return set()
        self._link(uid, _owner_uids(node), set())
        return set(self._dependents.get(uid, ())) | self._waiting_owners(node)

    def _link(self, uid: str, before: set[str], after: set[str]) -> None:
        for owner in before - after:
            dependents = self._dependents.get(owner, set())
            dependents.discard(uid)
            if not dependents:
                self._dependents.pop(owner, None)
        for owner in after - before:
            self._dependents.setdefault(owner, set()).add(uid)

    def _is_doubtful(self, uid: str, dependent: Node) -> bool:
        owner = self._nodes.get(uid)
        return owner is None or owner.deletes_dependents_first or is_stranger(owner, dependent)

    def _waiting_owners(self, node: Node | None) -> set[str]:
        owners = (self._nodes.get(uid) for uid in _owner_uids(node))
        return {owner.uid for owner in owners if owner is not None and owner.deletes_dependents_first}


def _owner_uids(node: Node | None) -> set[str]:
    return {owner.uid for owner in node.owners} if node else set()


def _owner(reference: Mapping[str, Any]) -> Owner:
    return Owner(
        str(reference.get("apiVersion") or ""),
        str(reference.get("kind") or ""),
        str(reference.get("name") or ""),
        str(reference.get("uid") or ""),
        reference.get("blockOwnerDeletion") is True,
    )
