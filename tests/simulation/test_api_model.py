"""The in-memory API against the embedded API server: the same random requests, the same answers, the same events."""

import asyncio
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from dovetail.apis.extensions_v1alpha1 import JSBUNDLES
from dovetail.kube import CONFIGMAPS, Client
from tests.conftest import KubeApi
from tests.simulation.api import MemoryApi

Object = dict[str, Any]
_CONTENTS = {"PATCH": "application/merge-patch+json", "APPLY": "application/apply-patch+yaml"}
_NAMES = ("one", "two", "three")
OPERATIONS = 400


class Both:
    """Two APIs that get the same requests. uids and resourceVersions differ: `known` has each side's own."""

    def __init__(self, client: Client, namespace: str, prefix: str) -> None:
        self.client, self.namespace, self.prefix = client, namespace, prefix
        self.memory = MemoryApi(lambda: datetime.now(UTC))
        self.metas: dict[str, tuple[Object, Object]] = {}

    def path(self, kind: str, name: str = "", part: str = "") -> str:
        if kind == "namespaces":
            where = "/api/v1/namespaces"
        elif kind == "configmaps":
            where = f"/api/v1/namespaces/{self.namespace}/configmaps"
        else:
            where = "/apis/extensions.kubesphere.io/v1alpha1/jsbundles"
        return "/".join(filter(None, (where, name, part)))

    async def ask(self, method: str, path: str, bodies: tuple[Any, Any], query: dict[str, str] | None = None) -> Any:
        """Both answers, compared; the objects' metadata are remembered."""
        content = _CONTENTS.get(method, "application/json")
        verb, query = ("PATCH" if method == "APPLY" else method), query or {}
        raw = [None if body is None else orjson.dumps(body) for body in bodies]
        real = await self.client.request(verb, path, body=raw[0], query=query, headers={"Content-Type": content})
        ours = self.memory.handle("test", verb, path, query, content, "", raw[1])
        theirs, mine = orjson.loads(real.body), orjson.loads(ours.body)
        said = f"{method} {path} {query} {raw[1]}"
        assert (ours.status, _shape(mine)) == (real.status, _shape(theirs)), said
        if "metadata" in theirs and theirs.get("kind") != "Status" and "items" not in theirs:
            before = self.metas.get(path)
            if before is not None and before[0]["uid"] == theirs["metadata"]["uid"]:
                changed = [
                    b["resourceVersion"] != a["metadata"]["resourceVersion"]
                    for b, a in zip(before, (theirs, mine), strict=True)
                ]
                assert changed[0] == changed[1], f"{said}: one of them wrote, the other did not"
            self.metas[path.removesuffix("/status")] = (theirs["metadata"], mine["metadata"])
        return theirs

    def both(self, path: str, make: Any) -> tuple[Any, Any]:
        """A body for each, made from what each said of the object last."""
        nothing: tuple[Object, Object] = ({}, {})
        theirs, mine = self.metas.get(path, nothing)
        return make(theirs), make(mine)


def _shape(obj: Any) -> Any:
    """What must be equal: everything but identities, times and words."""
    if not isinstance(obj, dict):
        return obj
    if obj.get("kind") == "Status":
        return {"reason": obj.get("reason"), "status": obj.get("status")}
    if "items" in obj:
        return [_shape(item) for item in obj["items"] if item["metadata"]["name"] != "kube-root-ca.crt"]
    meta = obj.get("metadata") or {}
    ours = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "deletionTimestamp")
    kept = {key: value for key, value in meta.items() if key not in ours and value not in (None, {}, [])}
    kept["deleting"] = "deletionTimestamp" in meta
    spec = {} if obj.get("kind") == "Namespace" else {"spec": obj.get("spec")}
    return {"metadata": kept, **spec, **{key: obj.get(key) for key in ("data", "status") if obj.get(key)}}


def _object(both: Both, kind: str, name: str, chance: Random, meta: Object) -> Object:
    """Some content; what a reader saw goes along when it wants."""
    wanted: Object = {"name": name}
    if chance.random() < 0.6:
        wanted["labels"] = {"color": chance.choice(("red", "blue"))}
    if chance.random() < 0.3:
        wanted["annotations"] = {"note": chance.choice(("a", "b"))}
    if kind == "configmaps":
        content: Object = {"data": {chance.choice("xyz"): chance.choice("12") for _ in range(chance.randrange(1, 4))}}
        wanted["namespace"] = both.namespace
        head = {"apiVersion": "v1", "kind": "ConfigMap"}
    else:
        content = {
            "spec": {"raw": chance.choice(("MQ==", "Mg=="))},
            "status": {"state": chance.choice(("Available", "Disabled"))},
        }
        head = {"apiVersion": "extensions.kubesphere.io/v1alpha1", "kind": "JSBundle"}
    return {**head, "metadata": wanted, **content}


async def _step(both: Both, chance: Random) -> None:
    kind = chance.choice(("configmaps", "jsbundles"))
    name = f"{both.prefix}{chance.choice(_NAMES)}"
    path = both.path(kind, name)
    seed = chance.random()

    def content(meta: Object, **more: Any) -> Object:
        obj = _object(both, kind, name, Random(seed), meta)
        obj["metadata"] |= {key: value for key, value in more.items() if value is not None}
        return obj

    match chance.choice(
        (
            "create",
            "create",
            "put",
            "put",
            "patch",
            "patch",
            "status",
            "apply",
            "apply",
            "apply",
            "delete",
            "delete",
            "get",
            "list",
            "finalizer",
        )
    ):
        case "create":
            held = ["tests/held"] if chance.random() < 0.3 else None
            await both.ask("POST", both.path(kind), both.both(path, lambda m: content(m, finalizers=held)))
        case "put":
            # An update without finalizers takes them away, with stale or no versions it may be refused.
            fresh = chance.random()
            keep = chance.random() < 0.7
            await both.ask("PUT", path, both.both(path, lambda m: content(
                m, resourceVersion=m.get("resourceVersion") if fresh < 0.6 else "1" if fresh < 0.8 else None,
                finalizers=m.get("finalizers") if keep else None,
            )))  # fmt: skip
        case "patch":
            precondition = chance.random() < 0.3
            value = chance.choice((None, "9", {"a": "b"}))
            change = (
                {"data": {"x": value if not isinstance(value, dict) else "7"}}
                if kind == "configmaps"
                else {"spec": {"raw": "Mw=="}}
            )
            marks = {"labels": {"color": chance_value(seed)}}
            seen = ["resourceVersion"] if precondition else []
            await both.ask("PATCH", path, both.both(path, lambda m: {
                **change, "metadata": {**marks, **{field: m.get(field, "1") for field in seen}},
            }))  # fmt: skip
        case "status":
            state = chance.choice(("Available", "Disabled", None))
            await both.ask(
                "PATCH",
                both.path("jsbundles", name, "status"),
                both.both(path, lambda _: {"status": {"state": state}, "spec": {"raw": "OQ=="}}),
            )
        case "apply":
            query = {"fieldManager": "dovetail", "force": "true"}
            await both.ask("APPLY", path, both.both(path, lambda m: _without_status(content(m))), query)
        case "delete":
            pick = chance.random()
            await both.ask("DELETE", path, both.both(path, lambda m: {
                "apiVersion": "v1", "kind": "DeleteOptions",
                **({"preconditions": {"uid": m.get("uid", "none") if pick < 0.2 else "other"}} if pick < 0.3 else {}),
            }))  # fmt: skip
        case "get":
            await both.ask("GET", path, (None, None))
        case "list":
            selector = chance.choice(("color=red", "color", "!color", "color in (red,blue)", "color!=red", ""))
            scope = {"labelSelector": selector} if selector else {}
            if kind == "configmaps":
                await both.ask("GET", both.path(kind), (None, None), scope)
        case "finalizer":
            wanted = chance.choice(([], ["tests/held"], ["tests/held", "tests/too"]))
            await both.ask("PATCH", path, ({"metadata": {"finalizers": wanted}},) * 2)


def chance_value(seed: float) -> Any:
    return ("red", "blue", None)[int(seed * 3)]


def _without_status(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key != "status"}


async def _events(
    client: Client, resource: Any, namespace: str | None, start: str, count: int
) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    stream = client.watch(resource, namespace, resource_version=start, timeout=10)
    try:
        async with asyncio.timeout(8):
            async for event in stream:
                if event.type != "BOOKMARK" and event.object["metadata"]["name"] != "kube-root-ca.crt":
                    found.append((event.type, _shape(event.object)))
                if len(found) == count:
                    break
    except TimeoutError:
        pass
    finally:
        await stream.aclose()
    return found


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_same_requests_have_the_same_answers_and_events(platform_crds: KubeApi, seed: int) -> None:
    async def whole() -> None:
        async with platform_crds.client() as client:
            both = Both(client, f"model-{seed}", f"model-{seed}-")
            await both.ask("POST", "/api/v1/namespaces", ({"metadata": {"name": both.namespace}},) * 2)
            start = (await client.list(CONFIGMAPS, both.namespace)).resource_version
            begin = (await client.list(JSBUNDLES)).resource_version
            chance = Random(seed)
            for _ in range(OPERATIONS):
                await _step(both, chance)
            for resource, namespace, since in ((CONFIGMAPS, both.namespace, start), (JSBUNDLES, None, begin)):
                kind = next(
                    kind
                    for kind in both.memory.history
                    if kind.plural == resource.plural and kind.group == resource.group
                )
                ours = [(change.type, _shape(change.new.obj)) for change in both.memory.history[kind]]
                assert ours, "nothing happened"
                theirs = await _events(client, resource, namespace, since, len(ours))
                assert theirs == ours

    asyncio.run(whole())


def test_a_namespace_that_ends_takes_nothing_in(platform_crds: KubeApi) -> None:
    async def whole() -> None:
        async with platform_crds.client() as client:
            both = Both(client, "model-ends", "model-ends-")
            await both.ask(
                "POST",
                "/api/v1/namespaces",
                ({"metadata": {"name": both.namespace, "finalizers": ["tests/held"]}},) * 2,
            )
            thing = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "kept", "finalizers": ["tests/held"]},
            }
            await both.ask("POST", both.path("configmaps"), (thing, thing))
            await both.ask("DELETE", f"/api/v1/namespaces/{both.namespace}", (None, None))
            late = {**thing, "metadata": {"name": "late"}}
            await both.ask("POST", both.path("configmaps"), (late, late))
            missing = f"/api/v1/namespaces/{quote('model-nowhere')}/configmaps"
            await both.ask("POST", missing, (late, late))
            await client.patch(CONFIGMAPS, "kept", {"metadata": {"finalizers": []}}, both.namespace)

    asyncio.run(whole())
