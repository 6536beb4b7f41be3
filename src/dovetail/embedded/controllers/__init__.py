"""The controllers without which a Kubernetes API is not a cluster. Plain clients: they run against any API server.

    namespaces       empties a namespace that is being deleted, then lets it go
    accounts         the ServiceAccount `default` in every namespace
    root_ca          the ConfigMap `kube-root-ca.crt` in every namespace
    garbage          deletes what its owners left behind: background, foreground, orphan

Workload controllers (Deployments and so on) will be further modules here, put together in `serving` like these. The
room imports `dovetail.kube` only.
"""

from dovetail.embedded.controllers.serving import serve

__all__ = ["serve"]
