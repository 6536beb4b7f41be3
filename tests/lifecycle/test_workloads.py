"""Workloads of a disabled extension: patches as values, then upgrades while disabled with the real Helm."""

import contextlib
from typing import Any

import pytest

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import Connection, Deploy, HelmWorker
from dovetail.kube import CRONJOBS, DAEMONSETS, DEPLOYMENTS, NAMESPACES, STATEFULSETS, AlreadyExists, ControllerRuntime
from dovetail.lifecycle.workloads import BEFORE, NOWHERE, Workloads, restored, scaled_down
from tests.conftest import KubeApi
from tests.helm.charts import chart
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled


def merged(obj: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    base = dict(obj) if isinstance(obj, dict) else {}
    for name, value in patch.items():
        if value is None:
            base.pop(name, None)
        else:
            base[name] = merged(base.get(name), value)
    return base


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x", "resourceVersion": "7"}, "spec": spec}


CASES = [
    workload("Deployment", replicas=5),
    workload("Deployment", replicas=0),
    workload("Deployment"),
    workload("StatefulSet", replicas=3),
    workload("DaemonSet", template={"spec": {"nodeSelector": {"disk": "ssd"}}}),
    workload("DaemonSet", template={"spec": {"nodeSelector": {}}}),
    workload("CronJob", suspend=False),
    workload("CronJob", suspend=True),
]


@pytest.mark.parametrize("obj", CASES)
def test_down_and_up_again_is_what_was(obj: dict[str, Any]) -> None:
    down = merged(obj, scaled_down(obj))
    assert scaled_down(down) is None, "what is down stays down"
    spec = down["spec"]
    assert spec.get("replicas") == 0 or spec.get("suspend") is True or NOWHERE in str(spec)
    up = merged(down, restored(down))
    assert restored(up) is None
    if obj["kind"] == "Deployment" and "replicas" not in obj["spec"]:
        assert up["spec"] == {"replicas": 1}
    else:
        assert up["spec"] == obj["spec"]
    assert BEFORE not in up["metadata"]["annotations"]


@pytest.mark.parametrize("forged", ["9" * 5000, "99999999999", "-3", "", "many", "\u0663"])
def test_a_forged_number_of_replicas_holds_nobody_up(forged: str) -> None:
    obj = workload("Deployment", replicas=0)
    obj["metadata"]["annotations"] = {BEFORE: forged}
    assert merged(obj, restored(obj))["spec"] == {"replicas": 1}


def test_what_came_back_meanwhile_is_what_to_come_back_to() -> None:
    down = merged(workload("Deployment", replicas=5), scaled_down(workload("Deployment", replicas=5)))
    upgraded = merged(down, {"spec": {"replicas": 2}})
    again = merged(upgraded, scaled_down(upgraded))
    assert again["metadata"]["annotations"] == {BEFORE: "2"}
    assert merged(again, restored(again))["spec"]["replicas"] == 2
    assert merged(upgraded, restored(upgraded))["spec"]["replicas"] == 2, "what runs is not changed"


POD = "template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: IMAGE}]}}"
TEMPLATES = f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: counted}}
spec: {{replicas: 2, selector: {{matchLabels: {{app: x}}}}, {POD}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: uncounted}}
spec: {{serviceName: x, selector: {{matchLabels: {{app: x}}}}, {POD}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: everywhere}}
spec: {{selector: {{matchLabels: {{app: x}}}}, {POD}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: nightly}}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: IMAGE}}]}}}}}}}}
"""


async def test_upgrades_while_disabled(kube_api: KubeApi) -> None:
    space = "extension-sleeper"
    async with kube_api.client() as client, HelmWorker() as helm:
        with contextlib.suppress(AlreadyExists):
            await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        here = Connection(namespace=space, kubeconfig=str(kube_api.kubeconfig))

        async def deploy(version: str) -> None:
            text = TEMPLATES.replace("IMAGE", f"images.test/x:{version}")
            marks = {"kubesphere.io/extension-ref": "sleeper"}
            package = chart("sleeper", version, {"templates/all.yaml": text})
            await helm.call(Deploy(release="sleeper", chart=package, connection=here, object_labels=marks))

        async def specs() -> tuple[Any, ...]:
            counted = await client.get(DEPLOYMENTS, "counted", space)
            uncounted = await client.get(STATEFULSETS, "uncounted", space)
            everywhere = await client.get(DAEMONSETS, "everywhere", space)
            nightly = await client.get(CRONJOBS, "nightly", space)
            image = counted["spec"]["template"]["spec"]["containers"][0]["image"]
            return (
                image, counted["spec"]["replicas"], uncounted["spec"]["replicas"],
                NOWHERE in (everywhere["spec"]["template"]["spec"].get("nodeSelector") or {}),
                nightly["spec"].get("suspend", False),
            )  # fmt: skip

        workloads = Workloads(ControllerRuntime(client))
        await deploy("1.0.0")
        await client.patch(STATEFULSETS, "uncounted", {"spec": {"replicas": 3}}, space)
        assert await workloads.switch("sleeper", enabled=False, scale_down=False) == 0
        assert await workloads.switch("sleeper", enabled=False, scale_down=True) == 4
        assert await workloads.switch("sleeper", enabled=False, scale_down=True) == 0
        assert await specs() == ("images.test/x:1.0.0", 0, 0, True, True)
        await deploy("1.1.0")
        await workloads.switch("sleeper", enabled=False, scale_down=True)
        assert await specs() == ("images.test/x:1.1.0", 0, 0, True, True)
        assert await workloads.switch("sleeper", enabled=True, scale_down=True) == 4
        assert await specs() == ("images.test/x:1.1.0", 2, 3, False, False)
        assert await workloads.switch("sleeper", enabled=True, scale_down=True) == 0
        await workloads.switch("sleeper", enabled=False, scale_down=True)
        assert await workloads.switch("sleeper", enabled=False, scale_down=False) == 4, "the policy was taken back"
        assert await specs() == ("images.test/x:1.1.0", 2, 3, False, False)


async def test_a_plan_that_is_disabled_has_no_pods_until_it_comes_back(platform_crds: KubeApi) -> None:
    space = "extension-dozer"
    text = TEMPLATES.replace("IMAGE", "images.test/x:1")
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig):

        async def replicas() -> tuple[int, int]:
            counted = await client.get(DEPLOYMENTS, "counted", space)
            uncounted = await client.get(STATEFULSETS, "uncounted", space)
            return counted["spec"]["replicas"], uncounted["spec"]["replicas"]

        for version in ("1.0.0", "1.1.0"):
            await publish(client, "dozer", version, package("dozer", version, templates__all_yaml=text))
        await plan(client, "dozer", "1.0.0", enabled=False)
        await until_settled(client, "dozer", "1.0.0")
        assert await replicas() == (2, 1), "disabled, but pods are kept unless the plan says otherwise"
        await client.patch(STATEFULSETS, "uncounted", {"spec": {"replicas": 4}}, space)
        await plan(client, "dozer", "1.0.0", workloadsWhenDisabled="ScaleDown")
        await until(replicas, lambda found: found == (0, 0), "the end of the pods")
        await until_settled(client, "dozer", "1.0.0")
        await plan(client, "dozer", "1.1.0")
        await until_settled(client, "dozer", "1.1.0")
        assert await replicas() == (0, 0), "an upgrade does not wake it"
        await plan(client, "dozer", "1.1.0", enabled=True)
        await until(replicas, lambda found: found == (2, 4), "the pods")
        await until_settled(client, "dozer", "1.1.0")
        await client.delete(INSTALLPLANS, "dozer")
        await until_gone(client, INSTALLPLANS, "dozer")
