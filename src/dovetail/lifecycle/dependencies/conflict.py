"""Why there is no answer: the smallest contradiction, and what would solve it. Pure.

The contradiction is minimal: without any one of its statements the others go together. The repairs are ranked: changing
what is installed before giving up a pin, before another version than was asked for, before uninstalling something,
before another Kubernetes, before waiting for a version that nobody has published. Each repair is minimal, too.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dovetail.lifecycle.dependencies.catalogue import Situation
from dovetail.lifecycle.dependencies.choosing import Chooser
from dovetail.lifecycle.dependencies.cores import minimal, relaxations
from dovetail.lifecycle.dependencies.demands import Demands, Request
from dovetail.lifecycle.dependencies.network import Search
from dovetail.lifecycle.dependencies.solver import Change, Solution, best, solution
from dovetail.lifecycle.dependencies.statements import (
    Asked,
    AskedVersion,
    Kept,
    Needs,
    Pinned,
    Statement,
    Stays,
    Wants,
)

_COSTS: dict[type[Statement], int] = {Kept: 1, AskedVersion: 3, Pinned: 4, Stays: 8, Wants: 16, Needs: 32}
_REPAIRS = 3
_DOWNGRADE = 2


@dataclass(frozen=True)
class Repair:
    """What to give up, and the steps that then lead to what was asked; no steps while something is unpublished."""

    given_up: tuple[Statement, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """Statements that contradict each other, and ways out, the best first."""

    core: tuple[Statement, ...]
    repairs: tuple[Repair, ...]


def answer(situation: Situation, request: Request) -> Solution | Conflict:
    """The best set of versions, or why there is none. Raises TooHard."""
    demands = Demands(situation, request)
    return best(demands) or explain(demands)


def explain(demands: Demands) -> Conflict:
    """Of a question that has no answer."""
    search = Search(demands.network, set(demands.numbers(Kept)))
    found = search.solve()
    assert found is None, "a question that has an answer is not explained"
    core = tuple(_told(demands, demands.statement(number)) for number in minimal(demands.network, search.core))
    ranked = sorted(_repairs(demands), key=lambda one: one[0])
    return Conflict(core, tuple(repair for _, repair in ranked[:_REPAIRS]))


def _repairs(demands: Demands) -> Iterator[tuple[int, Repair]]:
    costs = {
        number: _COSTS[type(demands.statement(number))]
        for number in demands.numbers(*_COSTS)
        if _can_be_given_up(demands, demands.statement(number))
    }
    for cost, off in itertools.islice(relaxations(demands.network, costs), 2 * _REPAIRS):
        given_up = tuple(_told(demands, demands.statement(number)) for number in sorted(off))
        if any(isinstance(one, Needs) for one in given_up):
            yield cost, Repair(given_up)
            continue
        chooser = Chooser(demands, off)
        chooser.ranks()
        changes = solution(demands.situation, chooser.rest()).changes
        yield cost + _DOWNGRADE * sum(one.verb == "downgrade" for one in changes), Repair(given_up, changes)


def _can_be_given_up(demands: Demands, statement: Statement) -> bool:
    """A dependency only when no version fits it: then one may be published."""
    return not isinstance(statement, Needs) or not demands.mask(statement.target, statement.range)


def _told(demands: Demands, statement: Statement) -> Statement:
    """With the versions that there are."""
    catalogue = demands.situation.catalogue
    if isinstance(statement, Needs):
        return replace(statement, offered=tuple(one.version for one in catalogue.versions(statement.target)))
    if isinstance(statement, Asked | AskedVersion):
        return replace(statement, offered=tuple(one.version for one in catalogue.versions(statement.extension)))
    return statement
