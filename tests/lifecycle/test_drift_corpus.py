"""Published packages, installed untouched: no drift in any object; and every value of theirs, changed, is found."""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dovetail.helm import Connection, Deploy, HelmWorker, Values
from dovetail.kube import Client, key_of
from dovetail.lifecycle.comparison import pointer
from dovetail.lifecycle.drift import autoscaled, drifted, ignored_paths
from dovetail.lifecycle.manifests import Object, objects_of
from dovetail.lifecycle.releases import Releases
from tests.conftest import KubeApi, install_crds
from tests.lifecycle.next_versions import for_the_host
from tests.lifecycle.platform import ensure_namespace
from tests.lifecycle.test_corpus_lifecycle import DOMAIN, TOGETHER, WITHOUT_PODS, Package, node
from tests.packaging.corpus import CORPUS

HELD = "app.kubernetes.io/managed-by"
EACH = 20
"""Changes in one object, spread over all of it."""


async def installed(client: Client, helm: HelmWorker, api: KubeApi, package: Package) -> str:
    """The manifest of the package's release."""
    name, data = package.name, await asyncio.to_thread(for_the_host, package.archive.read_bytes())
    await ensure_namespace(client, package.namespace)
    here = Connection(namespace=package.namespace, kubeconfig=str(api.kubeconfig))
    values = Values(json.dumps(DOMAIN | WITHOUT_PODS), {"tags": {"extension": True, "agent": False}})
    marks = {"kubesphere.io/extension-ref": name}
    await helm.call(Deploy(release=name, chart=data, connection=here, values=values, object_labels=marks))
    releases = Releases(client)
    records = await releases.records(here.namespace, name)
    assert records.latest is not None
    return await releases.manifest(records.latest)


async def live_of(client: Client, obj: Object, namespace: str) -> Object:
    resource = await client.discover(obj["apiVersion"], obj["kind"])
    key = key_of(obj)
    return await client.get(resource, key.name, (key.namespace or namespace) if resource.namespaced else None)


def values_of(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every scalar with its path."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from values_of(inner, (*path, str(name)))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from values_of(inner, (*path, str(at)))
    else:
        yield path, value


def at(obj: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        obj = obj[int(part)] if isinstance(obj, list) else obj[part]
    return obj


@contextlib.contextmanager
def changed(live: Object, path: tuple[str, ...]) -> Iterator[None]:
    """Another value there, while inside."""
    parent, last = at(live, path[:-1]), path[-1]
    key: Any = int(last) if isinstance(parent, list) else last
    value = parent[key]
    parent[key] = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"{value}x"
    try:
        yield
    finally:
        parent[key] = value


def planted(wanted: Object, live: Object) -> Iterator[tuple[str, ...]]:
    """Every value that the manifest gives and the API has unchanged, changed."""
    parts = {name: value for name, value in wanted.items() if name not in ("apiVersion", "kind", "metadata", "status")}
    meta = wanted.get("metadata", {})
    parts["metadata"] = {name: meta[name] for name in ("labels", "annotations") if meta.get(name)}
    for path, value in values_of(parts):
        try:
            same = at(live, path) == value
        except (KeyError, IndexError, TypeError):
            continue
        if same and value not in (None, "") and path[-1] not in ("caBundle", HELD):
            yield path


async def test_no_false_alarm_and_every_planted_change(own_kube_api: KubeApi) -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"there is no corpus at {CORPUS} (set DOVETAIL_CORPUS)")
    install_crds(own_kube_api)
    objects = found = 0
    async with own_kube_api.client() as client, HelmWorker() as helm, node(client):
        for package in [one for several in TOGETHER for one in several]:
            wanted = objects_of(await installed(client, helm, own_kube_api, package))
            scaled = autoscaled(wanted)
            for obj in wanted:
                live = await live_of(client, obj, package.namespace)
                ignored = ignored_paths(obj, (), scaled)
                assert drifted(obj, live, ignored, "") is None, drifted(obj, live, ignored, "")
                changes = list(planted(obj, live))
                for at_path in changes[:: len(changes) // EACH + 1]:
                    with changed(live, at_path):
                        drift = drifted(obj, live, ignored, "")
                    assert drift is not None, (obj["kind"], at_path)
                    assert any(pointer(at_path).startswith(one.removesuffix("/-")) for one in drift.pointers), (
                        at_path,
                        drift.pointers,
                    )
                    found += 1
                objects += 1
    assert objects > 100
    assert found > 1000
