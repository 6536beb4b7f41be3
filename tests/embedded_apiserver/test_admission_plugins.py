"""The built-in admission plugins: what they put into objects, what they refuse, and in which words."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.embedded.apiserver import quantities
from dovetail.embedded.apiserver.admission.plugins import pod_resources, runtime_class

from .conftest import Http, Server

Object = dict[str, Any]
Post = Callable[..., Awaitable[tuple[int, Any]]]


def pod(name: str = "p", **spec: Any) -> Object:
    containers = [{"name": "c", "image": "nginx", **spec.pop("container", {})}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


@pytest.fixture
def post(http: Http, namespace: str) -> Post:
    async def send(plural: str, obj: Object, group: str = "", namespaced: bool = True) -> tuple[int, Any]:
        version = obj["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        where = f"/namespaces/{namespace}" if namespaced else ""
        return await http("POST", f"{root}{where}/{plural}", obj)

    return send


# -- ServiceAccount


async def test_a_pod_runs_as_its_account_and_gets_the_token(post: Post, http: Http, namespace: str) -> None:
    account = {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"},
        "imagePullSecrets": [{"name": "registry"}],
    }  # fmt: skip
    assert (await post("serviceaccounts", account))[0] == 201
    init = [{"name": "i", "image": "nginx"}]
    code, made = await post("pods", pod(serviceAccountName="robot", initContainers=init))
    assert code == 201, made
    spec = made["spec"]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("robot", "robot")
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    [volume] = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert len(volume["name"]) == len("kube-api-access-") + 5
    assert volume["projected"] == {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [
                {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
            ]}},
        ],
    }  # fmt: skip
    mount = {
        "name": volume["name"],
        "readOnly": True,
        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert spec["initContainers"][0]["volumeMounts"] == [mount]


async def test_no_token_for_who_does_not_want_one(post: Post) -> None:
    _, made = await post("pods", pod("without", automountServiceAccountToken=False))
    assert "volumes" not in made["spec"]
    quiet = {
        "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "quiet"},
        "automountServiceAccountToken": False,
    }  # fmt: skip
    await post("serviceaccounts", quiet)
    _, made = await post("pods", pod("account-says-no", serviceAccountName="quiet"))
    assert "volumes" not in made["spec"]
    _, made = await post("pods", pod("pod-wins", serviceAccountName="quiet", automountServiceAccountToken=True))
    assert len(made["spec"]["volumes"]) == 1


async def test_a_missing_account_is_told(post: Post, namespace: str) -> None:
    code, refusal = await post("pods", pod(serviceAccountName="nobody"))
    assert (code, refusal["reason"]) == (403, "Forbidden")
    why = f'error looking up service account {namespace}/nobody: serviceaccount "nobody" not found'
    assert refusal["message"] == f'pods "p" is forbidden: {why}'


async def test_the_first_pod_waits_for_the_account_of_a_new_namespace(http: Http, server: Server) -> None:
    for name in ("slow-account", "slower-account", "slowest-account"):  # a loaded machine may miss the second it waits
        await http("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        creating = asyncio.create_task(http("POST", f"/api/v1/namespaces/{name}/pods", pod()))
        await asyncio.sleep(0.15)
        await http("POST", f"/api/v1/namespaces/{name}/serviceaccounts", {"metadata": {"name": "default"}})
        code, made = await creating
        if code == 201:
            break
    assert (code, made["spec"]["serviceAccountName"]) == (201, "default")


async def test_mirror_pods_have_neither_account_nor_secrets(post: Post) -> None:
    mirror = pod("mirror", automountServiceAccountToken=True)
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "hash"}
    named = {**mirror, "spec": {**mirror["spec"], "serviceAccountName": "default"}}
    code, refusal = await post("pods", named)
    assert (code, refusal["message"]) == (
        403, 'pods "mirror" is forbidden: a mirror pod may not reference service accounts',
    )  # fmt: skip
    volumes = [{"name": "s", "secret": {"secretName": "s"}}]
    code, refusal = await post("pods", {**mirror, "spec": {**mirror["spec"], "volumes": volumes}})
    assert (code, refusal["message"]) == (403, 'pods "mirror" is forbidden: a mirror pod may not reference secrets')


async def test_an_account_may_insist_on_its_own_secrets(post: Post) -> None:
    account = {
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "strict", "annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}},
        "secrets": [{"name": "mine"}],
    }  # fmt: skip
    await post("serviceaccounts", account)
    env = [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "other", "key": "k"}}}]
    _, refusal = await post("pods", pod(serviceAccountName="strict", container={"env": env}))
    assert refusal["message"] == (
        'pods "p" is forbidden: container c with envVar K referencing secret.secretName="other" is not allowed because '
        "service account strict does not reference that secret"
    )
    env[0]["valueFrom"]["secretKeyRef"]["name"] = "mine"
    assert (await post("pods", pod(serviceAccountName="strict", container={"env": env})))[0] == 201


# -- Priority


async def test_priorities_come_from_classes(post: Post, http: Http) -> None:
    _, plain = await post("pods", pod("plain"))
    assert (plain["spec"]["priority"], plain["spec"]["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert "priorityClassName" not in plain["spec"]
    _, critical = await post("pods", pod("critical", priorityClassName="system-node-critical"))
    assert critical["spec"]["priority"] == 2000001000
    code, refusal = await post("pods", pod("p", priorityClassName="absent"))
    assert (code, refusal["message"]) == (
        403, 'pods "p" is forbidden: no PriorityClass with name absent was found',
    )  # fmt: skip
    _, refusal = await post("pods", pod("p", priority=7))
    assert refusal["message"] == (
        'pods "p" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission '
        "controller computed 0 from the given PriorityClass name"
    )


def priority_class(name: str, value: int, **more: Any) -> Object:
    return {
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name},
        "value": value, **more,
    }  # fmt: skip


async def test_priority_classes_keep_their_value(post: Post, http: Http) -> None:
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    code, made = await http("POST", path, priority_class("kept", 5, preemptionPolicy="Never"))
    assert (code, made["preemptionPolicy"], made["metadata"]["generation"]) == (201, "Never", 1)
    _, refusal = await http("PUT", f"{path}/kept", {**made, "value": 6, "preemptionPolicy": "PreemptLowerPriority"})
    assert [cause["message"] for cause in refusal["details"]["causes"]] == [
        "Forbidden: may not be changed in an update.",
        'Invalid value: "PreemptLowerPriority": field is immutable',
    ]
    _, refusal = await http("POST", path, priority_class("system-mine", 5))
    assert refusal["message"] == (
        'PriorityClass.scheduling.k8s.io "system-mine" is invalid: metadata.name: Forbidden: priority class names with '
        "'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class"
    )
    _, refusal = await http("POST", path, priority_class("big", 1000000001))
    assert refusal["details"]["causes"][0]["message"] == (
        "Forbidden: maximum allowed value of a user defined priority is 1000000000"
    )


async def test_there_is_one_default_class(post: Post, http: Http) -> None:
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    assert (await http("POST", path, priority_class("usual", 9, globalDefault=True)))[0] == 201
    try:
        _, made = await post("pods", pod("defaulted"))
        assert (made["spec"]["priorityClassName"], made["spec"]["priority"]) == ("usual", 9)
        code, refusal = await http("POST", path, priority_class("other", 8, globalDefault=True))
        assert (code, refusal["message"]) == (
            403, 'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as '
            "default. Only one default can exist",
        )  # fmt: skip
    finally:
        await http("DELETE", f"{path}/usual")
    code, refusal = await http("DELETE", f"{path}/system-node-critical")
    assert (code, refusal["message"]) == (
        403, 'priorityclasses.scheduling.k8s.io "system-node-critical" is forbidden: this is a system priority class '
        "and cannot be deleted",
    )  # fmt: skip


# -- tolerations, taints


async def test_pods_stay_five_minutes_on_a_lost_node(post: Post) -> None:
    _, made = await post("pods", pod("plain"))
    assert made["spec"]["tolerations"] == [
        {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for what in ("not-ready", "unreachable")
    ]
    everything = [{"operator": "Exists"}]
    _, made = await post("pods", pod("tolerant", tolerations=everything))
    assert made["spec"]["tolerations"] == everything


async def test_a_new_node_is_not_ready(http: Http) -> None:
    _, made = await http("POST", "/api/v1/nodes", {"metadata": {"name": "fresh"}})
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    await http("DELETE", "/api/v1/nodes/fresh")


# -- LimitRanger


def limit_range(*limits: Object) -> Object:
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": list(limits)}}


async def test_limit_ranges_give_defaults(post: Post) -> None:
    item = {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"memory": "64Mi"}, "max": {"cpu": "1"}}
    _, made = await post("limitranges", limit_range(item))
    assert made["spec"]["limits"][0]["defaultRequest"] == {"cpu": "500m", "memory": "64Mi"}
    init = [{"name": "i", "image": "nginx", "resources": {"limits": {"cpu": "100m"}}}]
    _, made = await post("pods", pod(initContainers=init))
    assert made["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "500m"}, "requests": {"cpu": "500m", "memory": "64Mi"},
    }  # fmt: skip
    # the init container's request for cpu comes from its own limit, before any plugin is asked
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c; cpu limit for container c; memory request for "
        "init container i"
    )
    code, refusal = await post("pods", pod("big", container={"resources": {"limits": {"cpu": "2"}}}))
    assert code == 403
    assert refusal["message"] == ('pods "big" is forbidden: maximum cpu usage per Container is 1, but limit is 2')


@pytest.mark.parametrize(
    ("item", "resources", "why"),
    [
        (
            {"type": "Container", "min": {"memory": "1Gi"}},
            {"requests": {"memory": "1Mi"}},
            "minimum memory usage per Container is 1Gi, but request is 1Mi",
        ),
        (
            {"type": "Pod", "max": {"cpu": "1"}},
            {"requests": {"cpu": "100m"}},
            "maximum cpu usage per Pod is 1.  No limit is specified",
        ),
        (
            {"type": "Pod", "min": {"cpu": "1", "memory": "1Gi"}},
            {},
            "[minimum cpu usage per Pod is 1.  No request is specified, "
            "minimum memory usage per Pod is 1Gi.  No request "
            "is specified]",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "300m"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            {},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
    ],
)
async def test_limit_ranges_bound_pods(post: Post, item: Object, resources: Object, why: str) -> None:
    assert (await post("limitranges", limit_range(item)))[0] == 201
    code, refusal = await post("pods", pod(container={"resources": resources}))
    assert (code, refusal["message"]) == (403, f'pods "p" is forbidden: {why}')


def claim(name: str, size: str, **spec: Any) -> Object:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": whole}


async def test_limit_ranges_bound_claims(post: Post) -> None:
    await post("limitranges", limit_range({"type": "PersistentVolumeClaim", "max": {"storage": "2Gi"}}))
    code, refusal = await post("persistentvolumeclaims", claim("big", "3Gi"))
    assert (code, refusal["message"]) == (
        403, 'persistentvolumeclaims "big" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but '
        "request is 3Gi",
    )  # fmt: skip


async def test_limit_ranges_are_checked_themselves(post: Post) -> None:
    wrong = {"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}, "default": {"pods": "1"}}
    _, refusal = await post("limitranges", limit_range(wrong, {"type": "Container"}, {"type": "Odd"}))
    causes = {(cause["field"], cause["message"]) for cause in refusal["details"]["causes"]}
    assert {
        ("spec.limits[0].min[cpu]", 'Invalid value: "2": min value 2 is greater than max value 1'),
        ("spec.limits[0].default[pods]", 'Invalid value: "pods": must be a standard resource for containers'),
        ("spec.limits[1].type", 'Duplicate value: "Container"'),
        ("spec.limits[2].type", 'Invalid value: "Odd": must be a standard limit type or fully qualified'),
    } <= causes


# -- storage


async def test_claims_get_the_default_class_and_protection(post: Post, http: Http) -> None:
    path = "/apis/storage.k8s.io/v1/storageclasses"
    annotation = {"storageclass.kubernetes.io/is-default-class": "true"}
    await http(
        "POST", path,
        {"metadata": {"name": "usual", "annotations": annotation}, "provisioner": "example.com/p"},
    )  # fmt: skip
    try:
        _, made = await post("persistentvolumeclaims", claim("c", "1Gi"))
        assert made["spec"]["storageClassName"] == "usual"
        assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
        _, made = await post("persistentvolumeclaims", claim("none", "1Gi", storageClassName=""))
        assert made["spec"]["storageClassName"] == ""
    finally:
        await http("DELETE", f"{path}/usual")
    _, made = await post("persistentvolumeclaims", claim("without", "1Gi"))
    assert "storageClassName" not in made["spec"]


async def test_claims_grow_only_when_their_class_allows_it(post: Post, http: Http, namespace: str) -> None:
    fixed = {"metadata": {"name": "fixed"}, "provisioner": "example.com/p"}
    await http("POST", "/apis/storage.k8s.io/v1/storageclasses", fixed)
    await post("persistentvolumeclaims", claim("c", "1Gi", storageClassName="fixed", volumeName="v"))
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/c"
    headers = {"content_type": "application/merge-patch+json"}
    await http("PATCH", f"{path}/status", {"status": {"phase": "Bound"}}, **headers)
    grow = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    code, refusal = await http("PATCH", path, grow, **headers)
    assert (code, refusal["message"]) == (
        403, 'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize",
    )  # fmt: skip
    allow = {"allowVolumeExpansion": True}
    await http("PATCH", "/apis/storage.k8s.io/v1/storageclasses/fixed", allow, **headers)
    code, made = await http("PATCH", path, grow, **headers)
    assert (code, made["spec"]["resources"]["requests"]["storage"]) == (200, "2Gi")


# -- ingress class, runtime class


async def test_ingresses_get_the_default_class(post: Post, http: Http) -> None:
    path = "/apis/networking.k8s.io/v1/ingressclasses"
    annotation = {"ingressclass.kubernetes.io/is-default-class": "true"}
    await http(
        "POST", path, {"metadata": {"name": "usual", "annotations": annotation}, "spec": {"controller": "a.b/c"}}
    )
    backend = {"service": {"name": "s", "port": {"number": 80}}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
        "spec": {"defaultBackend": backend},
    }  # fmt: skip
    try:
        _, made = await post("ingresses", ingress)
        assert made["spec"]["ingressClassName"] == "usual"
    finally:
        await http("DELETE", f"{path}/usual")


async def test_runtime_classes_set_overhead_and_nodes(post: Post, http: Http) -> None:
    path = "/apis/node.k8s.io/v1/runtimeclasses"
    boxed = {
        "metadata": {"name": "boxed"}, "handler": "boxed", "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"box": "yes"}, "tolerations": [{"key": "box", "operator": "Exists"}]},
    }  # fmt: skip
    await http("POST", path, boxed)
    code, made = await post("pods", pod(runtimeClassName="boxed", nodeSelector={"disk": "ssd"}))
    assert code == 201, made
    assert made["spec"]["overhead"] == {"cpu": "250m"}
    assert made["spec"]["nodeSelector"] == {"disk": "ssd", "box": "yes"}
    assert {"key": "box", "operator": "Exists"} in made["spec"]["tolerations"]
    _, refusal = await post("pods", pod("q", runtimeClassName="boxed", nodeSelector={"box": "no"}))
    assert refusal["message"] == (
        'pods "q" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[box] = yes; '
        "pod.spec.nodeSelector[box] = no"
    )
    _, refusal = await post("pods", pod("q", runtimeClassName="absent"))
    assert refusal["message"] == 'pods "q" is forbidden: pod rejected: RuntimeClass "absent" not found'
    _, refusal = await post("pods", pod("q", overhead={"cpu": "1"}))
    assert refusal["message"] == (
        'pods "q" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead'
    )


# -- certificates


def signing_request(organization: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, "me"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()


def certificate_request(name: str, organization: str) -> Object:
    spec = {
        "request": signing_request(organization), "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }  # fmt: skip
    return {
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": spec,
    }  # fmt: skip


async def test_nobody_asks_to_be_a_master(post: Post) -> None:
    code, refusal = await post(
        "certificatesigningrequests", certificate_request("master", "system:masters"), namespaced=False
    )
    assert (code, refusal["message"]) == (
        403, 'certificatesigningrequests.certificates.k8s.io "master" is forbidden: use of '
        "kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
    )  # fmt: skip


async def test_approving_needs_a_right_on_the_signer(post: Post, http: Http, server: Server) -> None:
    rules = [
        {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"], "verbs": ["*"]},
        {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests"], "verbs": ["*"]},
    ]
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    await http("POST", f"{rbac}/clusterroles", {"metadata": {"name": "half-approver"}, "rules": rules})
    await http(
        "POST", f"{rbac}/clusterrolebindings",
        {
            "metadata": {"name": "half-approver"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "half-approver"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "half"}],
        },
    )  # fmt: skip
    _, request = await post("certificatesigningrequests", certificate_request("mine", "us"), namespaced=False)
    request["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "r", "message": "m"}]}
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests/mine/approval"
    code, refusal = await http("PUT", path, request, Impersonate_User="half")
    assert (code, refusal["message"]) == (
        403, 'certificatesigningrequests.certificates.k8s.io "mine" is forbidden: user not permitted to approve '
        'requests with signerName "kubernetes.io/kube-apiserver-client"',
    )  # fmt: skip
    assert (await http("PUT", path, request))[0] == 200


# -- pure parts

SUFFIXES = st.sampled_from(["", "m", "k", "Ki", "Mi", "G"])
amounts = st.builds(lambda number, suffix: f"{number}{suffix}", st.integers(0, 10**6), SUFFIXES)


@given(amounts, amounts)
def test_sums_of_quantities_are_exact(left: str, right: str) -> None:
    total = quantities.add(left, right)
    assert quantities.value(total) == quantities.value(left) + quantities.value(right)
    assert quantities.compare(quantities.subtract(total, right), left) == 0
    assert quantities.compare(left, right) == -quantities.compare(right, left)


def test_amounts_are_read_in_thousandths() -> None:
    assert [quantities.in_millis(text) for text in ("100u", "1500u", "1", "1Gi", "0")] == ["1m", "2m", "1", "1Gi", "0"]


@given(st.lists(amounts, min_size=1, max_size=4), st.lists(st.tuples(amounts, st.booleans()), max_size=4))
def test_a_pod_needs_what_it_needs_at_its_worst_moment(mains: list[str], inits: list[tuple[str, bool]]) -> None:
    def container(amount: str, **more: str) -> Object:
        return {"resources": {"requests": {"cpu": amount}}, **more}

    spec = {
        "containers": [container(amount) for amount in mains],
        "initContainers": [container(a, **({"restartPolicy": "Always"} if sidecar else {})) for a, sidecar in inits],
    }
    sidecars, worst = Decimal(0), Decimal(0)
    for amount, sidecar in inits:
        worst = max(worst, sidecars + quantities.value(amount))
        sidecars += quantities.value(amount) if sidecar else 0
    worst = max(worst, sidecars + sum(map(quantities.value, mains)))
    assert quantities.value(pod_resources.requests({"spec": spec})["cpu"]) == worst


def test_a_toleration_that_covers_another_stands_for_both() -> None:
    wide: Object = {"key": "k", "operator": "Exists"}
    narrow: Object = {"key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule"}
    assert runtime_class.merged([narrow], [wide]) == [wide]
    assert runtime_class.merged([wide, narrow], [narrow]) == [wide]
    other: Object = {"key": "other", "operator": "Exists"}
    assert runtime_class.merged([wide], [other]) == [wide, other]
