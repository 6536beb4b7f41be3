"""Rows: watches and what survives a crash."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.samples import config_map
from tests.e2e.kube.table import row

AREA = "Watches"
WATCH = "reference/using-api/api-concepts/#efficient-detection-of-changes"
MAPS = "/api/v1/namespaces/{}/configmaps"


@contextmanager
def watching(cluster: Cluster, path: str) -> Iterator[Iterator[Any]]:
    """The events of a watch as they come, over a socket of our own."""
    with (
        socket.create_connection(("127.0.0.1", cluster.port), timeout=10) as raw,
        cluster.tls().wrap_socket(raw, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n".encode())
        yield _events(connection)


def _events(connection: ssl.SSLSocket) -> Iterator[Any]:
    stream = connection.makefile("rb")
    assert b" 200 " in stream.readline()
    while stream.readline() not in (b"\r\n", b""):
        pass
    rest = b""
    while size := int(stream.readline().strip() or b"0", 16):
        rest += stream.read(size)
        stream.readline()
        *lines, rest = rest.split(b"\n")
        for line in lines:
            yield json.loads(line)


@row(AREA, "a watch from a resourceVersion gives every change after it, in order", "HTTP", WATCH)
def resume(cluster: Cluster) -> None:
    ns = cluster.namespace()
    version = cluster.http("GET", MAPS.format(ns)).json["metadata"]["resourceVersion"]
    cluster.http("POST", MAPS.format(ns), config_map("a", x="1"))
    cluster.http("PUT", MAPS.format(ns) + "/a", config_map("a", x="2"))
    cluster.http("DELETE", MAPS.format(ns) + "/a")
    path = MAPS.format(ns) + f"?watch=true&resourceVersion={version}&fieldSelector=metadata.name%3Da"
    with watching(cluster, path) as events:
        assert [next(events)["type"] for _ in range(3)] == ["ADDED", "MODIFIED", "DELETED"]


@row(AREA, "an object that leaves the selector is DELETED for the watcher", "HTTP", WATCH)
def leaves_the_view(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.http("POST", MAPS.format(ns), config_map("a", {"in": "yes"}))
    with watching(cluster, MAPS.format(ns) + "?watch=true&labelSelector=in%3Dyes") as events:
        assert next(events)["type"] == "ADDED"
        cluster.http("PUT", MAPS.format(ns) + "/a", config_map("a", {"in": "no"}))
        assert next(events)["type"] == "DELETED"


@row(AREA, "streaming lists: sendInitialEvents ends with an annotated bookmark", "HTTP",
     "reference/using-api/api-concepts/#streaming-lists")  # fmt: skip
def streaming_list(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.http("POST", MAPS.format(ns), config_map("a"))
    options = "?watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    with watching(cluster, MAPS.format(ns) + options) as events:
        names = []
        for event in events:
            if event["type"] == "BOOKMARK":
                assert event["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
                break
            names.append(event["object"]["metadata"]["name"])
    assert "a" in names


@row(AREA, "kubectl get --watch shows changes as they happen", "kubectl",
     "reference/kubectl/generated/kubectl_get/")  # fmt: skip
def kubectl_watch(cluster: Cluster) -> None:
    ns = cluster.namespace()
    cluster.http("POST", MAPS.format(ns), config_map("a"))
    shown = cluster.kubectl("-n", ns, "get", "cm", "--watch", "--request-timeout=2s", code=None)
    assert "a " in shown


@row(AREA, "timeoutSeconds ends a watch", "HTTP", WATCH)
def times_out(cluster: Cluster) -> None:
    begun = time.monotonic()
    assert cluster.http("GET", "/api/v1/namespaces?watch=true&timeoutSeconds=1&resourceVersion=0").code == 200
    assert 0.5 < time.monotonic() - begun < 10


@row("Durability", "what was acknowledged is there after SIGKILL, and watches resume across the restart", "HTTP",
     WATCH)  # fmt: skip
def survives_a_kill(cluster: Cluster) -> None:
    own = Cluster()
    try:
        own.start()
        version = own.http("GET", MAPS.format("default")).json["metadata"]["resourceVersion"]
        for number in range(20):
            assert own.http("POST", MAPS.format("default"), config_map(f"m{number}")).code == 201
        own.kill()
        own.start()
        names = [i["metadata"]["name"] for i in own.http("GET", MAPS.format("default")).json["items"]]
        assert {f"m{number}" for number in range(20)} <= set(names)
        seen: set[str] = set()
        with watching(own, MAPS.format("default") + f"?watch=true&resourceVersion={version}") as events:
            for event in events:
                seen.add(event["object"]["metadata"]["name"])
                if {f"m{number}" for number in range(20)} <= seen:
                    break
    finally:
        own.remove()


@row(
    "Durability",
    "events are kept for an hour and shown by kubectl",
    "kubectl",
    "reference/kubectl/generated/kubectl_events/",
)
def shows_events(cluster: Cluster) -> None:
    ns = cluster.namespace()
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Tried", "message": "it worked",
        "type": "Normal", "involvedObject": {"kind": "ConfigMap", "name": "a", "namespace": ns},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z", "count": 1,
    }  # fmt: skip
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=event)
    eventually(lambda: "it worked" in cluster.kubectl("-n", ns, "events"))
