"""The smallest reasons why constraints contradict each other, and the cheapest ways to give some up. Pure.

`minimal` deletes one constraint after the other from a contradiction as long as one remains: without any one of the
result the others have a solution. `relaxations` finds what to give up, cheapest first, by branching over such
contradictions: whoever solves it gives up at least one member of each.
"""

import heapq
from collections.abc import Collection, Iterator, Mapping

from dovetail.lifecycle.dependencies.network import Network, Search

_MOST_LOOKS = 2_000


def minimal(network: Network, core: Collection[int]) -> tuple[int, ...]:
    """A part of a contradiction, still one, that loses it with any of its members; ascending."""
    kept, certain = sorted(core), set[int]()
    while rest := [number for number in kept if number not in certain]:
        tried = rest[-1]
        smaller = _contradiction(network, [number for number in kept if number != tried])
        if smaller is None:
            certain.add(tried)
        else:
            kept = sorted(smaller)
    return tuple(kept)


def _contradiction(network: Network, numbers: Collection[int]) -> frozenset[int] | None:
    small, names = network.part(numbers)
    search = Search(small)
    return None if search.solve() is not None else frozenset(names[number] for number in search.core)


def relaxations(network: Network, costs: Mapping[int, int]) -> Iterator[tuple[int, frozenset[int]]]:
    """What to give up, of the constraints that have a cost, so that the rest has a solution: cheapest first.

    Each is minimal: no part of it is enough. Nothing comes when the constraints without costs contradict each other.
    """
    heap: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    pushed: set[tuple[int, ...]] = {()}
    found, cores = list[frozenset[int]](), list[frozenset[int]]()
    looks = 0
    while heap and looks < _MOST_LOOKS:
        cost, given_up = heapq.heappop(heap)
        off = frozenset(given_up)
        if any(one <= off for one in found):
            continue
        core = next((one for one in cores if not one & off), None)
        if core is None:
            looks += 1
            search = Search(network, off)
            if search.solve() is not None:
                found.append(off)
                yield cost, off
                continue
            core = frozenset(minimal(network, search.core))
            cores.append(core)
        for number in sorted(core & costs.keys()):
            more = tuple(sorted((*given_up, number)))
            if more not in pushed:
                pushed.add(more)
                heapq.heappush(heap, (cost + costs[number], more))
