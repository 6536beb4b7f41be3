"""Which plans are looked at again because another one has changed: what waits for others goes on by itself.

A plan waits when its condition Dependencies says so; and a plan that needs an extension is told when that comes or
goes. Steps of an operation that runs change nothing of this, and wake nobody.
"""

import asyncio
from collections.abc import Iterator

from dovetail.kube import Controller, Informer, Key, find_condition, is_deleting, key_of
from dovetail.kube.resources import Object
from dovetail.lifecycle import states
from dovetail.lifecycle.dependencies.standing import held
from dovetail.lifecycle.objects import conditions_of, mapping, spec_of, status_of


def wakes_others(controller: Controller, plans: Informer, versions: Informer) -> None:
    """Let every change of a plan's standing queue the plans that it concerns; changes at one moment are one look."""
    changed: set[str] = set()

    def flush() -> None:
        names = frozenset(changed)
        changed.clear()
        for name in concerned(names, plans, versions):
            controller.enqueue(Key("", name))

    def handler(type: str, old: Object | None, new: Object, /) -> None:
        if type != "DELETED" and old is not None and old is not new and _standing(old) == _standing(new):
            return
        if not changed:
            asyncio.get_running_loop().call_soon(flush)
        changed.add(key_of(new).name)

    plans.add_handler(handler)


def concerned(changed: frozenset[str], plans: Informer, versions: Informer) -> Iterator[str]:
    """The plans that wait for others, or that need an extension which changed."""
    for plan in plans.lister:
        name = key_of(plan).name
        if (is_waiting(plan) and changed - {name}) or _needs(plan, changed, versions):
            yield name


def is_waiting(plan: Object) -> bool:
    """Whether the plan, or its deletion, waits for other extensions."""
    condition = find_condition(conditions_of(plan), states.COND_DEPENDENCIES)
    return condition is not None and condition.get("status") == "False"


def _needs(plan: Object, changed: frozenset[str], versions: Informer) -> bool:
    version = str(status_of(plan).get("version") or "")
    required = held(key_of(plan).name, version, versions.lister.get).required if version else ()
    return any(one.name in changed for one in required)


def _standing(plan: Object) -> tuple[object, ...]:
    wanted = mapping(spec_of(plan).get("extension")).get("version")
    return status_of(plan).get("version"), wanted, is_deleting(plan)
