"""Rows: custom resources."""

import json
from typing import Any

from tests.e2e.kube.cluster import Cluster, eventually
from tests.e2e.kube.samples import custom as instance
from tests.e2e.kube.samples import definition
from tests.e2e.kube.table import row

AREA = "Custom resources"
CRDS = "tasks/extend-kubernetes/custom-resources/custom-resource-definitions/"


def serve(cluster: Cluster, crd: dict[str, Any]) -> str:
    """Create a definition and wait until it is established; a fresh namespace for its objects."""
    cluster.kubectl("apply", "-f", "-", stdin=crd)
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{crd['metadata']['name']}", "--timeout=10s")
    return cluster.namespace()


@row(AREA, "a definition is established, discovered, explained, and gone with its instances", "kubectl", CRDS)
def life_of_a_definition(cluster: Cluster) -> None:
    ns = serve(cluster, definition("lives", "Life", {"n": {"type": "integer", "description": "How many."}}))
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=instance("Life", "a", n=1))
    assert "How many." in cluster.kubectl("explain", "lives.spec.n")
    cluster.kubectl("delete", "crd", "lives.rows.dovetail.dev", "--timeout=15s")
    assert cluster.http("GET", "/apis/rows.dovetail.dev/v1/lives").code == 404


@row(AREA, "unknown fields are pruned, defaults are filled in", "kubectl", CRDS + "#field-pruning")
def prune_and_default(cluster: Cluster) -> None:
    fields = {"size": {"type": "integer", "default": 3}, "tags": {"type": "array", "items": {"type": "string"}}}
    ns = serve(cluster, definition("prunes", "Prune", fields))
    cluster.kubectl("-n", ns, "create", "--validate=ignore", "-f", "-", stdin=instance("Prune", "a", other=1))
    assert cluster.get("-n", ns, "prunes/a")["spec"] == {"size": 3}
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=instance("Prune", "b", other=1), code=1)
    assert 'unknown field "spec.other"' in told


@row(AREA, "the schema is enforced with Kubernetes' sentences", "kubectl", CRDS + "#validation")
def validation(cluster: Cluster) -> None:
    fields = {"n": {"type": "integer", "maximum": 5}, "mode": {"type": "string", "enum": ["a", "b"]}}
    ns = serve(cluster, definition("checks", "Check", fields))
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=instance("Check", "x", n=9, mode="c"), code=1)
    assert "spec.n: Invalid value: 9: spec.n in body should be less than or equal to 5" in told
    assert 'spec.mode: Unsupported value: "c": supported values: "a", "b"' in told


@row(AREA, "validation rules in CEL, transition rules too", "kubectl", CRDS + "#validation-rules")
def cel_rules(cluster: Cluster) -> None:
    rules = [
        {"rule": "self.low <= self.high", "message": "low must not be above high"},
        {"rule": "self.high >= oldSelf.high", "message": "high may not shrink"},
    ]
    fields = {"low": {"type": "integer"}, "high": {"type": "integer"}}
    spec = {"type": "object", "properties": fields, "x-kubernetes-validations": rules}
    ns = serve(cluster, definition("rules", "Rule", spec))
    told = cluster.kubectl("-n", ns, "create", "-f", "-", stdin=instance("Rule", "a", low=3, high=2), code=1)
    assert "low must not be above high" in told
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=instance("Rule", "a", low=1, high=5))
    told = cluster.kubectl("-n", ns, "apply", "-f", "-", stdin=instance("Rule", "a", low=1, high=4), code=1)
    assert "high may not shrink" in told
    wrong = definition("broken", "Broken", {**spec, "x-kubernetes-validations": [{"rule": "self.nope > 1"}]})
    assert "undefined field 'nope'" in cluster.kubectl("create", "-f", "-", stdin=wrong, code=1)


@row(AREA, "printer columns", "kubectl", CRDS + "#additional-printer-columns")
def printer_columns(cluster: Cluster) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Wide", "type": "string", "jsonPath": ".spec.note", "priority": 1},
    ]
    fields = {"size": {"type": "integer"}, "note": {"type": "string"}}
    crd = definition("shows", "Show", fields, additionalPrinterColumns=columns, subresources={"status": {}})
    ns = serve(cluster, crd)
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=instance("Show", "a", size=4, note="deep"))
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    cluster.kubectl("-n", ns, "patch", "shows/a", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    header, line = cluster.kubectl("-n", ns, "get", "shows").splitlines()
    assert (header.split(), line.split()) == (["NAME", "SIZE", "READY"], ["a", "4", "True"])
    assert "deep" in cluster.kubectl("-n", ns, "get", "shows", "-o", "wide")


@row(AREA, "the status subresource keeps spec and status apart; the scale subresource scales", "kubectl",
     CRDS + "#subresources")  # fmt: skip
def subresources(cluster: Cluster) -> None:
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    both = {"status": {}, "scale": scale}
    ns = serve(cluster, definition("scales", "Scale2", {"replicas": {"type": "integer"}}, subresources=both))
    first = {**instance("Scale2", "a", replicas=1), "status": {"replicas": 7}}
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=first)
    assert "status" not in cluster.get("-n", ns, "scales/a")
    cluster.kubectl("-n", ns, "scale", "scales/a", "--replicas=4")
    found = cluster.get("-n", ns, "scales/a")
    assert (found["spec"], found["metadata"]["generation"]) == ({"replicas": 4}, 2)


@row(AREA, "server-side apply merges lists by their map keys", "kubectl",
     "reference/using-api/server-side-apply/#merge-strategy")  # fmt: skip
def list_maps(cluster: Cluster) -> None:
    entry = {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": "string"}}}
    items = {
        "type": "array", "items": entry, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
    }  # fmt: skip
    ns = serve(cluster, definition("merges", "Merge", {"items": items}))
    for manager, key in (("one", "a"), ("two", "b")):
        cluster.kubectl("-n", ns, "apply", "--server-side", f"--field-manager={manager}", "-f", "-",
                        stdin=instance("Merge", "m", items=[{"k": key, "v": manager}]))  # fmt: skip
    assert {i["k"]: i["v"] for i in cluster.get("-n", ns, "merges/m")["spec"]["items"]} == {"a": "one", "b": "two"}


@row(AREA, "several served versions with conversion None; deprecated ones warn", "kubectl",
     "tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/")  # fmt: skip
def versions(cluster: Cluster) -> None:
    crd = definition("ages", "Age", {"n": {"type": "integer"}})
    older = {**crd["spec"]["versions"][0], "name": "v1beta1", "storage": False, "deprecated": True}
    crd["spec"]["versions"].append(older)
    ns = serve(cluster, crd)
    told = cluster.kubectl("-n", ns, "create", "-f", "-",
                           stdin={**instance("Age", "a", n=1), "apiVersion": "rows.dovetail.dev/v1beta1"})  # fmt: skip
    assert "Warning: rows.dovetail.dev/v1beta1 Age is deprecated" in told
    assert cluster.get("-n", ns, "ages.v1.rows.dovetail.dev/a")["apiVersion"] == "rows.dovetail.dev/v1"


@row(AREA, "selectable fields", "kubectl", CRDS + "#crd-selectable-fields")
def selectable(cluster: Cluster) -> None:
    fields = {"color": {"type": "string"}}
    ns = serve(cluster, definition("picks", "Pick", fields, selectableFields=[{"jsonPath": ".spec.color"}]))
    cluster.kubectl("-n", ns, "create", "-f", "-", stdin=[
        instance("Pick", "a", color="red"), instance("Pick", "b", color="blue"),
    ])  # fmt: skip
    shown = cluster.kubectl("-n", ns, "get", "picks", "--field-selector=spec.color=blue", "-o", "name")
    assert shown.split() == ["pick.rows.dovetail.dev/b"]


@row(AREA, "a definition that is not structural, or whose names are taken, says so in its conditions or is refused",
     "kubectl", CRDS + "#specifying-a-structural-schema")  # fmt: skip
def refusals(cluster: Cluster) -> None:
    loose = definition("looses", "Loose", {"x": {"description": "no type"}})
    assert "must not be empty for specified object fields" in cluster.kubectl("create", "-f", "-", stdin=loose, code=1)
    serve(cluster, definition("firsts", "Taken", {"n": {"type": "integer"}}))
    second = definition("seconds", "Taken", {"n": {"type": "integer"}})
    cluster.kubectl("create", "-f", "-", stdin=second)
    eventually(lambda: any(
        c["type"] == "NamesAccepted" and c["status"] == "False"
        for c in cluster.get("crd", "seconds.rows.dovetail.dev")["status"]["conditions"]
    ))  # fmt: skip
    cluster.kubectl("delete", "crd", "firsts.rows.dovetail.dev", "seconds.rows.dovetail.dev")
