"""The platform's own parts and the cluster's: controllers nobody runs, APIs that do not answer, kinds not served."""

from collections.abc import Iterator
from typing import Final

from dovetail.apis import labels
from dovetail.kube import Key, key_of
from dovetail.lifecycle.doctor.findings import Evidence, Finding, Ref, cause, evidence
from dovetail.lifecycle.doctor.links import CONTROLLERS
from dovetail.lifecycle.doctor.picture import Object, Picture, condition_of, is_ours, ref_of
from dovetail.lifecycle.objects import spec_of

LEASE: Final = "dovetail-lifecycle"
DOWN: Final = cause(
    "ControllersNotRunning",
    (
        "The controllers do not work: what waits for them stays as it is",
        "Start `dovetail controller-manager` (or `dovetail up`), and read its log if it runs.",
    ),
    (
        "控制器没有工作：等待它们的对象不会变化",
        "启动 `dovetail controller-manager`（或 `dovetail up`）；若已运行，请查看日志。",
    ),
    depth=3,
)
NOT_PREPARED: Final = cause(
    "PlatformNotPrepared",
    (
        "This cluster does not serve the platform's kinds: {kinds}",
        "Prepare it with `dovetail init`; that is safe to repeat.",
    ),
    ("该集群没有平台的资源类型：{kinds}", "用 `dovetail init` 准备集群，可重复执行。"),
    depth=1,
)
API_DOWN: Final = cause(
    "AggregatedApiUnavailable",
    (
        "The aggregated API {name} does not answer, which stops discovery and deletions everywhere: {why}",
        "Bring its backend back, or delete the APIService if nobody needs it.",
    ),
    ("聚合 API {name} 没有应答，会阻碍整个集群的发现与删除：{why}", "恢复其后端；若无人需要，删除该 APIService。"),
    depth=10,
)
CRD_NAMES: Final = cause(
    "CRDNotServed",
    ("{subject} is not served: {why}", "Remove what it conflicts with, or correct it."),
    ("{subject} 没有生效：{why}", "消除冲突，或更正它。"),
    depth=15,
)

_NEEDED: Final = (
    ("kubesphere.io/v1alpha1", "InstallPlan"), ("kubesphere.io/v1alpha1", "ExtensionVersion"),
    ("kubesphere.io/v1alpha1", "Repository"), ("kubesphere.io/v1alpha1", "Extension"),
    ("extensions.kubesphere.io/v1alpha1", "APIService"), ("extensions.kubesphere.io/v1alpha1", "ReverseProxy"),
    ("extensions.kubesphere.io/v1alpha1", "JSBundle"),
)  # fmt: skip


def look(picture: Picture) -> Iterator[Finding]:
    yield from _prepared(picture)
    yield from _controllers(picture)
    for api in picture.all("apiservices.apiregistration.k8s.io"):
        yield from _aggregated(picture, api)
    for crd in picture.all("customresourcedefinitions"):
        yield from _definition(crd)


def _prepared(picture: Picture) -> Iterator[Finding]:
    if picture.served is None:
        return
    missing = [f"{kind} ({version})" for version, kind in _NEEDED if (version, kind) not in picture.served]
    if missing:
        proof = evidence("discovery", f"not served: {', '.join(missing)}")
        subject = Ref("Cluster", "the platform's kinds")
        breaks = (CONTROLLERS, picture.plan_ref)
        yield Finding(NOT_PREPARED, subject, (proof,), {"kinds": ", ".join(missing)}, breaks, ("dovetail init",))


def _controllers(picture: Picture) -> Iterator[Finding]:
    proofs: list[Evidence] = []
    breaks: list[Ref] = []
    for unmoved in picture.unmoved:
        if unmoved.of.kind in ("InstallPlan", "Repository", "Subscription", "Lease"):
            proofs.append(evidence(unmoved.of, _still(unmoved.of, unmoved.seconds)))
            breaks.append(unmoved.of)
    lease = picture.one("leases", LEASE, labels.SYSTEM_NAMESPACE)
    if lease is not None and not spec_of(lease).get("holderIdentity"):
        proofs.append(evidence(f"Lease {labels.SYSTEM_NAMESPACE}/{LEASE}", "nobody holds it"))
    if proofs:
        see = f"kubectl -n {labels.SYSTEM_NAMESPACE} get lease {LEASE} -o yaml"
        shown = (see, "kubectl get pods -A -l app.kubernetes.io/name=dovetail") if lease is not None else ()
        yield Finding(
            DOWN, CONTROLLERS, tuple(proofs[:5]), {}, tuple(breaks), (*shown, "dovetail controller-manager --help")
        )


def _still(ref: Ref, seconds: float) -> str:
    if ref.kind == "Lease":
        return f"its holder did not renew it within {seconds:g} s"
    return f"nobody took notice of its last change within {seconds:g} s (observedGeneration is behind)"


def _aggregated(picture: Picture, api: Object) -> Iterator[Finding]:
    available = condition_of(api, "Available")
    if available.get("status") != "False" or not _concerns(picture, key_of(api)):
        return
    ref, why = ref_of(api), f"{available.get('reason')}: {available.get('message')}"
    proof = evidence(f"{ref}, condition Available", why)
    commands = (f"kubectl get apiservices.apiregistration.k8s.io {ref.name} -o yaml",)
    waits = tuple(ref_of(each) for each in picture.all("namespaces") if _waits_for_discovery(each))
    yield Finding(API_DOWN, ref, (proof,), {"why": why}, waits, commands)


def _concerns(picture: Picture, key: Key) -> bool:
    """A dead API is a matter of the platform; of an extension only if it stands in its way, or is its own."""
    if not picture.extension:
        return True
    api = picture.one("apiservices.apiregistration.k8s.io", key.name) or {}
    return is_ours(api, picture.extension) or any(_waits_for_discovery(each) for each in picture.all("namespaces"))


def _waits_for_discovery(namespace: Object) -> bool:
    return condition_of(namespace, "NamespaceDeletionDiscoveryFailure").get("status") == "True"


def _definition(crd: Object) -> Iterator[Finding]:
    for type in ("NamesAccepted", "Established"):
        condition = condition_of(crd, type)
        if condition.get("status") == "False" and condition.get("reason") not in ("Installing", "NotAccepted"):
            ref, why = ref_of(crd), f"{condition.get('reason')}: {condition.get('message')}"
            proof = evidence(f"{ref}, condition {type}", why)
            commands = (f"kubectl describe crd {ref.name}",)
            yield Finding(CRD_NAMES, ref, (proof,), {"why": why}, (), commands)
            return
