"""Which versions of which extensions to install together: the one best answer, or why there is none. Pure.

The best answer, in this order:

    1. everything goes together: all required ranges hold, all versions run here, pins are kept, and what is installed
       stays unless its removal is asked for
    2. as few of the other installed extensions as possible change their version
    3. what is asked for is as new as possible, in the order it was asked (`catalogue` says what is better than newest)
    4. what has to change or come with it is as new as possible, by name; optional ranges are wishes there

Nothing is added that nobody requires. Extensions may require each other in rings. Between answers that are equal so
far, the one that changes what comes first in the alphabet is taken, so the same question has always the same answer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from dovetail.lifecycle.dependencies.catalogue import Candidate, Situation
from dovetail.lifecycle.dependencies.choosing import Chooser
from dovetail.lifecycle.dependencies.cores import relaxations
from dovetail.lifecycle.dependencies.demands import Demands, Request
from dovetail.lifecycle.dependencies.ranges import fits, precedence
from dovetail.lifecycle.dependencies.statements import Kept

Verb = Literal["install", "upgrade", "downgrade", "uninstall"]


@dataclass(frozen=True)
class Change:
    """One step; a version is empty when the extension is not there."""

    extension: str
    before: str
    after: str

    @property
    def verb(self) -> Verb:
        if not self.before:
            return "install"
        if not self.after:
            return "uninstall"
        return "upgrade" if precedence(self.after) > precedence(self.before) else "downgrade"


@dataclass(frozen=True)
class Wish:
    """An optional dependency that is not met: the other is not there (`version` empty) or out of the range."""

    extension: str
    target: str
    range: str
    version: str


@dataclass(frozen=True)
class Solution:
    """What is installed afterwards, the steps to it (what others require comes first), and what stays only wished."""

    chosen: Mapping[str, str]
    changes: tuple[Change, ...]
    wishes: tuple[Wish, ...] = ()


def solve(situation: Situation, request: Request) -> Solution | None:
    """The best answer, or None when there is none: then ask `conflict.explain`. Raises TooHard."""
    return best(Demands(situation, request))


def best(demands: Demands) -> Solution | None:
    """The best answer to a question that is a network already."""
    chooser: Chooser | None = None
    found: tuple[int, tuple[int, ...], list[str]] | None = None
    for cost, off in relaxations(demands.network, dict.fromkeys(demands.numbers(Kept), 1)):
        if found is not None and cost > found[0]:
            break
        one = Chooser(demands, off)
        key = cost, one.ranks(), sorted(demands.statement(number).extension for number in off)
        if found is None or key < found:
            found, chooser = key, one
    return solution(demands.situation, chooser.rest()) if chooser is not None else None


def solution(situation: Situation, decided: Mapping[str, Candidate]) -> Solution:
    """From what is there afterwards to the steps that lead there."""
    chosen = {name: decided[name].version for name in sorted(decided)}
    held = situation.installed
    gone = [Change(name, held[name].version, "") for name in sorted(held.keys() - chosen.keys())]
    others = [
        Change(name, held[name].version if name in held else "", chosen[name])
        for name in _needed_first(decided)
        if name not in held or held[name].version != chosen[name]
    ]
    return Solution(chosen, (*gone, *others), tuple(_wishes(decided, {one.extension for one in others})))


def _needed_first(decided: Mapping[str, Candidate]) -> Iterator[str]:
    """Every extension after what it requires, as far as there are no rings; else by name."""
    done: set[str] = set()
    for start in sorted(decided):
        path = [start]
        while path:
            name = path[-1]
            open = [
                one.name
                for one in decided[name].needs(required=True)
                if one.name in decided and one.name not in done and one.name not in path
            ]
            if open:
                path.append(min(open))
                continue
            path.pop()
            if name not in done:
                done.add(name)
                yield name


def _wishes(decided: Mapping[str, Candidate], changed: set[str]) -> Iterator[Wish]:
    """Only those of what changes: the others are not news."""
    for name in sorted(changed):
        for one in decided[name].needs(required=False):
            other = decided.get(one.name)
            if other is None or not fits(one.version, other.version):
                yield Wish(name, one.name, one.version, other.version if other is not None else "")
