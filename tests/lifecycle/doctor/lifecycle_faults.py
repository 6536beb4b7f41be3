"""Faults of plans, versions, packages, releases and hooks, made through the real controllers and the real Helm."""

import asyncio
import contextlib
import hashlib
from typing import Any

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS, INSTALLPLANS, SUBSCRIPTIONS
from dovetail.kube import (
    CONFIGMAPS,
    JOBS,
    NAMESPACES,
    PODS,
    SERVICEACCOUNTS,
    NotFound,
    Resource,
)  # fmt: skip
from tests.lifecycle.doctor.rig import Fault, Rig
from tests.lifecycle.platform import ensure_namespace, make, publish, until, until_gone

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")
ADMISSION = "admissionregistration.k8s.io"
WEBHOOKS = Resource(ADMISSION, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", False)
JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  suspend: SUSPEND
  template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: images.test/migrate:1}]}}
"""
HOOK, SUSPENDED = JOB.replace("SUSPEND", "false"), JOB.replace("SUSPEND", "true")


def config_map(name: str, namespace: str = "") -> str:
    place = f"\n  namespace: {namespace}" if namespace else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}{place}\n"


async def version_not_found(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name, "9.9.9")
    await rig.until_told(name, "VersionNotFound")


async def incompatible(rig: Rig, name: str) -> None:
    await rig.publish(name, spec={"kubeVersion": ">=99.0.0"})
    await rig.plan(name)
    await rig.until_told(name, "Incompatible")


async def name_mismatch(rig: Rig, name: str) -> None:
    spec = {"extension": {"name": "another", "version": "1.0.0"}, "enabled": True}
    await make(rig.client, INSTALLPLANS, name, spec=spec)
    await rig.until_told(name, "NameMismatch")


async def protected(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name, targetNamespace="kube-system")
    await rig.until_told(name, "ProtectedNamespace")


async def invalid_plan(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name, config="- a list\n")
    await rig.until_told(name, "InvalidPlan")


async def package_gone(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.client.delete(CONFIGMAPS, f"extension-{name}-1.0.0-chart", "kubesphere-system")
    await rig.plan(name)
    await rig.until_told(name, "PackageUnavailable")


async def other_digest(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.client.patch(EXTENSIONVERSIONS, f"{name}-1.0.0", {"spec": {"digest": "0" * 64}})
    await rig.plan(name)
    await rig.until_told(name, "DigestMismatch")


async def garbage(rig: Rig, name: str) -> None:
    data = b"this is no package"
    await publish(rig.client, name, "1.0.0", data, digest=hashlib.sha256(data).hexdigest())
    await rig.plan(name)
    await rig.until_told(name, "UnusablePackage")


async def values_refused(rig: Rig, name: str) -> None:
    schema = '{"type": "object", "properties": {"color": {"type": "string"}}}'
    await rig.publish(name, **{"values.schema.json": schema})
    await rig.plan(name, config="color: 5\n")
    await rig.until_state(name, "InstallFailed")


async def template_fails(rig: Rig, name: str) -> None:
    text = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ required "give it a name" .Values.given }}\n'
    await rig.publish(name, **{"templates/needs.yaml": text})
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def kind_not_served(rig: Rig, name: str) -> None:
    text = "apiVersion: monitoring.example.org/v1\nkind: ServiceMonitor\nmetadata: {name: x}\n"
    await rig.publish(name, **{"templates/monitor.yaml": text})
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def invalid_object(rig: Rig, name: str) -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999}]}\n"
    await rig.publish(name, **{"templates/web.yaml": text})
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def forbidden(rig: Rig, name: str) -> None:
    await rig.publish(name, **{"templates/elsewhere.yaml": config_map(f"{name}-stray", "default")})
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def escalates(rig: Rig, name: str) -> None:
    rules = (
        "- verbs: ['create', 'get', 'list', 'patch', 'update', 'delete']\n  apiGroups: [rbac.authorization.k8s.io]\n"
    )
    permissions = f"kind: ClusterRole\nrules:\n{rules}  resources: ['*']\n"
    role = (
        f"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {name}-all}}\n"
        "rules: [{verbs: ['*'], apiGroups: ['*'], resources: ['*']}]\n"
    )
    files = {"permissions.yaml": permissions, "templates/role.yaml": role, "templates/api.yaml": ""}
    await rig.publish(name, **files)
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def taken(rig: Rig, name: str) -> None:
    await ensure_namespace(rig.client, f"extension-{name}")
    await make(rig.client, CONFIGMAPS, "settings", f"extension-{name}", data={"mine": "true"})
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def over_quota(rig: Rig, name: str) -> None:
    space = f"extension-{name}"
    await ensure_namespace(rig.client, space)
    await make(rig.client, QUOTAS, "few", space, spec={"hard": {"services": "0"}})
    await until(
        lambda: rig.client.get(QUOTAS, "few", space),
        lambda obj: "services" in (obj.get("status") or {}).get("used", {}),
        "the quota to be counted",
    )
    web = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"
    await rig.publish(name, **{"templates/web.yaml": web})
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


def hook_configuration(name: str, client: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": WEBHOOKS.api_version, "kind": WEBHOOKS.kind, "metadata": {"name": f"policy-{name}"},
        "webhooks": [{
            "name": f"{name}.policy.example.org", "clientConfig": client, "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 2, "failurePolicy": "Fail",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": f"extension-{name}"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                       "operations": ["CREATE", "UPDATE"]}],
        }],
    }  # fmt: skip


async def webhook_down(rig: Rig, name: str) -> None:
    service = {"service": {"namespace": f"extension-{name}", "name": "policy", "path": "/"}}
    await rig.client.create(WEBHOOKS, hook_configuration(name, service))
    await ensure_namespace(rig.client, f"extension-{name}")
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "InstallFailed")


async def immutable(rig: Rig, name: str) -> None:
    """The Service's clusterIP is never changed."""
    for version, address in (("1.0.0", "10.96.77.7"), ("1.1.0", "10.96.77.8")):
        web = f"apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{clusterIP: {address}, "
        await rig.publish(name, version, **{"templates/web.yaml": web + "ports: [{port: 80}]}\n"})
    await rig.plan(name, "1.0.0")
    await rig.until_state(name, "Installed")
    await rig.plan(name, "1.1.0")
    await rig.until_state(name, "UpgradeFailed")


async def hook_job(rig: Rig, name: str) -> dict[str, Any]:
    async def look() -> Any:
        try:
            return await rig.client.get(JOBS, "migrate", f"extension-{name}")
        except NotFound:
            return None

    return await until(look, lambda job: job is not None, "the hook")


async def fail_job(rig: Rig, job: dict[str, Any]) -> None:
    at = job["metadata"]["creationTimestamp"]
    told = {
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    }
    conditions = [{"type": type, **told, "lastTransitionTime": at} for type in ("FailureTarget", "Failed")]
    await rig.status(JOBS, job, startTime=at, failed=1, conditions=conditions)


async def hook_fails(rig: Rig, name: str) -> None:
    await rig.publish(name, **{"templates/hook.yaml": HOOK})
    await rig.plan(name, retry={"limit": 1})
    await fail_job(rig, await hook_job(rig, name))
    await rig.until_state(name, "InstallFailed")


async def hook_suspended(rig: Rig, name: str) -> None:
    await rig.publish(name, **{"templates/hook.yaml": SUSPENDED})
    await rig.plan(name)
    await hook_job(rig, name)


async def hook_without_image(rig: Rig, name: str) -> None:
    await rig.publish(name, **{"templates/hook.yaml": HOOK})
    await rig.plan(name)
    job = await hook_job(rig, name)
    owner = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": "migrate",
        "uid": job["metadata"]["uid"],
        "controller": True,
    }
    await make_pod(rig, f"extension-{name}", "migrate-x7", owner, image="images.test/migrate:1")
    pod = await rig.client.get(PODS, "migrate-x7", f"extension-{name}")
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image: manifest unknown: not found"}
    await container_waits(rig, pod, waiting, image="images.test/migrate:1")


async def make_pod(
    rig: Rig, namespace: str, name: str, owner: dict[str, Any], image: str, **spec: Any
) -> dict[str, Any]:
    await until_account(rig, namespace)
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}, "ownerReferences": [owner] if owner else []},
        "spec": {"containers": [{"name": "main", "image": image}], **spec},
    }  # fmt: skip
    return await rig.client.create(PODS, pod, namespace)


async def until_account(rig: Rig, namespace: str) -> None:
    await until(lambda: rig.client.get(SERVICEACCOUNTS, "default", namespace), bool, "the default account")


async def container_waits(rig: Rig, pod: dict[str, Any], waiting: dict[str, str], image: str = "", **more: Any) -> None:
    container = {
        "name": "main", "image": image, "imageID": "", "ready": False, "restartCount": 0,
        "state": {"waiting": waiting}, **more,
    }  # fmt: skip
    await rig.status(PODS, pod, phase="Pending", containerStatuses=[container])


async def timed_out(rig: Rig, name: str) -> None:
    await rig.publish(name, **{"templates/hook.yaml": HOOK})
    await rig.plan(name, hookTimeout="1s", retry={"limit": 1})
    await rig.until_state(name, "InstallFailed")


async def paused(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "Installed")
    await rig.plan(name, paused=True)


async def unapproved(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name, approval={"required": True})
    await rig.until_told(name, "ApprovalRequired")


async def taken_plan(rig: Rig, name: str) -> None:
    """The Subscription is refused; the plan itself is well."""
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "Installed")
    spec = {"extension": {"name": name, "version": "1.0.0"}}
    await make(rig.client, SUBSCRIPTIONS, f"of-{name}", spec=spec)
    await rig.until_condition(SUBSCRIPTIONS, f"of-{name}", "Installed", "False")


NEEDS = {"externalDependencies": [{"name": "absent-one", "type": "extension", "version": ">=1.0.0", "required": True}]}


async def dependency_missing(rig: Rig, name: str) -> None:
    await rig.publish(name, spec=NEEDS)
    await rig.plan(name)
    await rig.until_told(name, "DependencyMissing")


async def dependency_broken(rig: Rig, name: str) -> None:
    other = f"{name}-base"
    await rig.publish(other, spec={"kubeVersion": ">=99.0.0"})
    await rig.plan(other)
    await rig.until_told(other, "Incompatible")
    needs = [{"name": other, "type": "extension", "version": ">=1.0.0", "required": True}]
    await rig.publish(name, spec={"externalDependencies": needs})
    await rig.plan(name)
    await rig.until_told(name, "DependencyMissing")


async def needed_by_others(rig: Rig, name: str) -> None:
    """Its uninstall waits for the extension that needs it."""
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "Installed")
    other = f"{name}-user"
    needs = [{"name": name, "type": "extension", "version": ">=1.0.0", "required": True}]
    await rig.publish(other, spec={"externalDependencies": needs})
    await rig.plan(other)
    await rig.until_state(other, "Installed")
    await rig.client.delete(INSTALLPLANS, name)
    await rig.until_condition(INSTALLPLANS, name, "Dependencies", "False")


async def foreign_finalizer(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "Installed")
    obj = await rig.client.get(INSTALLPLANS, name)
    finalizers = [*obj["metadata"]["finalizers"], "example.org/billing"]
    await rig.client.patch(INSTALLPLANS, name, {"metadata": {"finalizers": finalizers}})
    await rig.client.delete(INSTALLPLANS, name)
    await until(
        lambda: rig.client.get(INSTALLPLANS, name),
        lambda obj: obj["metadata"]["finalizers"] == ["example.org/billing"],
        "our finalizer to go",
    )


async def namespace_held(rig: Rig, name: str) -> None:
    await rig.publish(name)
    await rig.plan(name)
    await rig.until_state(name, "Installed")
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": ["example.org/backup"]}}
    await rig.client.create(CONFIGMAPS, held, f"extension-{name}")
    await rig.client.delete(INSTALLPLANS, name)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until_gone(rig.client, INSTALLPLANS, name), 5)
    with contextlib.suppress(NotFound):
        await rig.until_condition(NAMESPACES, f"extension-{name}", "NamespaceFinalizersRemaining", "True")
    await rig.plan(name)
    await asyncio.sleep(0.3)


async def silent_port(rig: Rig, name: str) -> None:
    """Installed well, but its Service is missing for its API."""
    api = (
        f"apiVersion: extensions.kubesphere.io/v1alpha1\nkind: APIService\nmetadata: {{name: v1.{name}.example.org}}\n"
        f"spec: {{group: {name}.example.org, version: v1, service: {{namespace: extension-{name}, name: web}}}}\n"
    )
    await rig.publish(name, **{"templates/api.yaml": api})
    await rig.plan(name)
    await rig.until_state(name, "Installed")


FAULTS = [
    Fault("version-absent", "VersionNotFound", version_not_found),
    Fault("too-new", "Incompatible", incompatible),
    Fault("misnamed", "NameMismatch", name_mismatch),
    Fault("into-system", "NamespaceProtected", protected),
    Fault("unreadable", "PlanInvalid", invalid_plan),
    Fault("package-gone", "PackageUnavailable", package_gone),
    Fault("other-digest", "DigestMismatch", other_digest),
    Fault("garbage", "PackageUnusable", garbage),
    Fault("bad-values", "ValuesRefused", values_refused),
    Fault("bad-template", "TemplateFailed", template_fails),
    Fault("no-kind", "KindNotServed", kind_not_served),
    Fault("bad-object", "ObjectInvalid", invalid_object),
    Fault("reaches-out", "AccountForbidden", forbidden),
    Fault("escalates", "EscalationRefused", escalates),
    Fault("taken", "ObjectTaken", taken),
    Fault("over-quota", "QuotaExceeded", over_quota),
    Fault("webhook-down", "WebhookUnreachable", webhook_down),
    Fault("immutable", "ImmutableField", immutable),
    Fault("hook-fails", "HookFailed", hook_fails),
    Fault("hook-suspended", "HookSuspended", hook_suspended),
    Fault("hook-image", "ImageNotFound", hook_without_image),
    Fault("times-out", "TimedOut", timed_out),
    Fault("paused", "Paused", paused),
    Fault("unapproved", "ApprovalRequired", unapproved),
    Fault("subscribed", "SubscriptionRefused", taken_plan),
    Fault("needs-absent", "DependencyMissing", dependency_missing),
    Fault("needs-broken", "DependencyBroken", dependency_broken),
    Fault("needed", "DependentsHold", needed_by_others),
    Fault("foreign-finalizer", "FinalizerHolds", foreign_finalizer),
    Fault("namespace-held", "NamespaceHeld", namespace_held),
]
