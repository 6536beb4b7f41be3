"""The APIServices whose backends are asked for documents: those that are Available, one for each group version.

Kept by what `availability` tells of one object at a time, so that a change costs the same with ten thousand of them.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from dovetail.apis.dialects import APIService
from dovetail.gateway.availability import Availability, Remark
from dovetail.gateway.objects import Place, RoutingObjects, informer_of
from dovetail.gateway.openapi.aggregator import Source, Verdict
from dovetail.kube import uid_of

CONDITION: Final = "OpenAPI"


class _Claim(NamedTuple):
    """Of several on one group version the least one counts: one that does not lose its routes, then the older."""

    loses: bool
    created: str
    source: Source


class Sources:
    """Reads the APIServices, and tells them what became of their documents."""

    def __init__(self, objects: RoutingObjects, availability: Availability) -> None:
        self._objects = objects
        self._availability = availability
        self._claims: dict[str, dict[str, _Claim]] = {}
        self._names: dict[str, str] = {}
        self._now: dict[str, Source] = {}
        self._listeners: list[Callable[[], None]] = []
        availability.on_news(self._heard)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this whenever `now` has changed."""
        self._listeners.append(listener)

    def now(self) -> Mapping[str, Source]:
        """By the names of their documents."""
        return self._now

    def tell(self, uid: str, verdict: Verdict) -> None:
        """A verdict goes into a condition of the object."""
        self._availability.remark(uid, Remark(CONDITION, verdict.status, verdict.reason, verdict.message))

    def _heard(self, place: Place, uid: str) -> None:
        before = self._names.pop(uid, "")
        if before:
            self._claims[before].pop(uid)
        claim = self._claim(place, uid)
        if claim is not None:
            self._names[uid] = claim.source.name
            self._claims.setdefault(claim.source.name, {})[uid] = claim
        for name in {before, claim.source.name if claim is not None else ""} - {""}:
            self._choose(name)

    def _choose(self, name: str) -> None:
        claims = self._claims[name]
        chosen = min(claims.values(), key=lambda claim: (claim.loses, claim.created, claim.source.uid), default=None)
        source = chosen.source if chosen is not None else None
        if not claims:
            del self._claims[name]
        if self._now.get(name) == source:
            return
        if source is not None:
            self._now[name] = source
        else:
            del self._now[name]
        for listener in self._listeners:
            listener()

    def _claim(self, place: Place, uid: str) -> _Claim | None:
        obj = informer_of(self._objects, place.resource).lister.by_key(place.key)
        upstream = self._availability.upstream_of(uid)
        if obj is None or uid_of(obj) != uid or upstream is None:
            return None
        model = self._objects.read(obj)
        if not isinstance(model, APIService) or not model.group or not self._objects.is_routed(model.meta.id):
            return None
        loses = any(problem.reason == "Conflict" for problem in self._objects.problems_of(model.meta.id))
        created = str(obj["metadata"].get("creationTimestamp") or "")
        return _Claim(loses, created, Source(uid, model.group, model.version, upstream))
