"""Where `dovetail gateway check` and `explain` take objects from: files, a cluster, or both. A file's object counts
instead of the cluster's of the same kind and name, as after `kubectl apply`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from dovetail.routing.compiler import Compilation, CompilerInput, compile_table
from dovetail.routing.sources import read_objects

Object = dict[str, Any]
KINDS = ("APIService", "ReverseProxy")


def objects_in(files: Iterable[Path]) -> list[Object]:
    """The routed objects of YAML and JSON files, and of such files right in directories."""
    import yaml

    from dovetail.cli.errors import ObjectsUnreadable

    found: list[Object] = []
    for place in files:
        for path in sorted(place.glob("*.y*ml")) if place.is_dir() else [place]:
            try:
                found += [obj for document in yaml.safe_load_all(path.read_text()) for obj in _flattened(document)]
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                raise ObjectsUnreadable(path, error) from error
    return found


def _flattened(document: Any) -> list[Object]:
    if not isinstance(document, dict):
        return []
    obj = cast("Object", document)
    if obj.get("kind") == "List":
        items = cast("list[Any]", obj.get("items") or [])
        return [each for item in items for each in _flattened(item)]
    return [obj] if obj.get("kind") in KINDS else []


async def objects_of(kubeconfig: Path | None) -> list[Object]:
    """The routed objects of a cluster."""
    from dovetail.cli.errors import ClusterUnreachable
    from dovetail.gateway.objects import ROUTED
    from dovetail.kube import Client, ClusterConfig
    from dovetail.kube.errors import KubeError

    try:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-gateway-check") as client:
            return [obj for resource in ROUTED for obj in (await client.list(resource)).items]
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error


def compiled(objects: Iterable[Object]) -> Compilation:
    """The table of these objects with the built-in routes, and every problem, by the gateway's own compiler."""
    from dovetail.gateway.builtin import BuiltIn, internal

    latest = {_identity(obj): obj for obj in objects}
    read = read_objects(latest.values())
    built_in = BuiltIn(internal("/control"), internal("/console"), internal("/cluster"))
    given = CompilerInput(
        api_services=read.api_services, reverse_proxies=read.reverse_proxies, routes=built_in.routes(),
        upstreams=built_in.upstreams,
    )  # fmt: skip
    compilation = compile_table(given)
    return Compilation(table=compilation.table, problems=[*read.problems, *compilation.problems])


def _identity(obj: Object) -> tuple[str, str, str]:
    metadata = obj.get("metadata")
    name = cast("Object", metadata).get("name") if isinstance(metadata, dict) else ""
    return str(obj.get("apiVersion")), str(obj.get("kind")), str(name)
