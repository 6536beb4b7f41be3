"""A cluster made of values: what `lookup` finds when a chart is rendered with fixtures instead of a cluster.

Helm's `lookup` asks an API server, so the fixtures become one: discovery of exactly the kinds that they contain, GET of
an object and of a list, nothing else. It listens on the loopback address, on a port of the kernel's choice, for as long
as the context lasts, and is handed to Helm as a kubeconfig.

    with fixture_cluster([{"apiVersion": "v1", "kind": "Secret", "metadata": {...}}]) as kubeconfig:
        ...Connection(namespace="x", kubeconfig=kubeconfig)

Every group and version exists here, so that `lookup` of a kind that no fixture has finds nothing, as it does without a
cluster; a real one that does not know the group would make the rendering fail.
"""

import json
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, cast

from dovetail.apis.resource_name import plural_of

Fixture = Mapping[str, Any]
Answers = dict[str, dict[str, Any]]
_VERBS: Final = ["get", "list"]
_NOT_FOUND: Final = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}


@contextmanager
def fixture_cluster(fixtures: Iterable[Fixture]) -> Generator[str]:
    """Serve the objects; yields the path of a kubeconfig that reaches them."""
    served = answers(fixtures)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(served))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="helm-fixtures")
    thread.start()
    try:
        with tempfile.TemporaryDirectory(prefix="dovetail-fixtures-") as folder:
            file = Path(folder) / "kubeconfig"
            file.write_text(json.dumps(_kubeconfig(f"http://127.0.0.1:{server.server_address[1]}")))
            yield str(file)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answers(fixtures: Iterable[Fixture]) -> Answers:
    """Every path that the fixtures answer, with its document. Pure. Items of a `List` count one by one."""
    found: Answers = {"/api": {"kind": "APIVersions", "versions": ["v1"]}}
    groups: dict[str, set[str]] = {}
    for fixture in _flat(fixtures):
        api_version, kind = str(fixture.get("apiVersion", "v1")), str(fixture.get("kind", ""))
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if "/" in api_version:
            groups.setdefault(api_version.partition("/")[0], set()).add(api_version)
        _add(found, base, api_version, kind, fixture)
    found["/apis"] = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*item) for item in groups.items()]}
    return found


def _flat(fixtures: Iterable[Fixture]) -> Iterator[Fixture]:
    for fixture in fixtures:
        items = fixture.get("items")
        if str(fixture.get("kind", "")).endswith("List") and isinstance(items, list):
            yield from _flat(cast("list[Fixture]", items))
        else:
            yield fixture


def _add(found: Answers, base: str, api_version: str, kind: str, fixture: Fixture) -> None:
    metadata: Mapping[str, Any] = fixture.get("metadata") or {}
    namespace, plural = str(metadata.get("namespace") or ""), plural_of(kind)
    known = found.setdefault(base, {"kind": "APIResourceList", "groupVersion": api_version, "resources": []})
    if all(resource["kind"] != kind for resource in known["resources"]):
        resource = {"name": plural, "singularName": "", "kind": kind, "namespaced": bool(namespace), "verbs": _VERBS}
        known["resources"].append(resource)
    folder = f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
    found[f"{folder}/{metadata.get('name', '')}"] = dict(fixture)
    for path in {folder, f"{base}/{plural}"}:
        listed = found.setdefault(path, {"apiVersion": api_version, "kind": f"{kind}List", "metadata": {}, "items": []})
        listed["items"].append(dict(fixture))


def _group(name: str, versions: set[str]) -> dict[str, Any]:
    listed = [{"groupVersion": version, "version": version.partition("/")[2]} for version in sorted(versions)]
    return {"name": name, "versions": listed, "preferredVersion": listed[-1]}


def _empty_group(path: str) -> dict[str, Any] | None:
    """Discovery of a group and version that no fixture is in."""
    parts = path.strip("/").split("/")
    if parts[0] != "apis" or len(parts) != 3:
        return None
    return {"kind": "APIResourceList", "groupVersion": f"{parts[1]}/{parts[2]}", "resources": []}


def _handler(served: Answers) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            answer = served.get(path) or _empty_group(path)
            body = json.dumps(answer or _NOT_FOUND).encode()
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody wants to read these."""

    return Handler


def _kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fixtures",
        "clusters": [{"name": "fixtures", "cluster": {"server": server}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "fixtures", "context": {"cluster": "fixtures", "user": "nobody"}}],
    }
