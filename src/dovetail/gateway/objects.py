"""What the route table is made of, as it stands in the cluster now: read once a version, compiled on demand.

APIServices and ReverseProxies of both groups become models when they change, not when the table is compiled, so the
compiler recognises what it has seen before. Services that backends name are looked up among the informers' objects.
"""

from collections.abc import Callable, Iterator

from dovetail.apis.dialects import APIService, ReverseProxy, ServiceRef
from dovetail.apis.extensions_v1alpha1 import APISERVICES, REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import SEED_APISERVICES, SEED_REVERSEPROXIES
from dovetail.gateway.addresses import resolve
from dovetail.gateway.builtin import BuiltIn
from dovetail.kube import ENDPOINTSLICES, SERVICES, ControllerRuntime, Informer, Object, ResourceLike, labels_of
from dovetail.kube.resources import api_version_of
from dovetail.routing.compiler import Compiler, CompilerInput
from dovetail.routing.model import RouteTable
from dovetail.routing.problems import Problem
from dovetail.routing.services import Resolution, references
from dovetail.routing.sources import read_object

ROUTED: tuple[ResourceLike, ...] = (APISERVICES, REVERSEPROXIES, SEED_APISERVICES, SEED_REVERSEPROXIES)
"""The resources that become routes."""

Model = APIService | ReverseProxy
Read = Model | list[Problem]

_SERVICE_NAME = "kubernetes.io/service-name"


class RoutingObjects:
    """Informers over the routed kinds and over Services, and the compiler that remembers."""

    def __init__(self, runtime: ControllerRuntime, built_in: BuiltIn) -> None:
        self._built_in = built_in
        self._compiler = Compiler()
        self._read: dict[str, tuple[str, Read]] = {}
        self._problems: dict[str, list[Problem]] = {}
        self._routed: frozenset[str] = frozenset()
        self._listeners: list[Callable[[], None]] = []
        self.informers = {api_version_of(r) + r.kind: runtime.informer(r, optional=True) for r in ROUTED}
        self._services = runtime.informer(SERVICES)
        self._slices = runtime.informer(ENDPOINTSLICES, indexers={"service": _service_of_slice})
        for informer in (*self.informers.values(), self._services, self._slices):
            informer.add_handler(self._changed)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call this whenever a table compiled before may be out of date."""
        self._listeners.append(listener)

    def compile(self) -> RouteTable:
        """The table of now. Its problems are kept for `problems_of`."""
        models = [read for read in self._readings() if not isinstance(read, list)]
        api_services = tuple(model for model in models if isinstance(model, APIService))
        reverse_proxies = tuple(model for model in models if isinstance(model, ReverseProxy))
        compilation = self._compiler.compile(
            CompilerInput(
                api_services=api_services,
                reverse_proxies=reverse_proxies,
                addresses={ref: self.resolution(ref) for ref in references(api_services, reverse_proxies)},
                routes=self._built_in.routes(),
                upstreams=self._built_in.upstreams,
            )
        )
        self._problems = {}
        for problem in compilation.problems:
            self._problems.setdefault(problem.uid, []).append(problem)
        self._routed = frozenset(route.id.partition("#")[0] for route in compilation.table.routes)
        return compilation.table

    def read(self, obj: Object) -> Read:
        """The model of an object, or what is wrong with it; the same value until the object changes."""
        uid, version = obj["metadata"].get("uid", ""), obj["metadata"].get("resourceVersion", "")
        known = self._read.get(uid)
        if known is None or known[0] != version:
            known = self._read[uid] = (version, read_object(obj))
        return known[1]

    def problems_of(self, uid: str) -> list[Problem]:
        """What the latest compilation had to say of an object."""
        return self._problems.get(uid, [])

    def is_routed(self, object_id: str) -> bool:
        """Whether the latest table has a route of this object."""
        return object_id in self._routed

    def resolution(self, ref: ServiceRef) -> Resolution:
        """Where a Service's port leads to now."""
        service = self._services.lister.get(ref.name, ref.namespace)
        slices = self._slices.lister.by_index("service", f"{ref.namespace}/{ref.name}")
        return resolve(ref, service, slices=slices)

    def _readings(self) -> Iterator[Read]:
        for informer in self.informers.values():
            for obj in informer.lister:
                yield self.read(obj)

    def _changed(self, type: str, old: Object | None, new: Object, /) -> None:
        if type == "DELETED":
            self._read.pop(new["metadata"].get("uid", ""), None)
        for listener in self._listeners:
            listener()


def _service_of_slice(obj: Object) -> list[str]:
    name = labels_of(obj).get(_SERVICE_NAME)
    return [f"{obj['metadata']['namespace']}/{name}"] if name else []


def informer_of(objects: RoutingObjects, resource: ResourceLike) -> Informer:
    """The informer of a routed resource."""
    return objects.informers[api_version_of(resource) + resource.kind]
