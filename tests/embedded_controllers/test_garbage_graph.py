"""Who owns whom: the index of dependents, and who is told to look."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Node, Owner, node_of
from dovetail.kube import CONFIGMAPS, NAMESPACES, SECRETS, Key

UIDS = st.sampled_from("abcdef")


def owner(uid: str, blocks: bool = False) -> Owner:
    return Owner("v1", "ConfigMap", f"name-{uid}", uid, blocks)


def node(uid: str, *owners: str, finalizers: tuple[str, ...] = (), deleting: bool = False) -> Node:
    references = tuple(owner(o) for o in owners)
    return Node(CONFIGMAPS, Key("n", f"name-{uid}"), uid, references, frozenset(finalizers), deleting)


NODES = st.builds(
    lambda uid, owners, finalizers, deleting: node(uid, *owners, finalizers=tuple(finalizers), deleting=deleting),
    UIDS, st.sets(UIDS), st.sets(st.sampled_from([FOREGROUND, ORPHAN, "x/y"])), st.booleans(),
)  # fmt: skip


@given(st.lists(st.one_of(NODES, UIDS), max_size=30))
def test_dependents_are_those_that_name_the_owner_now(steps: list[Any]) -> None:
    graph, present = Graph(), dict[str, Node]()
    for step in steps:
        if isinstance(step, Node):
            graph.observe(step)
            present[step.uid] = step
        else:
            graph.forget(step)
            present.pop(step, None)
        assert len(graph) == len(present)
        for uid in "abcdef":
            assert graph.get(uid) == present.get(uid)
            expected = {n.uid for n in present.values() if uid in {o.uid for o in n.owners}}
            assert {n.uid for n in graph.dependents(uid)} == expected
        unseen = {n.uid for n in present.values() if any(o.uid not in present for o in n.owners)}
        assert graph.with_unseen_owners() == unseen
    assert set(graph._dependents) == {o.uid for n in present.values() for o in n.owners}


def test_an_object_with_owners_is_looked_at_unless_they_are_known_and_well() -> None:
    graph = Graph()
    assert graph.observe(node("child", "owner")) == {"child"}
    assert graph.observe(node("owner")) == set()
    assert graph.observe(node("child2", "owner")) == set()
    assert graph.observe(node("child2", "owner")) == set()
    assert graph.forget("owner") == {"child", "child2"}
    assert graph.forget("owner") == set()


def test_a_foreground_deletion_looks_down_and_later_up() -> None:
    graph = Graph()
    graph.observe(node("owner"))
    graph.observe(node("child", "owner"))
    assert graph.observe(node("owner", finalizers=(FOREGROUND,), deleting=True)) == {"owner", "child"}
    assert graph.observe(node("late", "owner")) == {"late", "owner"}
    assert graph.observe(node("late")) == {"owner"}
    assert graph.forget("child") == {"owner"}


def test_an_orphaning_deletion_is_looked_at() -> None:
    assert Graph().observe(node("owner", finalizers=(ORPHAN,), deleting=True)) == {"owner"}
    assert Graph().observe(node("owner", finalizers=(ORPHAN,))) == set()


def test_a_reference_names_an_object_only_with_all_its_words() -> None:
    child = node("child", "owner")
    assert node("owner").is_named_by(owner("owner"), child)
    assert not node("other").is_named_by(owner("owner"), child)
    elsewhere = Node(CONFIGMAPS, Key("m", "name-owner"), "owner", (), frozenset(), False)
    assert not elsewhere.is_named_by(owner("owner"), child)
    another_kind = Node(SECRETS, Key("n", "name-owner"), "owner", (), frozenset(), False)
    assert not another_kind.is_named_by(owner("owner"), child)
    cluster_scoped = Node(NAMESPACES, Key("", "x"), "owner", (), frozenset(), False)
    assert cluster_scoped.is_named_by(Owner("v1", "Namespace", "x", "owner", False), child)
    assert Owner("apps/v1beta1", "Deployment", "x", "u", False).group == "apps"


def test_nodes_are_read_from_metadata_alone_and_from_nonsense() -> None:
    meta = {
        "name": "a", "namespace": "n", "uid": "u", "finalizers": ["x"], "deletionTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "o", "blockOwnerDeletion": True}],
    }  # fmt: skip
    expected = Node(CONFIGMAPS, Key("n", "a"), "u", (Owner("v1", "Pod", "p", "o", True),), frozenset({"x"}), True)
    assert node_of(CONFIGMAPS, {"metadata": meta}) == expected
    assert node_of(CONFIGMAPS, {}) == Node(CONFIGMAPS, Key("", ""), "", (), frozenset(), False)
