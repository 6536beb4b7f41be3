"""Objects to compile, as a cluster would hold them, and how to compile them."""

from typing import Any

from dovetail.routing.compiler import Compilation, CompilerInput, compile_table
from dovetail.routing.matching import Matcher
from dovetail.routing.model import Route
from dovetail.routing.sources import read_objects

EXT = "extensions.kubesphere.io/v1alpha1"
EARLY, LATE = "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"


def api_service(group: str = "greeter.dovetail.dev", *, name: str = "", created: str = EARLY, **spec: Any) -> Any:
    spec = {"group": group, "version": "v1alpha1", "url": "http://backend:8080", **spec}
    return _object("APIService", name or f"v1alpha1.{group}", created, spec)


def reverse_proxy(*patterns: str, name: str = "proxy", created: str = EARLY, **rest: Any) -> Any:
    matcher = [dict(zip(("path", "method"), pattern.split(), strict=False)) for pattern in patterns]
    spec = {"matcher": matcher, "upstream": {"url": "http://backend:8080"}, **rest}
    return _object("ReverseProxy", name, created, spec)


def _object(kind: str, name: str, created: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": created}
    return {"apiVersion": EXT, "kind": kind, "metadata": metadata, "spec": spec}


def compiled(*objects: Any, **given: Any) -> Compilation:
    sources = read_objects(objects)
    compilation = compile_table(
        CompilerInput(api_services=sources.api_services, reverse_proxies=sources.reverse_proxies, **given)
    )
    return Compilation(table=compilation.table, problems=[*sources.problems, *compilation.problems])


def found(compilation: Compilation, method: str, path: str) -> Route | None:
    return Matcher(compilation.table).find(method, path)


def owner(compilation: Compilation, method: str, path: str) -> str:
    """The name of the object that gets a request; empty for none."""
    route = found(compilation, method, path)
    return route.id.partition("/")[2].partition("#")[0] if route else ""
