"""Noticing that what is being done is not wanted any more.

A hook can take minutes, and a plan that is changed or deleted meanwhile must not wait for it. While an operation
runs, its plan is watched: as soon as anything that the release depends on changes, the operation's event is set.
Being enabled is none of that, nor is being paused: what runs is not broken off for it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

from dovetail.apis import labels
from dovetail.kube import annotations_of, is_deleting, key_of
from dovetail.lifecycle.facts import fingerprint
from dovetail.lifecycle.objects import generation_of, mapping, spec_of

RETRY = labels.RETRY
"""Annotation of an InstallPlan: a new value asks for another attempt."""

ALLOW_UNSAFE_CRDS = "dovetail.dev/allow-unsafe-crds"
"""Annotation of an InstallPlan: definitions may be changed although stored objects may be lost."""

_MAX_TOKEN = 1024
_ASIDE = frozenset(
    {
        "enabled",
        "upgradeStrategy",
        "clusterScheduling",
        "paused",
        "retry",
        "onUpgradeFailure",
        "workloadsWhenDisabled",
        "drift",
        "maintenanceWindow",
    }
)

_HOW = ("tests", "crds", "hookTimeout")


def essence(plan: Mapping[str, Any]) -> tuple[object, ...]:
    """What an operation on the plan's release depends on."""
    annotations = annotations_of(plan)
    spec = {name: value for name, value in spec_of(plan).items() if name not in _ASIDE}
    return spec, is_deleting(plan), labels.FORCE_DELETE in annotations, attempt_token(plan)


def attempt_token(plan: Mapping[str, Any]) -> str:
    """The user's words that ask for another attempt at the same target: to retry, to risk data, to approve, and what
    may let an attempt end otherwise (`_HOW`)."""
    annotations, spec = annotations_of(plan), spec_of(plan)
    approved = str(mapping(spec.get("approval")).get("planHash") or "")
    how = {name: spec[name] for name in _HOW if spec.get(name)}
    said = fingerprint(how)[:16] if how else ""
    words = (annotations.get(RETRY, ""), annotations.get(ALLOW_UNSAFE_CRDS, ""), approved, said)
    return "|".join(words).rstrip("|")[:_MAX_TOKEN]


Essence = Callable[[Mapping[str, Any]], tuple[object, ...]]


def agent_essence(cluster: str) -> Essence:
    """What an operation on the plan's agent on this cluster depends on."""

    def of(plan: Mapping[str, Any]) -> tuple[object, ...]:
        scheduling = mapping(spec_of(plan).get("clusterScheduling"))
        override = mapping(scheduling.get("overrides")).get(cluster)
        return (*essence(plan), scheduling.get("placement"), override)

    return of


class Interrupts:
    """The operations that run, by plan. `cached` is the plan as the informer knows it."""

    def __init__(
        self, cached: Callable[[str], Mapping[str, Any] | None] = lambda name: None, of: Essence = essence
    ) -> None:
        self._cached = cached
        self._essence = of
        self._running: dict[str, tuple[tuple[object, ...], asyncio.Event]] = {}

    @contextlib.contextmanager
    def of(self, plan: Mapping[str, Any]) -> Generator[asyncio.Event]:
        """While inside, the event is set as soon as the plan is another."""
        name = key_of(plan).name
        event = asyncio.Event()
        self._running[name] = (self._essence(plan), event)
        cached = self._cached(name)
        if (
            cached is not None
            and generation_of(cached) > generation_of(plan)
            and self._essence(cached) != self._essence(plan)
        ):
            event.set()  # it changed between the look and here
        try:
            yield event
        finally:
            del self._running[name]

    def notice(self, type: str, old: Mapping[str, Any] | None, new: Mapping[str, Any], /) -> None:
        """The handler of the plans' informer."""
        running = self._running.get(key_of(new).name)
        if running is not None and (type == "DELETED" or self._essence(new) != running[0]):
            running[1].set()
