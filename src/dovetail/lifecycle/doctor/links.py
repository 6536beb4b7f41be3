"""What breaks when something is broken: the edges between objects of a picture. Pure.

`A -> B` means that B cannot work while A does not. There are no cycles among these edges: pods depend on nodes and
claims, workloads on pods, Services on workloads, routes and bundles on Services, a release on its hooks, its plan on
the release, the namespace, the account and the version, and that on its repository.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dovetail.apis import labels
from dovetail.kube import key_of, labels_of, owners_of
from dovetail.lifecycle import states
from dovetail.lifecycle.doctor.findings import Ref
from dovetail.lifecycle.doctor.picture import Picture, is_hook, is_ours, items, matches, ref_of, template_labels
from dovetail.lifecycle.image_repositories import name_of
from dovetail.lifecycle.objects import conditions_of, mapping, spec_of, status_of

Edges = Mapping[Ref, frozenset[Ref]]
CONTROLLERS = Ref("Process", "controllers")
GATEWAY = Ref("Process", "gateway control")
CONSOLE = Ref("Process", "console")
CLUSTER = Ref("Cluster", "this cluster")
WORKLOADS = ("deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs")
ROUTES = (
    "apiservices.extensions.kubesphere.io", "reverseproxies.extensions.kubesphere.io",
    "apiservices.kubesphere.io", "reverseproxies.kubesphere.io",
)  # fmt: skip
BUNDLES = ("jsbundles.extensions.kubesphere.io", "jsbundles.kubesphere.io")
HOOK_CONFIGURATIONS = ("validatingwebhookconfigurations", "mutatingwebhookconfigurations")


def edges_of(picture: Picture) -> Edges:
    """All edges of a picture."""
    found: dict[Ref, set[Ref]] = {}
    for before, after in _edges(picture):
        found.setdefault(before, set()).add(after)
    return {ref: frozenset(broken) for ref, broken in found.items()}


def reachable(start: Iterable[Ref], edges: Edges) -> frozenset[Ref]:
    """Everything that breaks with these, themselves included."""
    seen: set[Ref] = set()
    waiting = list(start)
    while waiting:
        ref = waiting.pop()
        if ref not in seen:
            seen.add(ref)
            waiting += edges.get(ref, ())
    return frozenset(seen)


def _edges(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    yield from _catalogue(picture)
    yield from _image_repositories(picture)
    yield from _pods(picture)
    yield from _workloads(picture)
    yield from _services(picture)
    yield from _processes(picture)


def _catalogue(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    plan = picture.plan_ref
    if picture.namespace:
        yield Ref("Namespace", picture.namespace), plan
    for version in picture.all("extensionversions.kubesphere.io"):
        yield ref_of(version), plan
        if source := spec_of(version).get("repository") or labels_of(version).get(labels.REPOSITORY_REF):
            yield Ref("Repository", str(source)), ref_of(version)
    if _lacks_its_version(picture):
        for repository in picture.all("repositories.kubesphere.io"):
            yield ref_of(repository), plan  # it may be the one that has it
    for account in ("serviceaccounts", "roles", "rolebindings", "clusterroles", "clusterrolebindings"):
        for obj in picture.all(account):
            yield ref_of(obj), plan
    for subscription in picture.all("subscriptions.kubesphere.io"):
        yield plan, ref_of(subscription)


def _image_repositories(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    for repository in picture.all("repositories.kubesphere.io"):
        name = key_of(repository).name
        yield Ref("Deployment", name_of(name), labels.SYSTEM_NAMESPACE), Ref("Repository", name)


def _pods(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    for pod in picture.all("pods"):
        ref, spec = ref_of(pod), spec_of(pod)
        if node := spec.get("nodeName"):
            yield Ref("Node", str(node)), ref
        for volume in items(spec, "volumes"):
            if claim := mapping(volume.get("persistentVolumeClaim")).get("claimName"):
                yield Ref("PersistentVolumeClaim", str(claim), ref.namespace), ref
        for owner in owners_of(pod):
            yield ref, Ref(str(owner.get("kind")), str(owner.get("name")), ref.namespace)
        if is_hook(pod):
            yield ref, picture.plan_ref


def _workloads(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    for plural in WORKLOADS:
        for obj in picture.all(plural):
            ref = ref_of(obj)
            for owner in owners_of(obj):
                yield ref, Ref(str(owner.get("kind")), str(owner.get("name")), ref.namespace)
            if is_hook(obj) or is_ours(obj, picture.extension):
                yield ref, picture.plan_ref


def _services(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    for service in picture.all("services"):
        ref, selector = ref_of(service), mapping(spec_of(service).get("selector"))
        for plural in WORKLOADS[:3]:
            for workload in picture.all(plural):
                if key_of(workload).namespace == ref.namespace and matches(selector, template_labels(workload)):
                    yield ref_of(workload), ref
        for pod in picture.all("pods"):
            if key_of(pod).namespace == ref.namespace and matches(selector, labels_of(pod)):
                yield ref_of(pod), ref
    for plural in (*ROUTES, *BUNDLES, *HOOK_CONFIGURATIONS, "apiservices.apiregistration.k8s.io"):
        for obj in picture.all(plural):
            for service in services_of(obj):
                yield service, ref_of(obj)


def _processes(picture: Picture) -> Iterator[tuple[Ref, Ref]]:
    yield CONTROLLERS, picture.plan_ref
    for plural in ("installplans", "repositories", "extensionversions", "subscriptions"):
        for obj in picture.all(f"{plural}.kubesphere.io"):
            yield CONTROLLERS, ref_of(obj)
    for plural in ROUTES:
        for obj in picture.all(plural):
            yield GATEWAY, ref_of(obj)
    for plural in BUNDLES:
        for obj in picture.all(plural):
            yield CONSOLE, ref_of(obj)
    for plural in (*ROUTES, *BUNDLES) if _is_unsettled(picture) else ():
        for obj in picture.all(plural):
            yield picture.plan_ref, ref_of(obj)
    for plural in WORKLOADS[:3]:
        for obj in picture.all(plural):
            yield CLUSTER, ref_of(obj)
    for plural in (*ROUTES, "apiservices.apiregistration.k8s.io"):
        for obj in picture.all(plural):
            if any(each.get("reason") == "MissingEndpoints" for each in conditions_of(obj)):
                yield CLUSTER, ref_of(obj)


def _lacks_its_version(picture: Picture) -> bool:
    told = conditions_of(picture.plan or {})
    absent = any(each.get("reason") == "VersionNotFound" and each.get("status") == "False" for each in told)
    return absent and not picture.all("extensionversions.kubesphere.io")


def _is_unsettled(picture: Picture) -> bool:
    """What is installed and settled is no reason for what comes after."""
    plan = picture.plan
    return plan is not None and status_of(plan).get("state") != states.INSTALLED


def services_of(obj: Mapping[str, Any]) -> set[Ref]:
    """The Services that an object's spec (or a webhook's client configuration) names."""
    spec = spec_of(obj)
    places = [spec, mapping(spec.get("upstream")), mapping(spec.get("rawFrom"))]
    places += [mapping(hook.get("clientConfig")) for hook in items(obj, "webhooks")]
    found: set[Ref] = set()
    for place in places:
        service = mapping(place.get("service"))
        if service.get("name") and not place.get("url"):
            found.add(Ref("Service", str(service["name"]), str(service.get("namespace") or "")))
    return found
