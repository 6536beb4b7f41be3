"""A Kubernetes-compatible API over SQLite: storage, kinds, watches, access, custom resources.

``serve(ApiServerSettings(data_dir, host, port), on_ready)`` runs it until cancelled. The rooms inside, from the bottom:

``storage``    versions of objects, group commit, watch rings, history
``schema``     the shapes of objects: Kubernetes' own kinds and structural schemas of custom resources
``registry``   which kinds are served
``patching``, ``apply``, ``selecting``, ``output``   pure: patches, server-side apply, selectors, tables
``objects``    the rules of single kinds
``access``     authentication, RBAC, service account tokens
``verbs``      get, list, watch, create, update, patch, delete
``discovery``  what clients ask before they ask for objects
``app``, ``transport``, ``server``   HTTP, TLS, composition

It imports no other room of Dovetail: a real kube-apiserver can take its place. Bodies may be JSON, YAML or, for
built-in kinds, protobuf; answers are JSON or YAML. Refused with the Status that clients understand: protobuf answers,
and conversion webhooks where they would be called. Stored but without effect yet: CEL rules of custom resources,
admission webhooks, APIServices, quotas and limit ranges, certificate requests. Pod subresources (log, exec, ...) are
not served before there is a node.
"""

from .errors import AddressInUse, ApiServerError, StartError, StateDamaged, StateLocked, StateUnusable
from .server import serve
from .settings import ApiServerSettings

__all__ = [
    "AddressInUse",
    "ApiServerError",
    "ApiServerSettings",
    "StartError",
    "StateDamaged",
    "StateLocked",
    "StateUnusable",
    "serve",
]
