"""The solver's answer by trying everything: the definition in `solver`'s words, without any cleverness."""

import itertools
from collections.abc import Iterator, Mapping

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle.dependencies.catalogue import Candidate, Situation
from dovetail.lifecycle.dependencies.demands import Request
from dovetail.lifecycle.dependencies.ranges import fits

Answer = dict[str, str]


def all_answers(situation: Situation, request: Request) -> Iterator[Answer]:
    """Every set of versions that goes together."""
    names = sorted({*situation.catalogue, *situation.installed})
    values = [["", *_offered(situation, name)] for name in names]
    for chosen in itertools.product(*values):
        answer = {name: version for name, version in zip(names, chosen, strict=True) if version}
        if _goes_together(situation, request, answer):
            yield answer


def best_answer(situation: Situation, request: Request) -> Answer | None:
    answers = list(all_answers(situation, request))
    if not answers:
        return None
    asked = [goal.extension for goal in request.goals]
    others = [name for name in situation.installed if name not in asked and name not in request.removals]

    def changed(answer: Answer) -> list[str]:
        return sorted(name for name in others if answer[name] != situation.installed[name].version)

    def key(answer: Answer) -> tuple[int, list[int], list[str]]:
        ranks = [_offered(situation, name).index(answer[name]) for name in asked]
        return len(changed(answer)), ranks, changed(answer)

    least = min(key(answer) for answer in answers)
    answers = [answer for answer in answers if key(answer) == least]
    decided = [*asked, *sorted(set(others) - set(least[2]))]
    due = set(least[2])
    while True:
        for name in decided:
            one = situation.candidate(name, answers[0][name])
            due |= {need.name for need in _enforced(situation, request, one)} - set(decided)
        due -= set(decided)
        due &= answers[0].keys() | set(least[2])
        if not due:
            return {name: answers[0][name] for name in decided}
        name = min(due)
        ranges = [
            need.version
            for other in decided
            for need in situation.candidate(other, answers[0][other]).needs(required=False)
            if need.name == name
        ]

        def order(version: str, name: str = name, ranges: list[str] = ranges) -> tuple[int, int]:
            return sum(not fits(one, version) for one in ranges), _offered(situation, name).index(version)

        value = min((answer[name] for answer in answers if name in answer), key=order)
        answers = [answer for answer in answers if answer.get(name) == value]
        decided.append(name)


def _offered(situation: Situation, name: str) -> list[str]:
    versions = [one.version for one in situation.catalogue.versions(name)]
    held = situation.installed.get(name)
    return [*versions, held.version] if held is not None and held.version not in versions else versions


def _goes_together(situation: Situation, request: Request, answer: Mapping[str, str]) -> bool:
    for goal in request.goals:
        version = answer.get(goal.extension)
        if version is None or not fits(goal.range, version) or (goal.version and goal.version != version):
            return False
    for name, held in situation.installed.items():
        if name not in request.removals and (name not in answer or (held.pinned and answer[name] != held.version)):
            return False
    if any(name in answer for name in request.removals):
        return False
    return all(
        _runs(situation, request, situation.candidate(name, version), answer) for name, version in answer.items()
    )


def _runs(situation: Situation, request: Request, one: Candidate, answer: Mapping[str, str]) -> bool:
    held = situation.installed.get(one.extension)
    if held is None or held.version != one.version:
        for range, actual in (
            (one.kube_version, situation.platform.kubernetes),
            (one.ks_version, situation.platform.platform),
        ):
            if actual and not fits(range, actual):
                return False
    return all(
        need.name in answer and fits(need.version, answer[need.name]) for need in _enforced(situation, request, one)
    )


def _enforced(situation: Situation, request: Request, one: Candidate) -> Iterator[Dependency]:
    held = situation.installed.get(one.extension)
    asked = any(goal.extension == one.extension for goal in request.goals)
    exempt = held is not None and held.version == one.version and not asked
    for need in one.needs(required=True):
        other = situation.installed.get(need.name)
        lacks = other is None or not fits(need.version, other.version)
        if not (exempt and lacks):
            yield need
