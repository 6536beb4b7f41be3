"""What is to be done with one object, given the state of its owners and dependents. Pure.

The rules are those of kube-controller-manager's garbage collector: an object stays while one owner is solid;
references to owners that are gone, or that delete their dependents first, are taken off it then. Without a solid
owner it is deleted, the way its own finalizers say; if an owner waits for it and it has dependents itself, in the
foreground, so that the whole tree is gone before its root. An object that deletes its dependents first waits for
those that block it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dovetail.embedded.controllers.garbage.graph import FOREGROUND, ORPHAN, Node
from dovetail.kube import Propagation


class OwnerState(Enum):
    """What is known of an owner."""

    SOLID = "it is there"
    DANGLING = "it is gone"
    WAITING = "it is being deleted and waits for its dependents"
    UNKNOWN = "its kind is not served, so nobody can tell"


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class DropOwners:
    """Take the references to these uids off the object."""

    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object. `unblock`: first let its owners stop waiting for it, because they wait in a circle."""

    propagation: Propagation
    unblock: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Take this finalizer off the object: what it stood for is done."""

    finalizer: str


@dataclass(frozen=True, slots=True)
class DeleteDependents:
    """Look at the dependents: each finds that this owner waits for it."""


@dataclass(frozen=True, slots=True)
class OrphanDependents:
    """Take the references to this object off its dependents, then its finalizer `orphan` off itself."""


Verdict = Keep | DropOwners | Delete | Release | DeleteDependents | OrphanDependents


def judge(node: Node, owners: Mapping[str, OwnerState], dependents: Sequence[Node]) -> Verdict:
    """The verdict; `owners` holds a state for the uid of every owner that the node names."""
    if node.deleting:
        return _judge_deleting(node, dependents)
    states = {owner.uid: owners[owner.uid] for owner in node.owners}
    if not states or OwnerState.UNKNOWN in states.values():
        return Keep()
    leaving = frozenset(uid for uid, state in states.items() if state is not OwnerState.SOLID)
    if len(leaving) < len(states):
        return DropOwners(leaving) if leaving else Keep()
    if OwnerState.WAITING in states.values() and dependents:
        return Delete("Foreground", unblock=any(d.deletes_dependents_first for d in dependents))
    return Delete(_own_wish(node))


def _judge_deleting(node: Node, dependents: Sequence[Node]) -> Verdict:
    if node.orphans_dependents:
        return OrphanDependents()
    if not node.deletes_dependents_first:
        return Keep()
    if any(owner.blocks for d in dependents for owner in d.owners if owner.uid == node.uid):
        return DeleteDependents()
    return Release(FOREGROUND)


def _own_wish(node: Node) -> Propagation:
    if ORPHAN in node.finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in node.finalizers else "Background"
