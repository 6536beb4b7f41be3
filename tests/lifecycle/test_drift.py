"""Drift: the comparison in tables, and a platform whose extensions are changed by hand."""

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dovetail.apis.dialects.policies import DriftIgnored
from dovetail.apis.extensions_v1alpha1 import REVERSEPROXIES
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.kube import CONFIGMAPS, DEPLOYMENTS, ROLES, Client
from dovetail.kube.timestamps import parse_rfc3339
from dovetail.lifecycle.comparison import differences
from dovetail.lifecycle.drift import autoscaled, drifted, ignored_paths, mending, parsed_pointer
from dovetail.lifecycle.drifting import told
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

NOW = parse_rfc3339("2026-11-21T12:00:00Z")


def config_map(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": data}


def deployment(**container: Any) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": "c", **container}]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": spec}


def of(kind: str, api_version: str = "v1", **rest: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **rest}


def service(**spec: Any) -> dict[str, Any]:
    return of("Service", spec=spec)


def custom(**spec: Any) -> dict[str, Any]:
    return of("Thing", "things.test/v1", spec=spec)


C = "/spec/template/spec/containers/0"

SAME = [
    (config_map(a="1"), config_map(a="1", b="2")),
    (deployment(image="i"), deployment(image="i", imagePullPolicy="Always", terminationMessagePath="/x")),
    (
        deployment(resources={"limits": {"cpu": "1000m", "memory": "1024Mi"}}),
        deployment(resources={"limits": {"cpu": "1", "memory": "1Gi"}}),
    ),
    (deployment(resources={"limits": {"cpu": 0.5}}), deployment(resources={"limits": {"cpu": "500m"}})),
    (deployment(env=[{"name": "A"}, {"name": "B", "value": ""}]), deployment(env=[{"name": "B"}, {"name": "A"}])),
    (deployment(securityContext={}, args=[], tty=False, workingDir=""), deployment()),
    (deployment(ports=[{"containerPort": 80}]), deployment(ports=[{"containerPort": 80, "protocol": "TCP"}])),
    (
        deployment(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        deployment(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
    ),
    (service(clusterIP="", ports=[{"port": 80, "nodePort": 0}]), service(clusterIP="10.0.0.1", clusterIPs=["10.0.0.1"],
     ports=[{"port": 80, "protocol": "TCP", "targetPort": 80, "nodePort": 30001}])),
    (of("ServiceAccount", secrets=[]), of("ServiceAccount", secrets=[{"name": "token-1"}])),
    (of("Secret", stringData={"a": "b"}), of("Secret", data={"a": "Yg=="}, type="Opaque")),
    (of("Secret", data={"a": "YWJj\nZGVm\n"}), of("Secret", data={"a": "YWJjZGVm"})),
    (
        of("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1",
           webhooks=[{"name": "w", "clientConfig": {"caBundle": "Cg=="}}]),
        of("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1",
           webhooks=[{"name": "w", "clientConfig": {"caBundle": "REAL"}, "timeoutSeconds": 10}]),
    ),
    (
        of("ClusterRole", "rbac.authorization.k8s.io/v1", aggregationRule={"clusterRoleSelectors": []}, rules=[]),
        of("ClusterRole", "rbac.authorization.k8s.io/v1", aggregationRule={"clusterRoleSelectors": []}, rules=[1]),
    ),
    (custom(a=1, b=None, d=1.0), custom(a=1, c=3, d=1)),
    (of("Thing", "things.test/v1", status={"a": 1}), of("Thing", "things.test/v1", status={"a": 2})),
]  # fmt: skip

CHANGED = [
    (config_map(a="1"), config_map(a="2"), ["/data/a"]),
    (config_map(a="1"), config_map(b="1"), ["/data/a"]),
    (config_map(**{"a/b~c": "1"}), config_map(), ["/data/a~1b~0c"]),
    (config_map(a=""), config_map(a="2"), ["/data/a"]),
    (config_map(a="1000m"), config_map(a="1"), ["/data/a"]),
    (deployment(image="i:1"), deployment(image="i:2"), [f"{C}/image"]),
    (deployment(args=["a"]), deployment(args=["a", "b"]), [f"{C}/args"]),
    (deployment(args=["a", "b"]), deployment(args=["b", "a"]), [f"{C}/args/0", f"{C}/args/1"]),
    (deployment(env=[{"name": "A", "value": ""}]), deployment(env=[{"name": "A", "value": "x"}]), [f"{C}/env/0/value"]),
    (deployment(env=[{"name": "A", "value": "1"}]), deployment(env=[{"name": "B"}]), [f"{C}/env/-"]),
    (
        deployment(env=[{"name": "A", "value": "1"}]),
        deployment(env=[{"name": "A", "value": "1000m"}]),
        [f"{C}/env/0/value"],
    ),
    (
        deployment(resources={"limits": {"cpu": "1"}}),
        deployment(resources={"limits": {"cpu": "2"}}),
        [f"{C}/resources/limits/cpu"],
    ),
    (deployment(tty=True), deployment(tty=False), [f"{C}/tty"]),
    (service(clusterIP="None"), service(clusterIP="10.0.0.1"), ["/spec/clusterIP"]),
    (of("Secret", stringData={"a": "b"}), of("Secret", data={"a": "Yw=="}), ["/data/a"]),
    (
        of("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {}, "ingress": []}),
        of("NetworkPolicy", "networking.k8s.io/v1", spec={"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{}]}),
        ["/spec/podSelector", "/spec/ingress"],
    ),
    (
        of("Role", "rbac.authorization.k8s.io/v1", rules=[{"verbs": ["get"]}]),
        of("Role", "rbac.authorization.k8s.io/v1", rules=[{"verbs": ["get", "delete"]}]),
        ["/rules/0/verbs"],
    ),
    (
        of("ConfigMap") | {"metadata": {"name": "x", "labels": {"a": "b"}}},
        of("ConfigMap"),
        ["/metadata/labels"],
    ),
    (custom(a=False, l=[1, 2]), custom(l=[2, 1]), ["/spec/a", "/spec/l/0", "/spec/l/1"]),
]


@pytest.mark.parametrize(("wanted", "live"), SAME)
def test_no_difference(wanted: dict[str, Any], live: dict[str, Any]) -> None:
    assert differences(wanted, live) == []


@pytest.mark.parametrize(("wanted", "live", "pointers"), CHANGED)
def test_a_difference_has_its_pointer(wanted: dict[str, Any], live: dict[str, Any], pointers: list[str]) -> None:
    assert [one.pointer for one in differences(wanted, live)] == pointers


NAMES = st.sampled_from(["name", "env", "ports", "data", "limits", "cpu", "value", "matchLabels", "caBundle", "a/b~c"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "1", "1000m", "x", "1Ki"]))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
SPECS = st.dictionaries(NAMES, VALUES, max_size=4)


def patched(obj: Any, operations: list[dict[str, Any]]) -> Any:
    """RFC 6902, as far as `mending` uses it; strict about what must be there."""
    obj = copy.deepcopy(obj)
    for operation in operations:
        *parents, last = parsed_pointer(operation["path"])
        place = obj
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if isinstance(place, list) and last == "-":
            place.append(copy.deepcopy(operation["value"]))
        elif isinstance(place, list):
            place[int(last)] = copy.deepcopy(operation["value"])
        else:
            assert operation["op"] == "add" or last in place, operation
            place[last] = copy.deepcopy(operation["value"])
    return obj


@given(SPECS, SPECS, st.sampled_from(["apps/v1", "things.test/v1"]))
@settings(max_examples=150)
def test_mending_makes_it_right_and_touches_nothing_else(
    wanted: dict[str, Any], live: dict[str, Any], version: str
) -> None:
    want, have = of("Thing", version, spec=wanted), of("Thing", version, spec=live)
    assert differences(have, have) == []
    mended = patched(have, mending(differences(want, have)))
    assert differences(want, mended) == []
    assert {name: value for name, value in mended["spec"].items() if name not in wanted} == {
        name: value for name, value in live.items() if name not in wanted
    }


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (DriftIgnored(), False),
        (DriftIgnored(kind="Deployment"), False),
        (DriftIgnored(kind="Deployment", name="other"), True),
        (DriftIgnored(paths=("/spec/template/spec/containers/0/image",)), False),
        (DriftIgnored(paths=("/spec/template/spec/containers/*/image",)), False),
        (DriftIgnored(paths=("/spec/template",)), False),
        (DriftIgnored(paths=("/spec/replicas",)), True),
    ],
)
def test_rules_of_what_others_may_change(rule: DriftIgnored, found: bool) -> None:
    wanted, live = deployment(image="i:1"), deployment(image="i:2")
    assert (drifted(wanted, live, ignored_paths(wanted, [rule], ()), "") is not None) is found


def test_what_is_ignored_is_not_mended_with_its_neighbours() -> None:
    wanted = of("ConfigMap") | {"metadata": {"name": "x", "annotations": {"a": "1", "b": "2"}}}
    rule = DriftIgnored(paths=("/metadata/annotations/a",))
    found = drifted(wanted, of("ConfigMap"), ignored_paths(wanted, [rule], ()), "")
    assert found is not None
    assert mending(found.differences) == [{"op": "add", "path": "/metadata/annotations", "value": {"b": "2"}}]


def test_autoscaled_replicas_and_jobs_that_end_by_themselves_are_no_drift() -> None:
    target = {"scaleTargetRef": {"kind": "Deployment", "name": "x"}}
    scaler = of("HorizontalPodAutoscaler", "autoscaling/v2", spec=target)
    wanted = of("Deployment", "apps/v1", spec={"replicas": 2})
    live = of("Deployment", "apps/v1", spec={"replicas": 7})
    assert drifted(wanted, live, ignored_paths(wanted, (), autoscaled([scaler, wanted])), "") is None
    assert drifted(wanted, live, ignored_paths(wanted, (), autoscaled([wanted])), "") is not None
    live["metadata"]["annotations"] = {"dovetail.dev/before-disabled": "2"}
    live["spec"]["replicas"] = 0
    assert drifted(wanted, live, (), "") is None, "scaled down because the extension is disabled"
    assert drifted(of("Job", "batch/v1", spec={"ttlSecondsAfterFinished": 5}), None, (), "") is None
    assert drifted(of("Job", "batch/v1", spec={}), None, (), "") is not None


def test_a_plan_is_written_when_there_is_something_to_say_and_once() -> None:
    obj: dict[str, Any] = {"metadata": {"name": "x", "generation": 3}, "status": {"version": "1.0.0"}}
    assert told(obj, [], [], [], NOW) is None, "it never drifted"
    gone = drifted(of("ConfigMap"), None, (), "here")
    assert gone is not None
    first = told(obj, [gone], [], [], NOW)
    assert first is not None
    assert first["drift"] == [
        {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "here", "name": "x", "what": "Missing"}
    ]
    obj["status"] |= first
    assert told(obj, [gone], [], [], NOW) is None, "it says so already"
    refused = told(obj, [gone], [], ["ConfigMap here/x: 403 Forbidden"], NOW)
    assert refused is not None
    assert [one["reason"] for one in refused["conditions"]] == ["CannotHeal"]
    mended = told(obj, [], [gone], [], NOW)
    assert mended is not None
    assert (mended["drift"], mended["history"][-1]["outcome"]) == ([], "Succeeded")
    obj["status"] |= mended
    assert told(obj, [], [], [], NOW) is None


WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: "images.test/web:1", resources: {limits: {cpu: 1000m}}, mispelt: true}]
"""


async def drift_of(client: Client, name: str) -> list[tuple[str, str, list[str]]]:
    found = (await client.get(INSTALLPLANS, name))["status"].get("drift", [])
    return [(f"{one['kind']}/{one['name']}", one["what"], one.get("paths", [])) for one in found]


async def condition(client: Client, name: str) -> dict[str, Any]:
    found = (await client.get(INSTALLPLANS, name))["status"]["conditions"]
    return next((one for one in found if one["type"] == "Drifted"), {})


async def test_changes_by_hand_are_told_with_their_fields(platform_crds: KubeApi) -> None:
    space = "extension-watched"
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig, drift_interval=0.5):
        await publish(client, "watched", "1.0.0", package("watched", "1.0.0", templates__web_yaml=WORKLOAD))
        rules = [{"kind": "Deployment", "paths": ["/spec/replicas"]}]
        await plan(client, "watched", "1.0.0", drift={"mode": "Report", "ignore": rules})
        await until_settled(client, "watched", "1.0.0")
        await asyncio.sleep(1.2)  # two looks and more
        assert await drift_of(client, "watched") == []
        assert await condition(client, "watched") == {}, "a plan that never drifted is never written"

        await client.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 5}}, space)
        await client.patch(CONFIGMAPS, "settings", {"data": {"color": "green", "users": "own"}}, space)
        await client.delete(REVERSEPROXIES, "watched")
        image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil"}]
        await client.patch(DEPLOYMENTS, "web", image, space, content="json")
        wanted = {
            ("ConfigMap/settings", "Changed", ("/data/color",)),
            ("ReverseProxy/watched", "Missing", ()),
            ("Deployment/web", "Changed", ("/spec/template/spec/containers/0/image",)),
        }
        await until(
            lambda: drift_of(client, "watched"),
            lambda found: {(name, what, tuple(paths)) for name, what, paths in found} == wanted,
            "the drift",
        )
        told = await condition(client, "watched")
        assert (told["status"], told["reason"]) == ("True", "Drifted")
        assert "/data/color" in told["message"]
        assert (await client.get(CONFIGMAPS, "settings", space))["data"]["color"] == "green", "only told"

        await plan(client, "watched", "1.0.0", drift={"mode": "Heal", "ignore": rules})
        await until(lambda: drift_of(client, "watched"), lambda found: found == [], "the mending")
        assert (await client.get(CONFIGMAPS, "settings", space))["data"].items() >= {
            "color": "red",
            "users": "own",
        }.items()
        await client.get(REVERSEPROXIES, "watched")
        web = await client.get(DEPLOYMENTS, "web", space)
        assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "images.test/web:1"
        assert web["spec"]["replicas"] == 5
        told = await condition(client, "watched")
        assert (told["status"], told["reason"]) == ("False", "Healed")
        obj = await client.get(INSTALLPLANS, "watched")
        assert obj["status"]["history"][-1]["action"] == "Heal"
        await client.delete(INSTALLPLANS, "watched")
        await until_gone(client, INSTALLPLANS, "watched")


async def test_what_the_account_may_not_do_and_whose_it_is_not_is_told(platform_crds: KubeApi) -> None:
    space = "extension-limited"
    more = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: limited}\ndata: {a: b}\n"
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):  # the watches tell
        await publish(client, "limited", "1.0.0", package("limited", "1.0.0", templates__more_yaml=more))
        await plan(client, "limited", "1.0.0", drift={"mode": "Report"})
        await until_settled(client, "limited", "1.0.0")
        await client.delete(CONFIGMAPS, "limited", space)
        other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limited"}, "data": {"mine": "yes"}}
        await client.create(CONFIGMAPS, other, space)
        role = await client.get(ROLES, "kubesphere:limited:helm-executor", space)
        await client.patch(ROLES, "kubesphere:limited:helm-executor", {"rules": []}, space)
        await client.patch(CONFIGMAPS, "settings", {"data": {"color": "green"}}, space)
        wanted = [("ConfigMap/limited", "Foreign", []), ("ConfigMap/settings", "Changed", ["/data/color"])]
        await until(lambda: drift_of(client, "limited"), lambda found: sorted(found) == wanted, "the drift")
        await plan(client, "limited", "1.0.0", drift={"mode": "Heal"})
        told = await until(
            lambda: condition(client, "limited"), lambda told: told.get("reason") == "CannotHeal", "the refusal"
        )
        assert "somebody else made it" in told["message"]
        assert "helm-executor.limited" in told["message"], "as the extension's account, which may not"
        assert (await client.get(CONFIGMAPS, "limited", space))["data"] == {"mine": "yes"}
        assert (await client.get(CONFIGMAPS, "settings", space))["data"]["color"] == "green"
        await client.patch(ROLES, "kubesphere:limited:helm-executor", {"rules": role["rules"]}, space)
        await client.delete(INSTALLPLANS, "limited")
        await until_gone(client, INSTALLPLANS, "limited")
