"""The table that follows events is the one compiled from everything, and only what is concerned is touched."""

from typing import Any, cast

from bench.gateway.cluster import Cluster
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.extensions_v1alpha1 import APISERVICES, REVERSEPROXIES
from dovetail.gateway import objects as module
from dovetail.gateway.builtin import BuiltIn, internal
from dovetail.gateway.objects import RoutingObjects
from dovetail.kube import ENDPOINTSLICES, SERVICES, ControllerRuntime, Object, ResourceLike
from dovetail.routing.compiler import CompilerInput, compile_table
from dovetail.routing.services import references
from dovetail.routing.sources import read_objects
from tests.routing.objects import EARLY, LATE, api_service, reverse_proxy

BUILT_IN = BuiltIn(internal("/control"), internal("/console"), internal("/cluster"))


RESOURCES: dict[str, ResourceLike] = {
    "APIService": APISERVICES, "ReverseProxy": REVERSEPROXIES, "Service": SERVICES, "EndpointSlice": ENDPOINTSLICES
}  # fmt: skip


class World:
    """A cluster in memory and what follows it."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.routing = RoutingObjects(cast("ControllerRuntime", self.cluster), BUILT_IN)
        self.changes = 0
        self.routing.on_change(self._count)

    def _count(self) -> None:
        self.changes += 1

    def put(self, obj: Object) -> None:
        self.cluster.put(RESOURCES[obj["kind"]], obj)

    def remove(self, obj: Object) -> None:
        self.cluster.remove(RESOURCES[obj["kind"]], obj["metadata"]["name"], obj["metadata"].get("namespace"))

    def all(self, resource: ResourceLike) -> list[Object]:
        return list(self.cluster.informer(resource).lister)

    def compiled_at_once(self) -> Any:
        """What the full compiler says of all that is there."""
        sources = read_objects([*self.all(APISERVICES), *self.all(REVERSEPROXIES)])
        proxies, services = sources.reverse_proxies, sources.api_services
        addresses = {ref: self.routing.resolution(ref) for ref in references(services, proxies)}
        return compile_table(
            CompilerInput(
                api_services=services, reverse_proxies=proxies, addresses=addresses, routes=BUILT_IN.routes(),
                upstreams=BUILT_IN.upstreams,
            )
        )  # fmt: skip


def service(name: str, port: int) -> Object:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "n"},
        "spec": {"ports": [{"port": port}]},
    }  # fmt: skip


def endpoints(name: str, address: str) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{name}-x", "namespace": "n", "labels": {"kubernetes.io/service-name": name}},
        "endpoints": [{"addresses": [address]}], "ports": [{"port": 8080}],
    }  # fmt: skip


def _to(name: str) -> dict[str, Any]:
    return {"upstream": {"service": {"namespace": "n", "name": name, "port": 80}}}


_CREATED = st.sampled_from((EARLY, LATE))
_OBJECTS: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        lambda name, patterns, created, to: reverse_proxy(*patterns, name=name, created=created, **_to(to)),
        st.sampled_from("abcd"), st.lists(st.sampled_from(("/a/*", "/b/*", "/b/*.js", "/api/x", "bad")), max_size=3),
        _CREATED, st.sampled_from("xy"),
    ),
    st.builds(lambda name, group: api_service(f"{group}.dev", name=name), st.sampled_from("ab"), st.sampled_from("pq")),
    st.builds(service, st.sampled_from("xy"), st.sampled_from((80, 81))),
    st.builds(endpoints, st.sampled_from("xy"), st.sampled_from(("10.0.0.1", "10.0.0.2"))),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), _OBJECTS), max_size=20))
def test_any_history_of_events_ends_in_the_table_of_what_is_there(steps: list[tuple[bool, bool, Any]]) -> None:
    world = World()
    for removes, compiles, obj in steps:
        (world.remove if removes else world.put)(obj)
        if compiles:
            world.routing.compile()
    expected = world.compiled_at_once()
    assert world.routing.compile() == expected.table
    told = {
        problem.uid: [each for each in expected.problems if each.uid == problem.uid] for problem in expected.problems
    }
    for obj in world.all(REVERSEPROXIES):
        object_id = f"ReverseProxy.extensions.kubesphere.io/{obj['metadata']['name']}"
        if not isinstance(world.routing.read(obj), list):
            assert world.routing.problems_of(object_id) == told.get(obj["metadata"]["uid"], [])


def test_a_change_touches_only_what_it_concerns() -> None:
    world = World()
    for number in range(50):
        world.put(reverse_proxy(f"/p{number}/*", name=f"p{number}", **_to("x" if number == 7 else "y")))
    world.put(service("x", 80))
    world.routing.compile()
    assert len(world.routing.touched()) == 50
    table = world.routing.compile()
    assert world.routing.touched() == []
    count = world.changes
    world.put(endpoints("x", "10.0.0.9"))
    assert world.changes == count + 1
    after = world.routing.compile()
    assert [place.key.name for place in world.routing.touched()] == ["p7"]
    assert sum(one is not other for one, other in zip(table.routes, after.routes, strict=True)) == 1
    world.put(service("nobodys", 80))
    assert world.changes == count + 1, "nothing to compile"


def test_what_changes_nothing_leaves_the_table_the_same_value() -> None:
    world = World()
    obj = reverse_proxy("/a/*", name="a")
    world.put(obj)
    table = world.routing.compile()
    world.put({**obj, "status": {"conditions": []}})
    assert world.routing.compile() is table


def test_should_following_fail_the_table_is_compiled_from_everything(monkeypatch: Any) -> None:
    world = World()
    world.put(reverse_proxy("/a/*", name="a"))
    world.routing.compile()
    world.put(reverse_proxy("/b/*", name="b"))
    monkeypatch.setattr(module.LiveTable, "put", None)
    assert world.routing.compile() == world.compiled_at_once().table
    monkeypatch.undo()
    world.put(reverse_proxy("/c/*", name="c"))
    assert world.routing.compile() == world.compiled_at_once().table
