"""The APIServices whose backends are asked for documents: those that are Available, one for each group version."""

from typing import Final

from dovetail.apis.dialects import APIService
from dovetail.apis.extensions_v1alpha1 import APISERVICES
from dovetail.apis.kubesphere_v1alpha1 import SEED_APISERVICES
from dovetail.gateway.availability import Availability, Remark
from dovetail.gateway.objects import RoutingObjects, informer_of
from dovetail.gateway.openapi.aggregator import Source, Verdict
from dovetail.kube import Object, uid_of

CONDITION: Final = "OpenAPI"


class Sources:
    """Reads the APIServices, and tells them what became of their documents."""

    def __init__(self, objects: RoutingObjects, availability: Availability) -> None:
        self._objects = objects
        self._availability = availability

    def now(self) -> dict[str, Source]:
        """By the names of their documents. Of two that claim the same, the one whose claim holds; then the older."""
        found: dict[str, Source] = {}
        for _, obj, model in sorted(self._services(), key=lambda one: one[0]):
            upstream = self._availability.upstream_of(uid_of(obj))
            if upstream is not None:
                source = Source(uid_of(obj), model.group, model.version, upstream)
                found.setdefault(source.name, source)
        return found

    def tell(self, uid: str, verdict: Verdict) -> None:
        """A verdict goes into a condition of the object."""
        self._availability.remark(uid, Remark(CONDITION, verdict.status, verdict.reason, verdict.message))

    def _services(self) -> list[tuple[tuple[bool, str, str], Object, APIService]]:
        services: list[tuple[tuple[bool, str, str], Object, APIService]] = []
        for resource in (APISERVICES, SEED_APISERVICES):
            for obj in informer_of(self._objects, resource).lister:
                model = self._objects.read(obj)
                if isinstance(model, APIService) and model.group and self._objects.is_routed(model.meta.id):
                    problems = self._objects.problems_of(model.meta.id)
                    loses = any(problem.reason == "Conflict" for problem in problems)
                    order = (loses, str(obj["metadata"].get("creationTimestamp") or ""), uid_of(obj))
                    services.append((order, obj, model))
        return services
