"""/kapis/resources.kubesphere.io/v1alpha3: Kubernetes' own kinds, read with the query grammar of all lists.

    GET /{resources}[/{name}]          GET /namespaces/{namespace}/{resources}[/{name}]

`resources` is a plural of the table below; kinds of extensions have endpoints of their own. Everybody who is logged in
may ask, and two answer: the policy, whether he may read the kind under `/api` or `/apis`, and Kubernetes, which is
asked **as the caller**, who is impersonated. Both must say yes, as everywhere. A list across namespaces holds those in
which he may list the kind. Lists are KubeSphere's envelope. Nothing is cached: each list is read from the cluster.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dovetail.iam.attributes import of_resource
from dovetail.iam.authorizer import decide
from dovetail.iam.visibility import Only, visible
from dovetail.kube.client import Client
from dovetail.kube.errors import Forbidden, InvalidPath, NotFound
from dovetail.kube.resources import Resource
from dovetail.platform.answers import NO_STORE, json_answer
from dovetail.platform.callers import caller
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.describing import LIST_QUERY, describes
from dovetail.platform.errors import AccessDenied, Missing
from dovetail.platform.listing import page_of, read_query
from dovetail.platform.shown_objects import shown
from dovetail.platform.write_options import read_options

Objects = list[dict[str, Any]]

BASE: Final = "/kapis/resources.kubesphere.io/v1alpha3"

_NAMESPACED: Final[Mapping[str, Mapping[str, str]]] = {
    "v1": {
        "pods": "Pod", "services": "Service", "endpoints": "Endpoints", "configmaps": "ConfigMap", "secrets": "Secret",
        "serviceaccounts": "ServiceAccount", "persistentvolumeclaims": "PersistentVolumeClaim", "events": "Event",
        "resourcequotas": "ResourceQuota", "limitranges": "LimitRange",
        "replicationcontrollers": "ReplicationController",
    },
    "apps/v1": {
        "deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet",
        "replicasets": "ReplicaSet", "controllerrevisions": "ControllerRevision",
    },
    "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "rbac.authorization.k8s.io/v1": {"roles": "Role", "rolebindings": "RoleBinding"},
    "coordination.k8s.io/v1": {"leases": "Lease"},
    "discovery.k8s.io/v1": {"endpointslices": "EndpointSlice"},
}  # fmt: skip
_OF_CLUSTER: Final[Mapping[str, Mapping[str, str]]] = {
    "v1": {"namespaces": "Namespace", "nodes": "Node", "persistentvolumes": "PersistentVolume"},
    "networking.k8s.io/v1": {"ingressclasses": "IngressClass"},
    "storage.k8s.io/v1": {
        "storageclasses": "StorageClass", "volumeattachments": "VolumeAttachment", "csidrivers": "CSIDriver",
        "csinodes": "CSINode",
    },
    "scheduling.k8s.io/v1": {"priorityclasses": "PriorityClass"},
    "rbac.authorization.k8s.io/v1": {"clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding"},
    "apiextensions.k8s.io/v1": {"customresourcedefinitions": "CustomResourceDefinition"},
    "certificates.k8s.io/v1": {"certificatesigningrequests": "CertificateSigningRequest"},
    "admissionregistration.k8s.io/v1": {
        "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
        "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    },
}  # fmt: skip
_AT_ONCE: Final = 8
_OBJECT: Final[dict[str, Any]] = {"type": "object"}
_PAGE: Final[dict[str, Any]] = {
    "type": "object", "required": ["items", "totalItems"],
    "properties": {"items": {"type": "array", "items": _OBJECT}, "totalItems": {"type": "integer"}},
}  # fmt: skip


def _resources() -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for table, namespaced in ((_NAMESPACED, True), (_OF_CLUSTER, False)):
        for api_version, kinds in table.items():
            group, _, version = api_version.rpartition("/")
            found |= {plural: Resource(group, version, plural, kind, namespaced) for plural, kind in kinds.items()}
    return found


RESOURCES: Final = _resources()


class ClusterResources:
    """The endpoints under `BASE`."""

    def __init__(self, deps: PlatformDeps) -> None:
        self._deps = deps

    def routes(self) -> list[Route]:
        inside = BASE + "/namespaces/{namespace}/{resources}"
        return [
            Route(inside, self.list, methods=["GET"]),
            Route(inside + "/{name}", self.get, methods=["GET"]),
            Route(BASE + "/{resources}", self.list, methods=["GET"]),
            Route(BASE + "/{resources}/{name}", self.get, methods=["GET"]),
        ]

    @describes(answer=_PAGE, query=LIST_QUERY)
    async def list(self, request: Request) -> Response:
        """Objects of a kind of Kubernetes, as the caller sees them."""
        resource, namespace = _asked(request)
        query = read_query(request.query_params.multi_items())
        try:
            found = await self._listed(request, resource, namespace, str(query.labels))
        except Forbidden as error:
            raise AccessDenied(error.message) from error
        except InvalidPath as error:
            raise Missing(f'namespaces "{namespace}" not found') from error
        seen = [shown(obj, resource.group, resource.plural) for obj in found]
        return json_answer(page_of(seen, query), headers=NO_STORE)

    @describes(answer=_OBJECT)
    async def get(self, request: Request) -> Response:
        """One object of a kind of Kubernetes."""
        read_options(request, ())
        resource, namespace = _asked(request)
        name: str = request.path_params["name"]
        self._demand(request, "get", resource, name if resource.plural == "namespaces" else namespace, name)
        try:
            obj = await self._as(request).get(resource, name, namespace)
        except Forbidden as error:
            raise AccessDenied(error.message) from error
        except (NotFound, InvalidPath) as error:
            raise Missing(f'{resource.plural} "{name}" not found') from error
        return json_answer(shown(obj, resource.group, resource.plural), headers=NO_STORE)

    async def _listed(self, request: Request, resource: Resource, namespace: str | None, labels: str) -> Objects:
        """The objects of a namespace, or of all namespaces in which the caller may list them. Raises Forbidden."""
        client = self._as(request)
        if namespace is None and resource.namespaced:
            seen = visible(self._deps.policy(), caller(request), "list", resource.group, resource.plural)
            if isinstance(seen, Only):
                return await _in_each(client, resource, sorted(seen.namespaces), labels)
        else:
            self._demand(request, "list", resource, namespace)
        return (await client.list(resource, namespace, label_selector=labels)).items

    def _demand(
        self, request: Request, verb: str, resource: Resource, namespace: str | None, name: str = ""
    ) -> None:  # fmt: skip
        """The policy's word on the same request to Kubernetes' API. Raises AccessDenied."""
        asked = of_resource(
            verb, resource.group, resource.plural, name=name, namespace=namespace or "", version=resource.version,
            prefix="apis" if resource.group else "api",
        )  # fmt: skip
        decision = decide(self._deps.policy(), caller(request), asked)
        if not decision.allowed:
            raise AccessDenied(decision.reason)

    def _as(self, request: Request) -> Client:
        identity = caller(request)
        return self._deps.client.impersonate(identity.name, identity.groups, identity.uid, identity.extra)


async def _in_each(client: Client, resource: Resource, namespaces: Sequence[str], labels: str) -> Objects:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(namespace: str) -> Objects:
        async with slots:
            try:
                return (await client.list(resource, namespace, label_selector=labels)).items
            except Forbidden:  # Kubernetes decides, and may know of a change before the policy does
                return []

    return [obj for found in await asyncio.gather(*map(one, namespaces)) for obj in found]


def _asked(request: Request) -> tuple[Resource, str | None]:
    """The resource and the namespace of the URL. Raises Missing for what no URL of this shape can mean."""
    plural, namespace = request.path_params["resources"], request.path_params.get("namespace")
    resource = RESOURCES.get(plural)
    if resource is None or (namespace is not None and not resource.namespaced):
        raise Missing("there is no such path")
    if "name" in request.path_params and resource.namespaced and namespace is None:
        raise Missing(f"{plural} lie in namespaces: ask for {BASE}/namespaces/<namespace>/{plural}/<name>")
    return resource, namespace
