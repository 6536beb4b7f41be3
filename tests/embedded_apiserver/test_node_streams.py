"""The seam to a node: what a connector is asked once the API's own checks are passed, and that its words come back."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dovetail.embedded.apiserver.access.identity import MASTERS, User
from dovetail.embedded.apiserver.compression import wants_gzip
from dovetail.embedded.apiserver.errors import BadRequest, NotFound, StatusError, Unavailable
from dovetail.embedded.apiserver.registry.resource import pack
from dovetail.embedded.apiserver.requests import Query, parse
from dovetail.embedded.apiserver.server import build_api
from dovetail.embedded.apiserver.storage.database import Database
from dovetail.embedded.apiserver.storage.records import ObjectKey
from dovetail.embedded.apiserver.transport.messages import Request
from dovetail.embedded.apiserver.verbs.answer import Answer, Stream
from dovetail.embedded.apiserver.verbs.call import Api, Call
from dovetail.embedded.apiserver.verbs.dispatch import dispatch
from dovetail.embedded.apiserver.verbs.node_streams import LogOptions

Object = Mapping[str, Any]
POD = "/api/v1/namespaces/ns/pods/p"


@dataclass
class Connector:
    """A node that remembers what it was asked."""

    asked: list[tuple[str, Any, Any]] = field(default_factory=list[tuple[str, Any, Any]])

    async def logs(self, pod: Object, options: LogOptions) -> AsyncIterator[bytes]:
        self.asked.append(("logs", pod["metadata"]["name"], options))
        for line in (b"one\n", b"two\n"):
            yield line

    async def connect(self, call: Call, pod: Object, options: Object) -> Answer | Stream:
        self.asked.append((call.info.subresource, pod["metadata"]["name"], options))
        if options.get("command") == ["missing"]:
            raise BadRequest("no such program")
        return Answer(b"connected", content_type="text/plain")

    async def proxy(self, call: Call, target: Object, port: str, path: str) -> Answer | Stream:
        self.asked.append(("proxy", target["metadata"]["name"], (port, path)))
        return Answer(b"proxied", content_type="text/plain")


@dataclass
class Cluster:
    """The parts of an API server in this process, with a node behind them."""

    api: Api
    node: Connector

    async def put(self, resource: str, name: str, namespace: str = "ns", **obj: Any) -> None:
        store, key = self.api.store, ObjectKey(resource, namespace, name)
        meta = {"name": name, "resourceVersion": str(store.next_rev)}
        store.put(key, pack({"metadata": meta, **obj}), store.latest(key))
        await store.committed()

    async def pod(self, node: str = "n", **status: Any) -> None:
        containers = [{"name": "c", "image": "x", "ports": [{"containerPort": 8080}]}]
        await self.put("/pods", "p", spec={"nodeName": node, "containers": containers}, status=status)

    async def __call__(self, method: str, path: str, query: str = "") -> Answer | Stream:
        asked = Query(query.encode())
        info = parse(method, path, asked)
        resource = self.api.catalogue.find(info.group, info.version, info.plural)
        assert resource is not None
        return await dispatch(Call(self.api, info, resource, User("admin", (MASTERS,)), asked))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    database = Database(tmp_path / "state.db")
    try:
        node = Connector()
        yield Cluster(replace(build_api(database, lambda: b""), nodes=node), node)
    finally:
        database.close()


async def test_logs_are_the_nodes(cluster: Cluster) -> None:
    await cluster.pod()
    answer = await cluster("GET", f"{POD}/log", "follow=true&tailLines=5&sinceTime=2026-01-01T00:00:00Z")
    assert isinstance(answer, Stream)
    assert (answer.content_type, [chunk async for chunk in answer.chunks]) == ("text/plain", [b"one\n", b"two\n"])
    options = LogOptions("c", follow=True, since_time="2026-01-01T00:00:00Z", tail_lines=5)
    assert cluster.node.asked == [("logs", "p", options)], "the node is told the container that is meant"


async def test_lines_do_not_wait_in_a_compressor(cluster: Cluster) -> None:
    await cluster.pod()
    answer = await cluster("GET", f"{POD}/log", "follow=true")
    assert isinstance(answer, Stream)
    request = Request("GET", f"{POD}/log", b"", [(b"accept-encoding", b"gzip")], None)
    assert not wants_gzip(request, answer)
    assert wants_gzip(request, Stream(answer.chunks))
    assert [chunk async for chunk in answer.chunks]


async def test_a_pod_without_a_node_is_not_asked_for(cluster: Cluster) -> None:
    await cluster.pod(node="")
    answer = await cluster("GET", f"{POD}/log")
    assert isinstance(answer, Answer)
    assert answer.code == 204
    with pytest.raises(BadRequest, match="does not have a host assigned"):
        await cluster("POST", f"{POD}/exec", "command=ls")
    assert cluster.node.asked == []


@pytest.mark.parametrize(
    ("target", "query", "options"),
    [
        ("exec", "command=ls&command=-l&stdin=true&tty=1",
         {"kind": "PodExecOptions", "stdin": True, "tty": True, "container": "c", "command": ["ls", "-l"]}),
        ("attach", "stdout=true&container=c", {"kind": "PodAttachOptions", "stdout": True, "container": "c"}),
        ("portforward", "ports=80&ports=8080", {"kind": "PodPortForwardOptions", "ports": [80, 8080]}),
    ],
)  # fmt: skip
async def test_connections_reach_the_node(cluster: Cluster, target: str, query: str, options: Object) -> None:
    await cluster.pod()
    answer = await cluster("POST", f"{POD}/{target}", query)
    assert isinstance(answer, Answer)
    assert answer.body == b"connected"
    assert cluster.node.asked == [(target, "p", {"apiVersion": "v1", **options})]


async def test_what_the_api_refuses_the_node_never_sees(cluster: Cluster) -> None:
    await cluster.pod(phase="Succeeded")
    with pytest.raises(BadRequest, match="completed pod; current phase is Succeeded"):
        await cluster("POST", f"{POD}/exec", "command=ls")
    with pytest.raises(NotFound):
        await cluster("POST", "/api/v1/namespaces/ns/pods/none/exec", "command=ls")
    with pytest.raises(BadRequest, match="container other is not valid for pod p"):
        await cluster("GET", f"{POD}/log", "container=other")
    assert cluster.node.asked == []


async def test_what_the_node_refuses_is_told(cluster: Cluster) -> None:
    await cluster.pod()
    with pytest.raises(StatusError, match="no such program"):
        await cluster("POST", f"{POD}/exec", "command=missing")


async def test_the_proxy_names_port_and_path(cluster: Cluster) -> None:
    await cluster.pod(podIP="10.1.2.3")
    addresses = [{"type": "InternalIP", "address": "10.0.0.1"}]
    await cluster.put("/nodes", "n", namespace="", status={"addresses": addresses})
    ports = [{"name": "web", "port": 80}]
    await cluster.put("/services", "s", spec={"ports": ports})
    subsets = [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"name": "web", "port": 8080}]}]
    await cluster.put("/endpoints", "s", subsets=subsets)
    for path in (f"{POD}/proxy/a/b", "/api/v1/namespaces/ns/services/https:s:web/proxy/", "/api/v1/nodes/n/proxy/x"):
        answer = await cluster("GET", path)
        assert isinstance(answer, Answer)
        assert answer.body == b"proxied"
    assert cluster.node.asked == [
        ("proxy", "p", ("", "/a/b")), ("proxy", "s", ("https:web", "/")), ("proxy", "n", ("", "/x")),
    ]  # fmt: skip
    with pytest.raises(Unavailable, match='no service port "81" found for service "s"'):
        await cluster("GET", "/api/v1/namespaces/ns/services/s:81/proxy/")
