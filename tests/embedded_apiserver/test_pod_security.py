"""PodSecurity: the labels of a namespace decide which pods come in, in the words of Kubernetes."""

from typing import Any

import pytest

from dovetail.embedded.apiserver.admission.plugins.pod_security.evaluation import details, evaluate
from dovetail.embedded.apiserver.admission.plugins.pod_security.policy import LATEST, LevelVersion, policy_of

from .conftest import Http, deployment

Object = dict[str, Any]
MERGE = {"content_type": "application/merge-patch+json"}
PREFIX = "pod-security.kubernetes.io/"
SAFE = {
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "c", "image": "nginx",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}  # fmt: skip
PLAIN = {"containers": [{"name": "c", "image": "nginx"}]}
NOT_RESTRICTED = (
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), '
    'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != '
    'true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must '
    'set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)


def pod(name: str, spec: Object) -> Object:
    return {"metadata": {"name": name}, "spec": spec}


async def label(http: Http, namespace: str, **labels: str | None) -> list[str]:
    """Set labels (``enforce_version``...); the warnings of the answer."""
    stated = {PREFIX + name.replace("_", "-"): value for name, value in labels.items()}
    return await warnings(http, "PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": stated}})


async def warnings(http: Http, method: str, path: str, body: Object) -> list[str]:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    async with http.session.request(
        method, http.server.url + path, json=body, headers={"content-type": kind}
    ) as response:
        assert response.status in (200, 201), await response.text()
        found = response.headers.getall("warning", [])
    return [text.removeprefix('299 - "').removesuffix('"').replace('\\"', '"') for text in found]


async def test_restricted_refuses_and_says_why(http: Http, namespace: str) -> None:
    await label(http, namespace, enforce="restricted")
    path = f"/api/v1/namespaces/{namespace}/pods"
    code, refusal = await http("POST", path, pod("p", PLAIN))
    assert (code, refusal["reason"]) == (403, "Forbidden")
    assert refusal["message"] == f'pods "p" is forbidden: violates PodSecurity "restricted:latest": {NOT_RESTRICTED}'
    code, made = await http("POST", path, pod("safe", SAFE))
    assert code == 201, made


async def test_templates_are_warned_about(http: Http, namespace: str) -> None:
    await label(http, namespace, enforce="restricted", enforce_version="v1.30")
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    [warning] = await warnings(http, "POST", path, deployment("d"))
    assert warning == f'would violate PodSecurity "restricted:v1.30": {NOT_RESTRICTED}'
    await label(http, namespace, warn="privileged")
    assert await warnings(http, "POST", path, deployment("quiet")) == []


async def test_warn_lets_pods_in(http: Http, namespace: str) -> None:
    await label(http, namespace, warn="baseline")
    spec = {**PLAIN, "hostNetwork": True}
    [warning] = await warnings(http, "POST", f"/api/v1/namespaces/{namespace}/pods", pod("p", spec))
    assert warning == 'would violate PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'


async def test_a_stricter_namespace_names_the_pods_that_break_it(http: Http, namespace: str) -> None:
    for name in ("b", "a"):
        await http("POST", f"/api/v1/namespaces/{namespace}/pods", pod(name, {**PLAIN, "hostPID": True}))
    assert await label(http, namespace, enforce="baseline") == [
        f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "baseline:latest"',
        "a (and 1 other pod): host namespaces",
    ]
    assert await label(http, namespace, enforce="privileged") == []


async def test_labels_are_checked(http: Http, namespace: str) -> None:
    body = {"metadata": {"labels": {f"{PREFIX}enforce": "tight", f"{PREFIX}warn-version": "1.2"}}}
    code, refusal = await http("PATCH", f"/api/v1/namespaces/{namespace}", body, **MERGE)
    assert code == 422
    assert refusal["message"] == (
        f'Namespace "{namespace}" is invalid: [metadata.labels[{PREFIX}enforce]: Invalid value: "tight": must be one '
        f'of privileged, baseline, restricted, metadata.labels[{PREFIX}warn-version]: Invalid value: "1.2": must be '
        '"latest" or "v1.x"]'
    )


async def test_an_update_counts_when_it_changes_an_image(http: Http, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    await http("POST", path, pod("p", PLAIN))
    await label(http, namespace, enforce="restricted")
    assert (await http("PATCH", f"{path}/p", {"metadata": {"labels": {"a": "b"}}}, **MERGE))[0] == 200
    strategic = {"content_type": "application/strategic-merge-patch+json"}
    image = {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}
    assert (await http("PATCH", f"{path}/p", image, **strategic))[0] == 403


# -- the rules


def container(**context: Any) -> Object:
    return {"containers": [{"name": "c", "securityContext": context}]}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"hostNetwork": True, "hostIPC": True}, "host namespaces (hostNetwork=true, hostIPC=true)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        (
            {"containers": [{"name": "c", "ports": [{"hostPort": 80}, {"hostPort": 443}]}]},
            'hostPort (container "c" uses hostPorts 443, 80)',
        ),
        (
            {"containers": [{"name": "c", "livenessProbe": {"httpGet": {"host": "x"}}}]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "x")',
        ),
        (container(privileged=True), 'privileged (container "c" must not set securityContext.privileged=true)'),
        (
            container(procMount="Unmasked"),
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            container(capabilities={"add": ["NET_ADMIN", "CHOWN"]}),
            'non-default capabilities (container "c" must not include "NET_ADMIN" in securityContext.capabilities.add)',
        ),
        (
            {"securityContext": {"seLinuxOptions": {"type": "evil", "user": "u"}}},
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "evil"; user may not be set)',
        ),
        (
            container(seccompProfile={"type": "Unconfined"}),
            'seccompProfile (container "c" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}, "forbidden sysctls (kernel.msgmax)"),
        (
            container(windowsOptions={"hostProcess": True}),
            'hostProcess (container "c" must not set securityContext.windowsOptions.hostProcess=true)',
        ),
        (
            container(appArmorProfile={"type": "Unconfined"}),
            'forbidden AppArmor profile (container "c" must not set AppArmor profile type to "Unconfined")',
        ),
    ],
)
def test_baseline(spec: Object, told: str) -> None:
    assert details(evaluate(LevelVersion("baseline", LATEST), {}, spec)) == told
    assert evaluate(LevelVersion("privileged", LATEST), {}, spec) == []


def test_restricted_has_its_own_words_where_it_is_stricter() -> None:
    spec = {**SAFE, "volumes": [{"name": "v", "hostPath": {"path": "/"}}, {"name": "n", "nfs": {}}]}
    assert details(evaluate(LevelVersion("restricted", LATEST), {}, spec)) == (
        'restricted volume types (volumes "v", "n" use restricted volume types "hostPath", "nfs")'
    )
    root = {**SAFE, "securityContext": {**SAFE["securityContext"], "runAsUser": 0}}
    assert (
        details(evaluate(LevelVersion("restricted", LATEST), {}, root)) == "runAsUser=0 (pod must not set runAsUser=0)"
    )


def test_rules_have_versions() -> None:
    def told(version: int, spec: Object, level: str = "baseline") -> list[str]:
        return [finding.reason for finding in evaluate(LevelVersion(level, version), {}, spec)]

    sysctl = {"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem"}]}}
    assert (told(31, sysctl), told(32, sysctl)) == (["forbidden sysctls"], [])
    root = {**SAFE, "hostUsers": False, "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}}
    assert (told(34, root, "restricted"), told(35, root, "restricted")) == (["runAsNonRoot != true"], [])
    assert told(18, PLAIN, "restricted") == ["allowPrivilegeEscalation != false", "runAsNonRoot != true"]


def test_enforcing_warns_about_templates_unless_told_otherwise() -> None:
    policy, errors = policy_of({f"{PREFIX}enforce": "baseline", f"{PREFIX}enforce-version": "v1.29"})
    assert (str(policy.warn), str(policy.audit), errors) == ("baseline:v1.29", "privileged:latest", [])
    policy, _ = policy_of({f"{PREFIX}enforce": "baseline", f"{PREFIX}warn": "restricted"})
    assert str(policy.warn) == "restricted:latest"
    policy, errors = policy_of({f"{PREFIX}enforce": "?", f"{PREFIX}audit": "?"})
    assert (str(policy.enforce), str(policy.warn), len(errors)) == ("restricted:latest", "privileged:latest", 2)
