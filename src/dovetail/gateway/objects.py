"""What the route table is made of, as it stands in the cluster now: read once a version, compiled on demand.

Each event marks the objects that it concerns: the APIService or ReverseProxy itself, or all whose backend names the
Service that changed. Compiling looks at the marked ones only (`dovetail.routing.live`); should that ever fail, the
table is compiled from everything.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from dovetail.apis.dialects import APIService, ReverseProxy, ServiceRef
from dovetail.apis.extensions_v1alpha1 import APISERVICES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import SEED_APISERVICES, SEED_REVERSEPROXIES
from dovetail.gateway.builtin import BuiltIn
from dovetail.kube import (
    ENDPOINTSLICES,
    SERVICES,
    ControllerRuntime,
    Handler,
    Informer,
    Key,
    Object,
    ResourceLike,
    key_of,
    labels_of,
)
from dovetail.kube.resources import api_version_of
from dovetail.routing.addresses import resolve
from dovetail.routing.compiler import CompilerInput, claims_of, compile_table, reserved_by
from dovetail.routing.live import LiveTable
from dovetail.routing.model import RouteTable
from dovetail.routing.problems import Problem
from dovetail.routing.services import Resolution, references
from dovetail.routing.sources import read_object
from dovetail.routing.upstreams import NO_CERTIFICATE, ClientCertificate

ROUTED: tuple[ResourceLike, ...] = (APISERVICES, REVERSEPROXIES, SEED_APISERVICES, SEED_REVERSEPROXIES)
"""The resources that become routes."""

Model = APIService | ReverseProxy
Read = Model | list[Problem]

_log = logging.getLogger(__name__)
_SERVICE_NAME = "kubernetes.io/service-name"


class Place(NamedTuple):
    """Where a routed object is found."""

    resource: ResourceLike
    key: Key


class RoutingObjects:
    """Informers over the routed kinds and over Services, and the table that is kept in step with them."""

    def __init__(
        self, runtime: ControllerRuntime, built_in: BuiltIn, certificate: ClientCertificate = NO_CERTIFICATE
    ) -> None:
        self.certificate = certificate
        """What the gateway shows backends that ask for a certificate."""
        self._given = CompilerInput(routes=built_in.routes(), upstreams=built_in.upstreams, certificate=certificate)
        self._reserved = reserved_by(self._given)
        self._live = LiveTable(self._given)
        self._ids: dict[Place, str] = {}
        self._places: dict[str, Place] = {}
        self._users: dict[tuple[str, str], set[Place]] = {}
        self._uses: dict[Place, tuple[str, str]] = {}
        self._marked: dict[Place, None] = {}
        self._touched: set[Place] = set()
        self._read: dict[str, tuple[str, Read]] = {}
        self._listeners: list[Callable[[], None]] = []
        self.informers = {api_version_of(r) + r.kind: runtime.informer(r, optional=True) for r in ROUTED}
        self._services = runtime.informer(SERVICES)
        self._slices = runtime.informer(ENDPOINTSLICES, indexers={"service": _service_of_slice})
        for resource in ROUTED:
            informer_of(self, resource).add_handler(self._marking(resource))
        self._services.add_handler(self._service_changed)
        self._slices.add_handler(self._slice_changed)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this whenever a table compiled before may be out of date."""
        self._listeners.append(listener)

    def compile(self) -> RouteTable:
        """The table of now."""
        marked, self._marked = list(self._marked), {}
        try:
            for place in marked:
                self._follow(place)
            self._touched.update(marked)
            return self._live.table()
        except Exception:
            _log.exception("the table could not be followed, it is compiled anew")
            return self._anew()

    def touched(self) -> list[Place]:
        """The objects about which there may be something new to tell or to probe, since the last call."""
        told = {self._places[object_id] for object_id in self._live.told() if object_id in self._places}
        touched, self._touched = self._touched | told, set()
        return list(touched)

    def _follow(self, place: Place) -> None:
        """Bring the table in step with one object."""
        obj = informer_of(self, place.resource).lister.by_key(place.key)
        read = self.read(obj) if obj else []
        model = None if isinstance(read, list) else read
        self._use(place, model)
        before = self._ids.pop(place, None)
        if model is None:
            if before is not None:
                self._live.remove(before)
                del self._places[before]
            return
        service = model.backend.service
        resolution = self.resolution(service) if service else None
        self._live.put(claims_of(model, resolution, self._reserved, self.certificate))
        self._ids[place] = model.meta.id
        self._places[model.meta.id] = place

    def _use(self, place: Place, model: Model | None) -> None:
        """Remember whose changes concern an object."""
        before = self._uses.pop(place, None)
        if before is not None:
            self._users[before].discard(place)
            if not self._users[before]:
                del self._users[before]
        if model is not None and model.backend.service is not None:
            service = self._uses[place] = (model.backend.service.namespace, model.backend.service.name)
            self._users.setdefault(service, set()).add(place)

    def _anew(self) -> RouteTable:
        """The table by the full compiler; the next change starts with every object marked."""
        self._live = LiveTable(self._given)
        self._ids, self._places = {}, {}
        self._marked = {Place(resource, key_of(obj)): None for resource, obj in self._objects()}
        models = [read for _, obj in self._objects() if not isinstance(read := self.read(obj), list)]
        api_services = tuple(model for model in models if isinstance(model, APIService))
        reverse_proxies = tuple(model for model in models if isinstance(model, ReverseProxy))
        addresses = {ref: self.resolution(ref) for ref in references(api_services, reverse_proxies)}
        given = msgspec.structs.replace(
            self._given, api_services=api_services, reverse_proxies=reverse_proxies, addresses=addresses
        )
        return compile_table(given).table

    def _objects(self) -> Iterator[tuple[ResourceLike, Object]]:
        for resource in ROUTED:
            for obj in informer_of(self, resource).lister:
                yield resource, obj

    def read(self, obj: Object) -> Read:
        """The model of an object, or what is wrong with it; the same value until the object changes."""
        uid, version = obj["metadata"].get("uid", ""), obj["metadata"].get("resourceVersion", "")
        known = self._read.get(uid)
        if known is None or known[0] != version:
            known = self._read[uid] = (version, read_object(obj))
        return known[1]

    def problems_of(self, object_id: str) -> list[Problem]:
        """What is to be told about an object, as of the latest table."""
        return self._live.problems_of(object_id)

    def is_routed(self, object_id: str) -> bool:
        """Whether the latest table has a route of this object."""
        return self._live.is_routed(object_id)

    def resolution(self, ref: ServiceRef) -> Resolution:
        """Where a Service's port leads to now."""
        service = self._services.lister.get(ref.name, ref.namespace)
        slices = self._slices.lister.by_index("service", f"{ref.namespace}/{ref.name}")
        return resolve(ref, service, slices=slices)

    def _marking(self, resource: ResourceLike) -> Handler:
        def changed(type: str, old: Object | None, new: Object, /) -> None:
            if type == "DELETED":
                self._read.pop(new["metadata"].get("uid", ""), None)
            self._mark([Place(resource, key_of(new))])

        return changed

    def _service_changed(self, type: str, old: Object | None, new: Object, /) -> None:
        self._mark(self._users.get((new["metadata"]["namespace"], new["metadata"]["name"]), ()))

    def _slice_changed(self, type: str, old: Object | None, new: Object, /) -> None:
        for service in {*_service_of_slice(new), *(_service_of_slice(old) if old else ())}:
            namespace, _, name = service.partition("/")
            self._mark(self._users.get((namespace, name), ()))

    def _mark(self, places: Iterable[Place]) -> None:
        marked = dict.fromkeys(places)
        self._marked.update(marked)
        if marked:
            for listener in self._listeners:
                listener()


def _service_of_slice(obj: Object) -> list[str]:
    name = labels_of(obj).get(_SERVICE_NAME)
    return [f"{obj['metadata']['namespace']}/{name}"] if name else []


def informer_of(objects: RoutingObjects, resource: ResourceLike) -> Informer:
    """The informer of a routed resource."""
    return objects.informers[api_version_of(resource) + resource.kind]
