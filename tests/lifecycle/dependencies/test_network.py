"""The search over dense random networks, against trying every assignment: what exists is found, what is told is so."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence

import pytest

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.dependencies import network as searching
from dovetail.lifecycle.dependencies.catalogue import Candidate, Catalogue, Situation
from dovetail.lifecycle.dependencies.conflict import answer
from dovetail.lifecycle.dependencies.cores import minimal, relaxations
from dovetail.lifecycle.dependencies.demands import Goal, Request
from dovetail.lifecycle.dependencies.network import ABSENT, Network, Search, TooHard

VARIABLES, BITS = 5, 4


def network(chance: random.Random) -> Network:
    made = Network()
    for _ in range(VARIABLES):
        made.variable((1 << BITS) - 1)
    for variable in chance.sample(range(VARIABLES), chance.choice([4, 5])):
        made.add(variable, ~ABSENT)
    for _ in range(chance.randint(12, 34)):
        source, target = chance.sample(range(VARIABLES), 2)
        when = sum(1 << bit for bit in chance.sample(range(1, BITS), 1))
        allowed = sum(1 << bit for bit in chance.sample(range(1, BITS), chance.choice([1, 2, 2])))
        made.add(target, allowed, source, when)
    return made


class Oracle:
    """Which constraints every assignment breaks, as bit masks."""

    def __init__(self, made: Network) -> None:
        states = itertools.product(*[[1 << bit for bit in range(BITS)]] * VARIABLES)
        self._broken = {sum(1 << number for number in _broken(made, state)) for state in states}

    def possible(self, numbers: Iterable[int]) -> bool:
        wanted = sum(1 << number for number in numbers)
        return any(not broken & wanted for broken in self._broken)


def _broken(made: Network, state: Sequence[int]) -> Iterator[int]:
    for number, (source, when, target, allowed) in enumerate(made.constraints):
        if (source < 0 or state[source] & when) and not state[target] & allowed:
            yield number


def test_a_solution_is_found_whenever_there_is_one_and_else_a_contradiction() -> None:
    contradictions = searched = 0
    for seed in range(400):
        made = network(random.Random(seed))
        oracle, every = Oracle(made), range(len(made.constraints))
        search = Search(made)
        found = search.solve()
        assert (found is not None) is oracle.possible(every), seed
        if found is not None:
            chosen = [ABSENT if domain & ABSENT else domain for domain in found]
            assert all(value & (value - 1) == 0 for value in chosen), seed
            assert not [*_broken(made, chosen)], seed
            continue
        contradictions += 1
        searched += search.possible
        assert not oracle.possible(search.core), seed
        least = minimal(made, search.core)
        assert not oracle.possible(least), seed
        assert all(oracle.possible([one for one in least if one != gone]) for gone in least), seed
    assert contradictions > 40
    assert searched > 20, "some are only found by deciding"


def test_the_cheapest_constraints_are_given_up_and_no_more_than_that() -> None:
    told = 0
    for seed in range(150):
        chance = random.Random(seed)
        made = network(chance)
        oracle, every = Oracle(made), range(len(made.constraints))
        soft = chance.sample([number for number in every if number >= 4], 8)
        costs = {number: chance.choice([1, 1, 2, 5]) for number in soft}
        ways = list(itertools.islice(relaxations(made, costs), 4))
        assert ways == sorted(ways, key=lambda way: way[0]), seed
        for cost, off in ways:
            assert cost == sum(costs[number] for number in off), seed
            assert oracle.possible([one for one in every if one not in off]), seed
            for kept in off:
                assert not oracle.possible([one for one in every if one not in off or one == kept]), seed
        assert bool(ways) is oracle.possible([one for one in every if one not in costs]), seed
        if ways and ways[0][0]:
            told += 1
            cheaper = (
                off
                for size in range(len(costs) + 1)
                for off in itertools.combinations(costs, size)
                if sum(costs[number] for number in off) < ways[0][0]
            )
            assert not any(oracle.possible([one for one in every if one not in off]) for off in cheaper), seed
    assert told > 10


def riddle(chance: random.Random, size: int) -> Situation:
    """A catalogue that somebody made to be hard: each third extension chooses among three demands on the others."""
    found = [Candidate(f"v{at}", version) for at in range(size) for version in ("1.0.0", "2.0.0")]
    clauses = [f"c{at}" for at in range(size * 23 // 5)]
    for name in clauses:
        for step, at in enumerate(chance.sample(range(size), 3)):
            need = Dependency(
                name=f"v{at}", version=chance.choice(["=1.0.0", "=2.0.0"]), required=True, type="extension"
            )
            found.append(Candidate(name, f"{step + 1}.0.0", (need,)))
    needs = [Dependency(name=name, version="", required=True, type="extension") for name in clauses]
    return Situation(Catalogue([*found, Candidate("root", "1.0.0", tuple(needs))]), {}, Platform())


def test_a_question_that_is_made_hard_is_given_up_in_all_its_searches_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "_MOST_STEPS", 300_000)
    with pytest.raises(TooHard):
        answer(riddle(random.Random(1), 40), Request((Goal("root"),)))
