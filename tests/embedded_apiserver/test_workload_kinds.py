"""Deployments, replica sets, stateful sets, daemon sets, jobs, cron jobs, replication controllers: what they get from
the API server, what it refuses, and with which words (Kubernetes' apps and batch defaults.go and validation.go)."""

import copy
import uuid
from typing import Any

import pytest

from dovetail.embedded.apiserver.objects.workloads.indexes import IndexesMalformed, count, overlap
from dovetail.embedded.apiserver.objects.workloads.schedules import ScheduleMalformed, check

from .conftest import Http, Server
from .test_pod_defaults import FULL_SPEC

CONTAINER: dict[str, Any] = {"name": "c", "image": "nginx"}
TEMPLATE: dict[str, Any] = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [CONTAINER]}}
FULL_TEMPLATE = {"metadata": {"labels": {"app": "a"}}, "spec": FULL_SPEC}
SELECTOR = {"matchLabels": {"app": "a"}}
PATHS = {
    "Deployment": ("apps/v1", "deployments"), "ReplicaSet": ("apps/v1", "replicasets"),
    "StatefulSet": ("apps/v1", "statefulsets"), "DaemonSet": ("apps/v1", "daemonsets"), "Job": ("batch/v1", "jobs"),
    "CronJob": ("batch/v1", "cronjobs"), "ReplicationController": ("v1", "replicationcontrollers"),
    "ControllerRevision": ("apps/v1", "controllerrevisions"),
}  # fmt: skip


@pytest.fixture(scope="module")
def space(server: Server) -> str:
    name = f"work{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", name)
    return name


def url(kind: str, space: str) -> str:
    version, plural = PATHS[kind]
    return f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/{space}/{plural}"


def wanted(kind: str, name: str = "w", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": PATHS[kind][0], "kind": kind, "metadata": {"name": name}, "spec": spec}


async def dry(http: Http, space: str, kind: str, **spec: Any) -> tuple[int, Any]:
    return await http("POST", f"{url(kind, space)}?dryRun=All", wanted(kind, **spec))


async def made(http: Http, space: str, kind: str, **spec: Any) -> Any:
    code, answer = await http("POST", url(kind, space), wanted(kind, f"w{uuid.uuid4().hex[:8]}", **spec))
    assert code == 201, answer
    return answer


async def put(http: Http, space: str, obj: Any, sub: str = "") -> tuple[int, Any]:
    return await http("PUT", f"{url(obj['kind'], space)}/{obj['metadata']['name']}{sub}", obj)


def told(answer: Any) -> list[str]:
    return [f"{c['field']}: {c['message']}" for c in answer["details"]["causes"]]


ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
COMPLETED = {
    "Deployment": (
        {"selector": SELECTOR, "template": TEMPLATE},
        {
            "selector": SELECTOR, "template": FULL_TEMPLATE, "replicas": 1, "strategy": ROLLING,
            "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
        },
        {},
    ),
    "ReplicaSet": (
        {"selector": SELECTOR, "template": TEMPLATE, "replicas": 0},
        {"selector": SELECTOR, "template": FULL_TEMPLATE, "replicas": 0},
        {"replicas": 0},
    ),
    "StatefulSet": (
        {
            "selector": SELECTOR, "template": TEMPLATE, "serviceName": "s",
            "updateStrategy": {"rollingUpdate": {"maxUnavailable": 2}},
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
            }],
        },
        {
            "selector": SELECTOR, "template": FULL_TEMPLATE, "serviceName": "s", "replicas": 1,
            "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "volumeClaimTemplates": [{
                "kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
                    "volumeMode": "Filesystem",
                },
                "status": {"phase": "Pending"},
            }],
        },
        {"replicas": 0, "availableReplicas": 0},
    ),
    "DaemonSet": (
        {"selector": SELECTOR, "template": TEMPLATE},
        {
            "selector": SELECTOR, "template": FULL_TEMPLATE, "revisionHistoryLimit": 10,
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
        },
        {"currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0},
    ),
    "ReplicationController": (
        {"template": TEMPLATE},
        {"selector": {"app": "a"}, "template": FULL_TEMPLATE, "replicas": 1},
        {"replicas": 0},
    ),
    "CronJob": (
        {
            "schedule": "@daily",
            "jobTemplate": {"spec": {"template": {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}}},
        },
        {
            "schedule": "@daily", "concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {
                "metadata": {},
                "spec": {"template": {"metadata": {}, "spec": {**FULL_SPEC, "restartPolicy": "Never"}}},
            },
        },
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", COMPLETED)
async def test_completed(http: Http, space: str, kind: str) -> None:
    given, spec, status = COMPLETED[kind]
    code, answer = await dry(http, space, kind, **given)
    assert code == 201, answer
    assert answer["spec"] == spec
    assert answer["status"] == status
    assert answer["metadata"]["generation"] == 1


JOB = {"template": {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}}


async def test_a_job_is_completed_and_selects_its_own_pods(http: Http, space: str) -> None:
    job = await made(http, space, "Job", **JOB)
    uid, name = job["metadata"]["uid"], job["metadata"]["name"]
    labels = {
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name, "controller-uid": uid,
        "job-name": name,
    }  # fmt: skip
    assert job["spec"] == {
        "parallelism": 1, "completions": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False,
        "manualSelector": False, "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
        "template": {"metadata": {"labels": labels}, "spec": {**FULL_SPEC, "restartPolicy": "Never"}},
    }  # fmt: skip
    assert job["metadata"]["labels"] == labels
    assert job["status"] == {}


SPEC = "spec.template.spec"
REFUSED: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "no selector": (
        "Deployment", {"template": TEMPLATE},
        [
            "spec.selector: Required value",
            'spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`',
        ],
    ),
    "another selector": (
        "ReplicaSet", {"selector": {"matchLabels": {"app": "b"}}, "template": TEMPLATE},
        ['spec.template.metadata.labels: Invalid value: {"app":"a"}: `selector` does not match template `labels`'],
    ),
    "an empty selector": (
        "Deployment", {"selector": {}, "template": TEMPLATE},
        ["spec.selector: Invalid value: {}: empty selector is invalid for deployment"],
    ),
    "pods that do not restart": (
        "Deployment",
        {
            "selector": SELECTOR, "replicas": -1,
            "template": {**TEMPLATE, "spec": {"containers": [], "restartPolicy": "Never", "activeDeadlineSeconds": 1}},
        },
        [
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            f"{SPEC}.containers: Required value",
            f'{SPEC}.restartPolicy: Unsupported value: "Never": supported values: "Always"',
            f"{SPEC}.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported",
        ],
    ),
    "rolling nothing": (
        "Deployment",
        {
            "selector": SELECTOR, "template": TEMPLATE, "progressDeadlineSeconds": 5, "minReadySeconds": 5,
            "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
        },
        [
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
        ],
    ),
    "recreate with a rolling update": (
        "Deployment",
        {"selector": SELECTOR, "template": TEMPLATE, "strategy": {"type": "Recreate", "rollingUpdate": {}}},
        ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ),
    "percent": (
        "Deployment",
        {
            "selector": SELECTOR, "template": TEMPLATE,
            "strategy": {"rollingUpdate": {"maxSurge": "x", "maxUnavailable": "110%"}},
        },
        [
            'spec.strategy.rollingUpdate.maxSurge: Invalid value: "x": a valid percent string must be a numeric string '
            "followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "110%": must not be greater than 100%',
        ],
    ),
    "daemons surging": (
        "DaemonSet",
        {
            "selector": SELECTOR, "template": TEMPLATE,
            "updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}},
        },
        [
            "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is "
            "non-zero"
        ],
    ),
    "a set without order": (
        "StatefulSet",
        {"selector": SELECTOR, "template": TEMPLATE, "podManagementPolicy": "X", "updateStrategy": {"type": "Y"}},
        [
            "spec.podManagementPolicy: Invalid value: \"X\": must be 'OrderedReady' or 'Parallel'",
            'spec.updateStrategy: Invalid value: {"Type":"Y","RollingUpdate":null}: must be \'RollingUpdate\' or '
            "'OnDelete'",
        ],
    ),
    "a controller without a template": ("ReplicationController", {}, [
        "spec.selector: Required value", "spec.template: Required value",
    ]),
    "a job that restarts": (
        "Job", {"template": {"spec": {"containers": [CONTAINER]}}, "parallelism": -1},
        [
            "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
            f'{SPEC}.restartPolicy: Required value: valid values: "OnFailure", "Never"',
        ],
    ),
    "an indexed job": (
        "Job", {**JOB, "completionMode": "Indexed", "parallelism": 1, "maxFailedIndexes": 1},
        [
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
            "spec.completions: Required value: when completion mode is Indexed",
        ],
    ),
    "a failure policy": (
        "Job",
        {**JOB, "podFailurePolicy": {"rules": [
            {"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [1, 0], "containerName": "x"}},
            {"action": "Ignore"},
        ]}},
        [
            'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to '
            "be set",
            'spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "x": must be one of the '
            "container or initContainer names in the pod template",
            "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator",
            "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [1,0]: must be ordered",
            "spec.podFailurePolicy.rules[1]: Invalid value: specifying one of OnExitCodes and OnPodConditions is "
            "required",
        ],
    ),
    "a success policy": (
        "Job",
        {
            **JOB, "completionMode": "Indexed", "completions": 3,
            "successPolicy": {"rules": [{"succeededIndexes": "0-5"}, {"succeededCount": 4}, {}]},
        },
        [
            'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-5": error parsing succeededIndexes: too '
            'large index: "5"',
            "spec.successPolicy.rules[1].succeededCount: Invalid value: 4: must be less than or equal to 3 (the number "
            "of specified completions)",
            "spec.successPolicy.rules[2]: Required value: at least one of succeededCount or succeededIndexes must be "
            "specified",
        ],
    ),
    "a cron job": (
        "CronJob",
        {
            "schedule": "TZ=UTC * * * *", "timeZone": "Nowhere/Land", "concurrencyPolicy": "X",
            "successfulJobsHistoryLimit": -1, "jobTemplate": {"spec": JOB},
        },
        [
            'spec.schedule: Invalid value: "TZ=UTC * * * *": expected exactly 5 fields, found 4: [* * * *]',
            'spec.schedule: Invalid value: "TZ=UTC * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field '
            "instead",
            'spec.timeZone: Invalid value: "Nowhere/Land": unknown time zone Nowhere/Land',
            'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"',
            "spec.successfulJobsHistoryLimit: Invalid value: -1: must be greater than or equal to 0",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(http: Http, space: str, case: str) -> None:
    kind, spec, expected = REFUSED[case]
    code, answer = await dry(http, space, kind, **spec)
    assert code == 422, answer
    assert told(answer) == expected


async def test_a_long_name_leaves_no_room_for_jobs(http: Http, space: str) -> None:
    body = wanted("CronJob", "c" * 53, schedule="@hourly", jobTemplate={"spec": JOB})
    code, answer = await http("POST", url("CronJob", space), body)
    assert code == 422
    assert told(answer) == [f'metadata.name: Invalid value: "{"c" * 53}": must be no more than 52 characters']


async def test_selectors_stay(http: Http, space: str) -> None:
    for kind in ("Deployment", "ReplicaSet", "DaemonSet"):
        old = await made(http, space, kind, selector=SELECTOR, template=TEMPLATE)
        old["spec"]["selector"] = {"matchLabels": {"app": "b"}}
        old["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
        code, refused = await put(http, space, old)
        assert code == 422
        assert told(refused) == ['spec.selector: Invalid value: {"matchLabels":{"app":"b"}}: field is immutable']


async def test_a_stateful_set_changes_little(http: Http, space: str) -> None:
    old = await made(http, space, "StatefulSet", selector=SELECTOR, template=TEMPLATE, serviceName="a")
    grown = copy.deepcopy(old)
    grown["spec"] |= {"replicas": 3, "minReadySeconds": 1, "revisionHistoryLimit": 2}
    code, answer = await put(http, space, grown)
    assert (code, answer["metadata"]["generation"]) == (200, 2)
    answer["spec"]["serviceName"] = "b"
    code, refused = await put(http, space, answer)
    assert told(refused) == [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
        "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
        "forbidden"
    ]


async def test_a_job_keeps_its_template_until_it_may_be_steered(http: Http, space: str) -> None:
    job = await made(http, space, "Job", **JOB)
    changed = copy.deepcopy(job)
    changed["spec"]["completions"] = 2
    changed["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    code, refused = await put(http, space, changed)
    assert code == 422
    causes = told(refused)
    assert causes[0] == "spec.completions: Invalid value: 2: field is immutable"
    assert causes[1].startswith("spec.template: Invalid value: ")
    assert causes[1].endswith(": field is immutable")
    suspended = await made(http, space, "Job", **JOB, suspend=True)
    suspended["spec"]["template"]["spec"]["nodeSelector"] = {"a": "b"}
    code, answer = await put(http, space, suspended)
    assert code == 200, answer


async def test_statuses_have_rules(http: Http, space: str) -> None:
    deployment = await made(http, space, "Deployment", selector=SELECTOR, template=TEMPLATE)
    deployment["status"] = {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3}
    code, refused = await put(http, space, deployment, "/status")
    assert code == 422
    assert told(refused) == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    ]
    job = await made(http, space, "Job", **JOB)
    job["status"] = {"conditions": [{"type": "Complete", "status": "True"}], "active": 1}
    code, refused = await put(http, space, job, "/status")
    assert "status.active: Invalid value: 1: active>0 is invalid for finished job" in told(refused)
    assert "status.startTime: Required value: startTime is required for finished job" in told(refused)


async def test_revisions_do_not_change(http: Http, space: str) -> None:
    body = {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "r"}, "revision": 1}
    code, refused = await http("POST", url("ControllerRevision", space), body)
    assert told(refused) == ["data: Required value: data is mandatory"]
    code, revision = await http("POST", url("ControllerRevision", space), {**body, "data": {"a": 1}})
    assert code == 201
    code, refused = await put(http, space, {**revision, "data": {"a": 2}})
    assert told(refused) == ['data: Invalid value: {"a":2}: field is immutable']


GOOD = ["* * * * *", "*/5 0-6,22 1 jan-DEC mon", "@hourly", "@every 1h30m", "CRON_TZ=UTC 0 0 * * ?", "5/15 * * * *"]
BAD = {
    "a * * * *": 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax',
    "60 * * * *": "end of range (60) above maximum (59): 60",
    "* * 0 * *": "beginning of range (0) below minimum (1): 0",
    "5-1 * * * *": "beginning of range (5) beyond end of range (1): 5-1",
    "*/0 * * * *": "step of range should be a positive number: */0",
    "1-2-3 * * * *": "too many hyphens: 1-2-3",
    "*/1/2 * * * *": "too many slashes: */1/2",
    "@never": "unrecognized descriptor: @never",
    "@every soon": 'failed to parse duration @every soon: time: invalid duration "soon"',
    "* * *": "expected exactly 5 fields, found 3: [* * *]",
}


@pytest.mark.parametrize("schedule", GOOD)
def test_schedules(schedule: str) -> None:
    check(schedule)


@pytest.mark.parametrize("schedule", BAD)
def test_schedules_that_are_none(schedule: str) -> None:
    with pytest.raises(ScheduleMalformed) as caught:
        check(schedule)
    assert str(caught.value) == BAD[schedule]


def test_sets_of_indexes() -> None:
    assert count("", 3) == 0
    assert count("0,2-4,7", 8) == 5
    assert overlap("0-2,5", "3,5-6", 8) == 5
    assert overlap("0-2", "3", 8) is None
    for text in ("1,0", "0-0", "1-2-3", "x", "8"):
        with pytest.raises(IndexesMalformed):
            count(text, 8)
