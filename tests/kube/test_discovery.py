"""Discovery in both its forms, and the cache in front of it."""

from typing import Any

import pytest

from dovetail.kube import Resource, ServedResource, UnknownKind, preferred_resources
from tests.kube.canned import Answer, Seen, canned, failure

V1 = {
    "kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["get", "list"]},
        {"name": "configmaps/status", "kind": "ConfigMap", "namespaced": True, "verbs": ["get"]},
        {"name": "namespaces", "kind": "Namespace", "namespaced": False, "verbs": ["list"]},
    ],
}  # fmt: skip
GROUPS = {
    "kind": "APIGroupList", "groups": [{
        "name": "g.io", "preferredVersion": {"groupVersion": "g.io/v1"},
        "versions": [{"groupVersion": "g.io/v2alpha1"}, {"groupVersion": "g.io/v1"}, {"groupVersion": "g.io/v0"}],
    }],
}  # fmt: skip


def widgets(api_version: str) -> dict[str, Any]:
    resource = {"name": "widgets", "kind": "Widget", "namespaced": True, "verbs": ["get", "list", "delete"]}
    return {"kind": "APIResourceList", "groupVersion": api_version, "resources": [resource]}


PLAIN: dict[str, Any] = {
    "/api/v1": V1, "/apis": GROUPS,
    "/apis/g.io/v1": widgets("g.io/v1"), "/apis/g.io/v2alpha1": widgets("g.io/v2alpha1"),
}  # fmt: skip


def aggregated(group: str, versions: list[str], *resources: tuple[str, str, str, list[str]]) -> dict[str, Any]:
    served = [
        {"resource": plural, "scope": scope, "verbs": verbs, "responseKind": {"kind": kind}}
        for plural, kind, scope, verbs in resources
    ]
    group_item = {"metadata": {"name": group}, "versions": [{"version": v, "resources": served} for v in versions]}
    return {"kind": "APIGroupDiscoveryList", "items": [group_item]}


CORE = [("configmaps", "ConfigMap", "Namespaced", ["get", "list"]), ("namespaces", "Namespace", "Cluster", ["list"])]
WIDGETS = ("widgets", "Widget", "Namespaced", ["get", "list", "delete"])
AGGREGATED: dict[str, Any] = {
    "/api": aggregated("", ["v1"], *CORE),
    "/apis": aggregated("g.io", ["v1", "v2alpha1"], WIDGETS),
}
CONFIGMAP = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACE = Resource("", "v1", "namespaces", "Namespace", False)
WIDGET, WIDGET2 = (Resource("g.io", version, "widgets", "Widget") for version in ("v1", "v2alpha1"))


def serving(documents: dict[str, Any]) -> Any:
    async def respond(seen: Seen, answer: Answer) -> None:
        if seen.path in documents:
            await answer.json(documents[seen.path])
        else:
            await answer.json(failure(404, "NotFound"), 404)

    return respond


@pytest.mark.parametrize("documents", [PLAIN, AGGREGATED])
async def test_everything(documents: dict[str, Any]) -> None:
    async with canned(serving(documents)) as server, server.client() as client:
        served = await client.discover_all()
        assert {s.resource for s in served} == {CONFIGMAP, NAMESPACE, WIDGET, WIDGET2}
        assert {s.resource for s in served if s.preferred} == {CONFIGMAP, NAMESPACE, WIDGET}
        assert [s.resource for s in preferred_resources(served, ("list", "delete"))] == [WIDGET]
        asked = len(server.seen)
        assert await client.discover("g.io/v2alpha1", "Widget") == WIDGET2
        assert len(server.seen) == asked


async def test_kinds_are_asked_for_once_and_missing_ones_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = dict(PLAIN)
    async with canned(serving(documents)) as server, server.client() as client:
        assert await client.discover("v1", "ConfigMap") == CONFIGMAP
        assert await client.discover("v1", "Namespace") == NAMESPACE
        assert len(server.seen) == 1
        for _ in range(3):
            with pytest.raises(UnknownKind, match="Gadget"):
                await client.discover("h.io/v1", "Gadget")
        assert len(server.seen) == 2
        monkeypatch.setattr("dovetail.kube.catalog.MISS_SECONDS", 0.0)
        gadgets = {"groupVersion": "h.io/v1", "resources": [{"name": "gadgets", "kind": "Gadget", "verbs": []}]}
        documents["/apis/h.io/v1"] = gadgets
        assert (await client.discover("h.io/v1", "Gadget")).namespaced is False
        client.forget_discovery()
        del documents["/apis/h.io/v1"]
        with pytest.raises(UnknownKind):
            await client.discover("h.io/v1", "Gadget")


def test_a_resource_only_in_an_older_version_counts() -> None:
    old = ServedResource(WIDGET2, frozenset({"list"}), preferred=False)
    assert preferred_resources([old], ["list"]) == [old]
    assert preferred_resources([old], ["watch"]) == []
