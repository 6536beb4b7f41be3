"""Whether and when a failed request is tried again. Pure.

A retry needs all of: a rule that names the cause, a try that is left, a method that may be repeated, a body that is
still there, and room in the budget, so that a backend in trouble does not get a multiple of the load that it could not
bear. The pause before it is random, so that clients that failed together do not come back together.
"""

from typing import Final, NamedTuple

from dovetail.routing.traffic import Retries, RetryCause

LEAST_CONCURRENT: Final = 3
"""Retries that may always be under way, however few requests are: Envoy's `min_retry_concurrency`."""
_STATUSES: Final[dict[int, RetryCause]] = {502: "502", 503: "503", 504: "504"}


class Load(NamedTuple):
    """What is under way towards the backend."""

    requests: int
    retries: int
    most_retries: int | None = None
    """The breaker's `max_retries`; it replaces the budget."""


def cause_of(status: int) -> RetryCause | None:
    """The cause for which an answer may be tried again."""
    return _STATUSES.get(status)


def may_retry(rule: Retries, cause: RetryCause, *, tries: int, repeatable: bool, load: Load) -> bool:
    """Whether another try follows `tries` of them. `load` without this request's own retry."""
    return repeatable and cause in rule.on and tries <= rule.attempts and within_budget(rule, load)


def within_budget(rule: Retries, load: Load) -> bool:
    """Whether one more retry may be under way."""
    if load.most_retries is not None:
        return load.retries < load.most_retries
    return load.retries < max(LEAST_CONCURRENT, rule.budget_percent * load.requests // 100)


def pause(rule: Retries, tries: int, chance: float) -> float:
    """Seconds before the next try. `chance` is a random number from 0 to 1."""
    return min(rule.back_off * 2 ** (tries - 1), rule.max_back_off) * chance
