"""What becomes of objects: single verdicts, and whole clusters driven by nothing but notifications."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.controllers.garbage.graph import FOREGROUND, ORPHAN, Graph, Node, Owner
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
from dovetail.kube import CONFIGMAPS, Key, Propagation
from tests.embedded_controllers.test_garbage_graph import node, owner

SOLID, DANGLING, WAITING, UNKNOWN = OwnerState
CHILD = node("child", "me")
BLOCKING = replace(CHILD, owners=(owner("me", blocks=True),))


@pytest.mark.parametrize(
    ("owners", "verdict"),
    [
        ({}, Keep()),
        ({"a": SOLID}, Keep()),
        ({"a": SOLID, "b": DANGLING}, DropOwners(frozenset({"b"}))),
        ({"a": SOLID, "b": WAITING, "c": DANGLING}, DropOwners(frozenset({"b", "c"}))),
        ({"a": DANGLING}, Delete("Background")),
        ({"a": DANGLING, "b": DANGLING}, Delete("Background")),
        ({"a": DANGLING, "b": UNKNOWN}, Keep()),
        ({"a": WAITING}, Delete("Background")),
    ],
)
def test_owners_decide(owners: Mapping[str, OwnerState], verdict: Verdict) -> None:
    assert judge(node("me", *owners), owners, []) == verdict


def test_an_owner_that_waits_makes_dependents_go_first() -> None:
    me = node("me", "a")
    assert judge(me, {"a": WAITING}, [CHILD]) == Delete("Foreground")
    circle = replace(CHILD, finalizers=frozenset({FOREGROUND}), deleting=True)
    assert judge(me, {"a": WAITING}, [circle]) == Delete("Foreground", unblock=True)
    assert judge(me, {"a": DANGLING}, [CHILD]) == Delete("Background")


def test_the_object_s_own_finalizers_say_how_it_goes() -> None:
    assert judge(node("me", "a", finalizers=(ORPHAN,)), {"a": DANGLING}, []) == Delete("Orphan")
    assert judge(node("me", "a", finalizers=(FOREGROUND,)), {"a": DANGLING}, []) == Delete("Foreground")


def test_being_deleted() -> None:
    assert judge(node("me", "a", deleting=True), {}, [CHILD]) == Keep()
    foreground = node("me", finalizers=(FOREGROUND, "x"), deleting=True)
    assert judge(foreground, {}, [CHILD]) == Release(FOREGROUND)
    assert judge(foreground, {}, [BLOCKING]) == DeleteDependents()
    assert judge(node("me", finalizers=(ORPHAN, FOREGROUND), deleting=True), {}, [BLOCKING]) == OrphanDependents()


class World:
    """A cluster in memory: deletes as the API does, tells the graph, and works off what the graph asks to look at."""

    def __init__(self, nodes: list[Node]) -> None:
        self.objects: dict[str, Node] = {}
        self.graph = Graph()
        self.look: list[str] = []
        for each in nodes:
            self.put(each)

    def put(self, changed: Node) -> None:
        if changed.deleting and not changed.finalizers:
            self.objects.pop(changed.uid, None)
            self.look += sorted(self.graph.forget(changed.uid))
        else:
            self.objects[changed.uid] = changed
            self.look += sorted(self.graph.observe(changed))

    def delete(self, uid: str, propagation: Propagation) -> None:
        extra = {"Foreground": {FOREGROUND}, "Orphan": {ORPHAN}, "Background": set[str]()}[propagation]
        target = self.objects[uid]
        if not target.deleting:
            self.put(replace(target, deleting=True, finalizers=target.finalizers | extra))

    def settle(self) -> None:
        for _ in range(10_000):
            if not self.look:
                return
            uid = self.look.pop(0)
            if uid in self.objects:
                self.carry_out(self.objects[uid])
        pytest.fail("it does not come to rest")

    def carry_out(self, me: Node) -> None:
        dependents = self.graph.dependents(me.uid)
        match judge(me, {o.uid: self.state(o.uid) for o in me.owners}, dependents):
            case DropOwners(uids):
                self.put(replace(me, owners=tuple(o for o in me.owners if o.uid not in uids)))
            case Delete(propagation, unblock):
                if unblock:
                    me = replace(me, owners=tuple(replace(o, blocks=False) for o in me.owners))
                    self.put(me)
                self.delete(me.uid, propagation)
            case Release(finalizer):
                if finalizer == FOREGROUND:
                    assert not any(o.uid == me.uid and o.blocks for d in self.objects.values() for o in d.owners)
                self.put(replace(me, finalizers=me.finalizers - {finalizer}))
            case DeleteDependents():
                self.look += [dependent.uid for dependent in dependents]
            case OrphanDependents():
                for d in dependents:
                    self.put(replace(d, owners=tuple(o for o in d.owners if o.uid != me.uid)))
                self.put(replace(me, finalizers=me.finalizers - {ORPHAN}))
            case Keep():
                pass

    def state(self, uid: str) -> OwnerState:
        found = self.objects.get(uid)
        if found is None:
            return DANGLING
        return WAITING if found.deletes_dependents_first else SOLID


def forest(edges: set[tuple[int, int]], blocking: set[tuple[int, int]], size: int) -> list[Node]:
    return [
        Node(
            CONFIGMAPS, Key("n", str(at)), str(at),
            tuple(Owner("v1", "ConfigMap", str(a), str(a), (a, b) in blocking) for a, b in sorted(edges) if b == at),
            frozenset(), False,
        )
        for at in range(size)
    ]  # fmt: skip


SIZE = 8
PAIRS = st.tuples(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1))
EDGES = st.sets(PAIRS.filter(lambda pair: pair[0] != pair[1]), max_size=14)
WAYS = st.dictionaries(st.integers(0, SIZE - 1), st.sampled_from(["Background", "Foreground"]), max_size=4)


@given(EDGES, EDGES, WAYS, st.randoms(use_true_random=False))
def test_exactly_what_nothing_alive_owns_any_more_goes(edges, blocking, ways, random) -> None:  # type: ignore[no-untyped-def]
    edges = {(min(pair), max(pair)) for pair in edges}
    nodes = forest(edges, blocking, SIZE)
    random.shuffle(nodes)
    world = World(nodes)
    world.settle()
    assert len(world.objects) == SIZE
    for uid, way in ways.items():
        if str(uid) in world.objects:
            world.delete(str(uid), way)
    world.settle()
    alive: set[int] = set()
    for at in range(SIZE):  # owners have smaller numbers
        owners = {a for a, b in edges if b == at}
        if at not in ways and (not owners or owners & alive):
            alive.add(at)
    assert {int(uid) for uid in world.objects} == alive
    assert all(int(o.uid) in alive for n in world.objects.values() for o in n.owners)


@given(EDGES, EDGES, WAYS, st.sets(st.integers(0, SIZE - 1)))
def test_circles_and_orphans_come_to_rest_too(edges, blocking, ways, orphaning) -> None:  # type: ignore[no-untyped-def]
    world = World(forest(edges, blocking, SIZE))
    world.settle()
    for uid in orphaning | set(ways):
        if str(uid) in world.objects:
            world.delete(str(uid), "Orphan" if uid in orphaning else ways[uid])
            world.settle()
    assert not any(n.deleting for n in world.objects.values())
    assert all(o.uid in world.objects for n in world.objects.values() for o in n.owners)


def test_orphans_stay() -> None:
    world = World(forest({(0, 1), (1, 2)}, set(), 3))
    world.delete("0", "Orphan")
    world.settle()
    assert {n.uid: [o.uid for o in n.owners] for n in world.objects.values()} == {"1": [], "2": ["1"]}
