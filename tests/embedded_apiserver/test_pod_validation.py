"""Pods that kube-apiserver refuses are refused with the same causes in the same order (its validation.go)."""

import copy
import uuid
from typing import Any

import pytest

from .conftest import Http, Server

CONTAINER: dict[str, Any] = {"name": "c", "image": "nginx"}
MUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n"
)


@pytest.fixture(scope="module")
def place(server: Server) -> str:
    name = f"rules{uuid.uuid4().hex[:8]}"
    server.kubectl("create", "namespace", name)
    server.kubectl("create", "serviceaccount", "default", "-n", name)
    return f"/api/v1/namespaces/{name}"


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    quiet = {"automountServiceAccountToken": False, "containers": [CONTAINER]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**quiet, **spec}}


def with_container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{**CONTAINER, **fields}]}


def with_volume(*mounts: Any, **source: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "v", **source}], "containers": [{**CONTAINER, "volumeMounts": list(mounts)}]}


def told(answer: Any) -> list[str]:
    return [f"{c['field']}: {c['message']}" for c in answer["details"]["causes"]]


C = "spec.containers[0]"
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no containers": ({"containers": []}, ["spec.containers: Required value"]),
    "no name, no image": ({"containers": [{}]}, [f"{C}.name: Required value", f"{C}.image: Required value"]),
    "names": (
        {"containers": [{"name": "A_b", "image": "x"}, CONTAINER, CONTAINER]},
        [f'{C}.name: Invalid value: "A_b": {LABEL}', 'spec.containers[2].name: Duplicate value: "c"'],
    ),
    "padded image": (
        with_container(image=" nginx"),
        [f'{C}.image: Invalid value: " nginx": must not have leading or trailing whitespace'],
    ),
    "ports": (
        with_container(ports=[
            {"containerPort": 0}, {"containerPort": 70000, "name": "UPPER--"}, {"containerPort": 1, "protocol": "X"},
        ]),
        [
            f"{C}.ports[0].containerPort: Required value",
            f'{C}.ports[1].name: Invalid value: "UPPER--": must contain only alpha-numeric characters (a-z, 0-9), and '
            "hyphens (-)",
            f'{C}.ports[1].name: Invalid value: "UPPER--": must contain at least one letter (a-z)',
            f'{C}.ports[1].name: Invalid value: "UPPER--": must not contain consecutive hyphens',
            f'{C}.ports[1].name: Invalid value: "UPPER--": must not begin or end with a hyphen',
            f"{C}.ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            f'{C}.ports[2].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
        ],
    ),
    "host ports": (
        with_container(ports=[{"containerPort": 1, "hostPort": 8}, {"containerPort": 2, "hostPort": 8}]),
        [f'{C}.ports[1].hostPort: Duplicate value: "TCP//8"'],
    ),
    "environment": (
        with_container(
            env=[
                {"name": ""}, {"name": "a=b"}, {"name": "A", "valueFrom": {}},
                {"name": "B", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "spec.nothing"}}},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}},
                {"name": "E", "valueFrom": {"resourceFieldRef": {"resource": "limits.gpu"}}},
            ],
            envFrom=[{}],
        ),
        [
            f"{C}.env[0].name: Required value",
            f'{C}.env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable '
            "ASCII characters other than '='",
            f'{C}.env[2].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, '
            "`configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
            f'{C}.env[3].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
            f'{C}.env[4].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nothing": error converting fieldPath: '
            "field label not supported: spec.nothing",
            f'{C}.env[5].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: '
            '"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", '
            '"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
            f'{C}.env[6].valueFrom.resourceFieldRef.resource: Unsupported value: "limits.gpu": supported values: '
            '"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", '
            '"requests.memory"',
            f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
        ],
    ),
    "mounts": (
        with_volume(
            {"name": "v", "mountPath": "/a"}, {"name": "w", "mountPath": "/a", "subPath": "../x"}, {"name": "v"},
        ),
        [
            f'{C}.volumeMounts[1].name: Not found: "w"',
            f'{C}.volumeMounts[1].mountPath: Invalid value: "/a": must be unique',
            f"{C}.volumeMounts.subPath: Invalid value: \"../x\": must not contain '..'",
            f"{C}.volumeMounts[2].mountPath: Required value",
        ],
    ),
    "two sources": (
        with_volume(emptyDir={}, hostPath={"path": "/x"}),
        ["spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type"],
    ),
    "volume names": (
        {"volumes": [{"name": "v"}, {"name": "v"}, {"emptyDir": {}}]},
        ['spec.volumes[1].name: Duplicate value: "v"', "spec.volumes[2].name: Required value"],
    ),
    "host path": (
        with_volume(hostPath={"path": "/a/../b", "type": "Foo"}),
        [
            "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
            'spec.volumes[0].hostPath.type: Unsupported value: "Foo": supported values: "", "BlockDevice", '
            '"CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
        ],
    ),
    "secret": (
        with_volume(secret={"defaultMode": 1000, "items": [{"key": "k", "path": "/p"}]}),
        [
            "spec.volumes[0].secret.secretName: Required value",
            "spec.volumes[0].secret.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), "
            "both inclusive",
            'spec.volumes[0].secret.items[0].path: Invalid value: "/p": must be a relative path',
        ],
    ),
    "projected": (
        with_volume(projected={"sources": [
            {"configMap": {"name": "a", "items": [{"key": "k", "path": "p"}]}, "secret": {}},
        ]}),
        [
            "spec.volumes[0].projected.sources[0].secret.name: Required value",
            "spec.volumes[0].projected.sources[0]: Forbidden: may not specify more than 1 volume type per source",
        ],
    ),
    "ephemeral": (
        with_volume(ephemeral={"volumeClaimTemplate": {"spec": {}}}),
        [
            "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: at least 1 access mode is "
            "required",
            "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required value",
        ],
    ),
    "nfs": (
        with_volume(nfs={"server": "s", "path": "x"}),
        ['spec.volumes[0].nfs.path: Invalid value: "x": must be an absolute path'],
    ),
    "probes": (
        with_container(
            livenessProbe={"successThreshold": 2, "exec": {}},
            readinessProbe={"httpGet": {"port": 0, "scheme": "FTP"}, "tcpSocket": {"port": 1}},
            startupProbe={},
            lifecycle={"preStop": {"sleep": {"seconds": 99}}},
        ),
        [
            f"{C}.lifecycle.preStop.sleep: Invalid value: 99: must be non-negative and less than "
            "terminationGracePeriodSeconds (30)",
            f"{C}.livenessProbe.exec.command: Required value",
            f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1",
            f"{C}.readinessProbe.httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive",
            f'{C}.readinessProbe.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS"',
            f"{C}.readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
            f"{C}.startupProbe: Required value: must specify a handler type",
        ],
    ),
    "resources": (
        with_container(resources={
            "requests": {"cpu": "2", "example.com/gpu": "1", "memory": "-1"},
            "limits": {"cpu": "1", "pods": "1", "example.com/tpu": "500m"},
        }),
        [
            f'{C}.resources.limits[example.com/tpu]: Invalid value: "500m": must be an integer',
            f'{C}.resources.limits[pods]: Invalid value: "pods": must be a standard resource for containers',
            f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
            f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources",
            f'{C}.resources.requests[example.com/tpu]: Invalid value: "500m": must be an integer',
            f'{C}.resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
            f'{C}.resources.requests[pods]: Invalid value: "pods": must be a standard resource for containers',
        ],
    ),
    "huge pages": (
        with_container(resources={"limits": {"hugepages-2Mi": "3Mi"}}),
        [
            f'{C}.resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of '
            "hugepages-2Mi",
            f'{C}.resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of '
            "hugepages-2Mi",
            f"{C}.resources: Forbidden: HugePages require cpu or memory",
        ],
    ),
    "policies": (
        {"containers": [{**CONTAINER, "imagePullPolicy": "Maybe"}], "restartPolicy": "Sometimes", "dnsPolicy": "X"},
        [
            f'{C}.imagePullPolicy: Unsupported value: "Maybe": supported values: "Always", "IfNotPresent", "Never"',
            'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
            'spec.dnsPolicy: Unsupported value: "X": supported values: "ClusterFirstWithHostNet", "ClusterFirst", '
            '"Default", "None"',
        ],
    ),
    "init containers": (
        {"initContainers": [{**CONTAINER, "livenessProbe": {"tcpSocket": {"port": 1}}}]},
        [
            'spec.initContainers[0].name: Duplicate value: "c"',
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without "
            "restartPolicy=Always",
        ],
    ),
    "ephemeral containers": (
        {"ephemeralContainers": [{"name": "e", "image": "x"}]},
        ["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    ),
    "security": (
        {
            "containers": [{**CONTAINER, "securityContext": {"runAsUser": -1, "procMount": "X"}}],
            "securityContext": {"fsGroup": -1, "seccompProfile": {"type": "Localhost"}, "sysctls": [{"name": "A"}]},
        },
        [
            f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            f'{C}.securityContext.procMount: Unsupported value: "X": supported values: "Default", "Unmasked"',
            "spec.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive",
            'spec.securityContext.sysctls[0].name: Invalid value: "A": must have at most 253 characters and match '
            r"regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
            "spec.securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is "
            "Localhost",
        ],
    ),
    "tolerations": (
        {"tolerations": [{"operator": "Equal"}, {"key": "k", "operator": "Exists", "value": "v", "effect": "E"}]},
        [
            'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which '
            'means "match all values and all keys"',
            "spec.tolerations[1].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'",
            'spec.tolerations[1].effect: Unsupported value: "E": supported values: "NoSchedule", "PreferNoSchedule", '
            '"NoExecute"',
        ],
    ),
    "affinity": (
        {"affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}},
            "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "a b"}]},
        }},
        [
            "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required "
            "value: must have at least one node selector term",
            "spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Invalid value: "
            "\"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
            "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ],
    ),
    "spread": (
        {"topologySpreadConstraints": [
            {"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "X"},
            {"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2},
        ]},
        [
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
            'spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "X": supported values: '
            '"DoNotSchedule", "ScheduleAnyway"',
            "spec.topologySpreadConstraints[1].minDomains: Invalid value: 2: can only use minDomains if "
            "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        ],
    ),
    "names of the network": (
        {"hostname": "A", "dnsPolicy": "None", "hostAliases": [{"ip": "x"}], "activeDeadlineSeconds": 0},
        [
            "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
            "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
            f'spec.hostname: Invalid value: "A": {LABEL}',
            'spec.hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        ],
    ),
    "gates": (
        {"schedulingGates": [{"name": "a"}, {"name": "a"}], "nodeName": "n"},
        [
            'spec.schedulingGates[1]: Duplicate value: "a"',
            "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ],
    ),
    "operating system": (
        {"os": {"name": "windows"}, "securityContext": {"runAsUser": 1}, "hostPID": True},
        [
            "spec.hostPID: Forbidden: cannot be set for a windows pod",
            "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
        ],
    ),
    "host ports on the host network": (
        {"hostNetwork": True, "containers": [{**CONTAINER, "ports": [{"containerPort": 1, "hostPort": 2}]}]},
        [f"{C}.ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is true"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
async def test_a_pod_is_refused_with_these_causes(http: Http, place: str, case: str) -> None:
    spec, expected = CASES[case]
    code, answer = await http("POST", f"{place}/pods?dryRun=All", pod(**spec))
    assert code == 422, answer
    assert told(answer) == expected
    assert answer["message"].startswith('Pod "p" is invalid: ')


async def existing(http: Http, place: str, **spec: Any) -> dict[str, Any]:
    code, made = await http("POST", f"{place}/pods", pod(f"p{uuid.uuid4().hex[:8]}", **spec))
    assert code == 201, made
    return made


async def put(http: Http, place: str, obj: Any, sub: str = "") -> tuple[int, Any]:
    return await http("PUT", f"{place}/pods/{obj['metadata']['name']}{sub}", obj)


async def test_little_of_a_pod_may_change(http: Http, place: str) -> None:
    old = await existing(http, place)
    allowed = copy.deepcopy(old)
    allowed["spec"]["containers"][0]["image"] = "nginx:2"
    allowed["spec"]["activeDeadlineSeconds"] = 60
    allowed["spec"]["tolerations"].append({"key": "k", "operator": "Exists"})
    code, answer = await put(http, place, allowed)
    assert (code, answer["metadata"]["generation"]) == (200, 2)
    answer["spec"]["containers"][0]["workingDir"] = "/x"
    code, refused = await put(http, place, answer)
    assert code == 422
    cause = refused["details"]["causes"][0]
    assert (cause["reason"], cause["field"]) == ("FieldValueForbidden", "spec")
    assert cause["message"].startswith(f"Forbidden: {MUTABLE}")
    assert '"/x"' in cause["message"]


async def test_deadlines_shrink_and_containers_stay(http: Http, place: str) -> None:
    old = await existing(http, place, activeDeadlineSeconds=60)
    longer = copy.deepcopy(old)
    longer["spec"]["activeDeadlineSeconds"] = 61
    code, refused = await put(http, place, longer)
    assert told(refused) == [
        "spec.activeDeadlineSeconds: Invalid value: 61: must be less than or equal to previous value"
    ]
    more = copy.deepcopy(old)
    more["spec"]["containers"].append({**CONTAINER, "name": "d"})
    code, refused = await put(http, place, more)
    assert code == 422
    assert told(refused) == ["spec.containers: Forbidden: pod updates may not add or remove containers"]


async def test_a_gated_pod_may_be_steered(http: Http, place: str) -> None:
    old = await existing(http, place, schedulingGates=[{"name": "example.com/a"}], nodeSelector={"a": "1"})
    steered = copy.deepcopy(old)
    steered["spec"]["nodeSelector"]["b"] = "2"
    code, answer = await put(http, place, steered)
    assert code == 200, answer
    answer["spec"]["nodeSelector"] = {"b": "2"}
    code, refused = await put(http, place, answer)
    assert told(refused) == [
        'spec.nodeSelector: Invalid value: {"b":"2"}: only additions to spec.nodeSelector are allowed (no mutations or '
        "deletions)"
    ]


async def test_ephemeral_containers_come_by_their_own_door(http: Http, place: str) -> None:
    old = await existing(http, place)
    changed = copy.deepcopy(old)
    changed["spec"]["ephemeralContainers"] = [{"name": "debug", "image": "busybox", "targetContainerName": "c"}]
    changed["spec"]["containers"][0]["workingDir"] = "/ignored"
    code, answer = await put(http, place, changed, "/ephemeralcontainers")
    assert code == 200, answer
    assert "workingDir" not in answer["spec"]["containers"][0]
    assert answer["spec"]["ephemeralContainers"] == [{
        "name": "debug", "image": "busybox", "targetContainerName": "c", "imagePullPolicy": "Always", "resources": {},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    }]  # fmt: skip
    answer["spec"]["ephemeralContainers"] = [{"name": "e", "image": "x", "ports": [{"containerPort": 1}]}]
    code, refused = await put(http, place, answer, "/ephemeralcontainers")
    assert told(refused) == [
        "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]


async def test_resize_changes_cpu_and_memory_only(http: Http, place: str) -> None:
    limits = {"cpu": "1", "memory": "1Gi"}
    old = await existing(http, place, containers=[{**CONTAINER, "resources": {"limits": limits}}])
    bigger = copy.deepcopy(old)
    twice = {"cpu": "2", "memory": "1Gi"}
    bigger["spec"]["containers"][0]["resources"] = {"limits": twice, "requests": twice}
    code, answer = await put(http, place, bigger, "/resize")
    assert (code, answer["metadata"]["generation"]) == (200, 2), answer
    answer["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2"}, "requests": {"cpu": "2"}}
    code, refused = await put(http, place, answer, "/resize")
    assert told(refused) == [
        'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing',
        "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
        "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
    ]


async def test_the_status_has_rules(http: Http, place: str) -> None:
    old = await existing(http, place, restartPolicy="Never")
    old["status"]["qosClass"] = "Guaranteed"
    old["status"]["podIPs"] = [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]
    code, refused = await put(http, place, old, "/status")
    assert code == 422
    assert told(refused) == [
        'status.qosClass: Invalid value: "Guaranteed": field is immutable',
        'status.podIPs: Invalid value: [{"ip":"10.0.0.1"},{"ip":"10.0.0.2"}]: may specify no more than one IP for each '
        "IP family",
    ]


WARNED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "labels": (
        {"nodeSelector": {"beta.kubernetes.io/os": "linux"}},
        ['spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead'],
    ),
    "environment": (
        with_container(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]),
        ['spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'],
    ),
    "ports": (
        with_container(ports=[{"containerPort": 80}, {"containerPort": 80, "name": "web"}]),
        ["spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"],
    ),
    "bytes": (
        with_container(resources={"limits": {"memory": "100m"}}),
        [
            f'{C}.resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
            f'{C}.resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
        ],
    ),
    "grace": (
        {"terminationGracePeriodSeconds": -1},
        ["spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"],
    ),
}


@pytest.mark.parametrize("case", WARNED)
async def test_warnings(http: Http, place: str, case: str) -> None:
    spec, expected = WARNED[case]
    url = f"{http.server.url}{place}/pods?dryRun=All"
    async with http.session.post(url, json=pod(**spec)) as response:
        assert response.status == 201, await response.text()
        found = response.headers.getall("Warning", [])
    escaped = [text.replace('"', '\\"') for text in expected]
    assert found == [f'299 - "{text}"' for text in escaped]
