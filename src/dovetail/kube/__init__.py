"""kube: talking to any Kubernetes API. Knows nothing of the platform.

From the wire up: `config` (which cluster, as whom), `transport` (HTTP; the only module that knows aiohttp), `client`
(verbs), `informer` + `lister` (a cache in step with the API), `workqueue` + `controller` + `runtime`
(controller-runtime's shape in asyncio), `leases`, `events`, `conditions`, `status`. Errors are one tree in `errors`.

    async with Client(ClusterConfig.load()) as client:
        runtime = ControllerRuntime(client)
        configmaps = runtime.informer(CONFIGMAPS, namespace="default")

        async def reconcile(key: Key) -> RequeueAfter | None:
            configmap = configmaps.lister.by_key(key)
            ...

        controller = Controller("example", reconcile)
        controller.watches(configmaps)
        runtime.add(controller)
        await runtime.run(on_ready=lambda: print("ready"))

Why the transport is aiohttp and the informers are ours: docs/notes/kubernetes-client.md.
"""

from dovetail.kube.backoff import Backoff, BackoffPolicy
from dovetail.kube.client import Client, ObjectList
from dovetail.kube.conditions import find_condition, is_true, remove_condition, set_condition
from dovetail.kube.config import ClusterConfig, ExecPlugin
from dovetail.kube.controller import Controller, own_key, owner_key
from dovetail.kube.discovery import ServedResource, preferred_resources
from dovetail.kube.errors import (
    AlreadyExists,
    ApiError,
    BadRequest,
    ConfigError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    InvalidPath,
    KubeError,
    LeadershipLost,
    NotFound,
    NotSynced,
    RequestTimeout,
    ServerError,
    TooManyRequests,
    Unauthorized,
    UnknownKind,
    Unreachable,
    UnreadableAnswer,
    WatchBroken,
)
from dovetail.kube.events import EventRecorder
from dovetail.kube.informer import Handler, Informer, without_managed_fields
from dovetail.kube.leases import LeaderElector, LeaseSettings
from dovetail.kube.lister import Change, Indexer, Lister
from dovetail.kube.objects import (
    Key,
    RequeueAfter,
    annotations_of,
    controller_of,
    finalizers_of,
    is_deleting,
    key_of,
    labels_of,
    metadata,
    owner_reference,
    owners_of,
    resource_version_of,
    uid_of,
)
from dovetail.kube.options import Propagation
from dovetail.kube.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CONFIGMAPS,
    CRDS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTS,
    ENDPOINTSLICES,
    EVENTS,
    INGRESSES,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENTVOLUMECLAIMS,
    PODS,
    REPLICASETS,
    ROLEBINDINGS,
    ROLES,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    Object,
    Resource,
    ResourceLike,
    api_version_of,
    path_of,
)
from dovetail.kube.runtime import ControllerRuntime
from dovetail.kube.selectors import Selector, format_selector, matches
from dovetail.kube.status import status_body
from dovetail.kube.timestamps import now, parse_rfc3339, rfc3339, rfc3339_micro
from dovetail.kube.transport import Response, Stream
from dovetail.kube.watching import WatchEvent
from dovetail.kube.workqueue import WorkQueue

__all__ = [
    "CLUSTERROLEBINDINGS",
    "CLUSTERROLES",
    "CONFIGMAPS",
    "CRDS",
    "CRONJOBS",
    "DAEMONSETS",
    "DEPLOYMENTS",
    "ENDPOINTS",
    "ENDPOINTSLICES",
    "EVENTS",
    "INGRESSES",
    "JOBS",
    "LEASES",
    "NAMESPACES",
    "NODES",
    "PERSISTENTVOLUMECLAIMS",
    "PODS",
    "REPLICASETS",
    "ROLEBINDINGS",
    "ROLES",
    "SECRETS",
    "SERVICEACCOUNTS",
    "SERVICES",
    "STATEFULSETS",
    "AlreadyExists",
    "ApiError",
    "Backoff",
    "BackoffPolicy",
    "BadRequest",
    "Change",
    "Client",
    "ClusterConfig",
    "ConfigError",
    "Conflict",
    "Controller",
    "ControllerRuntime",
    "EventRecorder",
    "ExecPlugin",
    "Forbidden",
    "Gone",
    "Handler",
    "Indexer",
    "Informer",
    "Invalid",
    "InvalidPath",
    "Key",
    "KubeError",
    "LeaderElector",
    "LeadershipLost",
    "LeaseSettings",
    "Lister",
    "NotFound",
    "NotSynced",
    "Object",
    "ObjectList",
    "Propagation",
    "RequestTimeout",
    "RequeueAfter",
    "Resource",
    "ResourceLike",
    "Response",
    "Selector",
    "ServedResource",
    "ServerError",
    "Stream",
    "TooManyRequests",
    "Unauthorized",
    "UnknownKind",
    "Unreachable",
    "UnreadableAnswer",
    "WatchBroken",
    "WatchEvent",
    "WorkQueue",
    "annotations_of",
    "api_version_of",
    "controller_of",
    "finalizers_of",
    "find_condition",
    "format_selector",
    "is_deleting",
    "is_true",
    "key_of",
    "labels_of",
    "matches",
    "metadata",
    "now",
    "own_key",
    "owner_key",
    "owner_reference",
    "owners_of",
    "parse_rfc3339",
    "path_of",
    "preferred_resources",
    "remove_condition",
    "resource_version_of",
    "rfc3339",
    "rfc3339_micro",
    "set_condition",
    "status_body",
    "uid_of",
    "without_managed_fields",
]
