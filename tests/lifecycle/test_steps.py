"""How far an operation has come: from what Helm's log tells, never backwards."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS
from dovetail.helm import Connection, Deploy, Progress, Rollback
from dovetail.helm.log_lines import Told, told, whose
from dovetail.kube import DEPLOYMENTS
from dovetail.lifecycle import steps
from dovetail.lifecycle.rendered import Rendered, hooks_of, read_templates
from tests.conftest import KubeApi
from tests.lifecycle.platform import controllers, package, plan, publish, until, until_gone, until_settled

OBJECTS = """\
apiVersion: batch/v1
kind: Job
metadata: {name: second, annotations: {helm.sh/hook: "pre-install, pre-upgrade", helm.sh/hook-weight: "5"}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: first, annotations: {helm.sh/hook: pre-install, helm.sh/hook-weight: "-5"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: there}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
---
apiVersion: batch/v1
kind: Job
metadata: {name: last, annotations: {helm.sh/hook: post-install}}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, annotations: {helm.sh/hook: test}}
"""


def objects() -> list[Rendered]:
    return read_templates({"x/templates/all.yaml": OBJECTS, "x/templates/NOTES.txt": "kind: of a note\n"})


def progress(step: str, kind: str = "", name: str = "", count: int = 0) -> Progress:
    return Progress(1, step, kind, "here" if kind else "", name, count)


def test_hooks_in_the_order_that_helm_runs_them() -> None:
    assert [one.name for one in hooks_of(objects(), "pre-install")] == ["first", "second"]
    assert [one.name for one in hooks_of(objects(), "pre-upgrade")] == ["second"]
    assert [one.name for one in objects() if one.is_test] == ["probe"]
    assert [one.namespace for one in objects() if one.kind == "ConfigMap"] == ["there"]


def test_an_installation_step_by_step() -> None:
    course = steps.Course(objects(), upgrade=False)
    assert course.hooks == 3
    told_by_helm = [
        progress("deleting", "Job", "first"),
        progress("applying", count=1),
        progress("waiting", "Job", "first"),
        progress("waiting", "Job", "second"),
        progress("applying", count=2),
        progress("waiting", "Deployment", "web"),
        progress("waiting", "Job", "last"),
    ]
    made = [course.step(one) for one in told_by_helm]
    assert made[1] is None, "one object is a hook's"
    assert [(one.what, one.object) for one in made if one is not None] == [
        ("preparing a hook", "Job here/first"),
        ("running a hook before the installation", "Job here/first"),
        ("running a hook before the installation", "Job here/second"),
        ("applying 2 objects", ""),
        ("waiting for the workload", "Deployment here/web"),
        ("running a hook after the installation", "Job here/last"),
    ]
    percents = [one.percent for one in made if one is not None]
    assert percents == sorted(percents)
    assert percents[0] == steps.INSTALLING.percent
    assert percents[-1] < steps.TESTING.percent


ANYTHING = st.builds(
    progress,
    st.sampled_from(["rendering", "deleting", "waiting", "applying"]),
    st.sampled_from(["Job", "Deployment", "Pod", ""]),
    st.sampled_from(["first", "second", "last", "web", "probe", ""]),
    st.integers(0, 3),
)


@given(st.lists(ANYTHING, max_size=40), st.booleans())
def test_a_percentage_never_goes_back(helm: list[Progress], upgrade: bool) -> None:
    courses: list[tuple[Any, int, int]] = [
        (steps.Course(objects(), upgrade=upgrade), steps.INSTALLING.percent, 90),
        (steps.Sequel(steps.UNINSTALLING), steps.UNINSTALLING.percent, 90),
        (steps.Tests(2), steps.TESTING.percent, steps.RIGHTS.percent),
    ]
    for course, low, high in courses:
        percents = [step.percent for one in helm if (step := course.step(one)) is not None]
        assert all(before <= after for before, after in itertools.pairwise(percents))
        assert all(low <= percent <= high for percent in percents)


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("creating resource(s) resources=12", Told("applying", count=12)),
        ("checking resources for changes resources=3", Told("applying", count=3)),
        ("starting delete resource namespace=n name=j kind=Job", Told("deleting", "Job", "n", "j")),
        (
            "waiting for resource namespace=n name=j kind=Job expectedStatus=Current actualStatus=InProgress",
            Told("waiting", "Job", "n", "j"),
        ),
        (
            "waiting for resource namespace=n name=j kind=Job expectedStatus=NotFound actualStatus=Current",
            Told("deleting", "Job", "n", "j"),
        ),
        ('waiting for resource namespace="" name=r kind=ClusterRole', Told("waiting", "ClusterRole", "", "r")),
        ("waiting for resources count=1 timeout=5m0s", None),
        ("creating release key=sh.helm.release.v1.tiny.v1", None),
        ("patch resource with kind=Secret and what it holds", None),
    ],
)
def test_a_line_of_helms_log(line: str, meaning: Told | None) -> None:
    assert told(line) == meaning


def test_whose_a_line_is() -> None:
    here, there = (Connection(namespace=name) for name in ("here", "there"))
    one = (1, Deploy(release="a", chart=b"", connection=here))
    other = (2, Rollback(release="b", revision=1, connection=there))
    line = Told("waiting", "Job", "there", "j")
    assert whose(line, [one]) == 1
    assert whose(line, [one, other]) == 2
    assert whose(Told("waiting", "ClusterRole", "", "r"), [one, other]) is None
    assert whose(line, []) is None


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: images.test/web}]}
"""


async def test_the_workload_that_is_waited_for_is_named(platform_crds: KubeApi) -> None:
    async with platform_crds.client() as client, controllers(platform_crds.kubeconfig, wait_for_workloads=True):
        await publish(client, "patient", "1.0.0", package("patient", "1.0.0", templates__web_yaml=DEPLOYMENT))
        await plan(client, "patient", "1.0.0")
        obj = await until(
            lambda: client.get(INSTALLPLANS, "patient"),
            lambda obj: "web" in str(obj.get("status", {}).get("progress")),
            "the workload's name",
        )
        shown = obj["status"]["progress"]
        assert (shown["step"], shown["object"]) == ("waiting for the workload", "Deployment extension-patient/web")
        assert steps.INSTALLING.percent < shown["percent"] < 100
        deployment = await client.get(DEPLOYMENTS, "web", "extension-patient")
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        conditions = [
            {"type": "Available", "status": "True", "reason": "Tests", "message": ""},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": ""},
        ]
        status = {"observedGeneration": deployment["metadata"]["generation"], **counts, "conditions": conditions}
        await client.patch(DEPLOYMENTS, "web", {"status": status}, "extension-patient", subresource="status")
        await until_settled(client, "patient", "1.0.0")
        await client.delete(INSTALLPLANS, "patient")
        await until_gone(client, INSTALLPLANS, "patient")
