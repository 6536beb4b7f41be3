"""The controllers without which a Kubernetes API is not a cluster. Plain clients: they run against any API server.

    namespaces       empties a namespace that is being deleted, then lets it go
    accounts         the ServiceAccount `default` in every namespace
    root_ca          the ConfigMap `kube-root-ca.crt` in every namespace
    aggregation      writes the rules of aggregated ClusterRoles
    mirroring        EndpointSlices of hand-made Endpoints
    token_secrets    fills Secrets that hold a token of a service account
    signer           certificates for approved CertificateSigningRequests
    certificate_approval   approves what kubelets ask for; takes old requests away
    quotas           puts a ResourceQuota into force
    storage_protection   lets volumes and claims go when nothing uses them
    garbage          deletes what its owners left behind: background, foreground, orphan

Workload controllers (Deployments and so on) will be further modules here, put together in `serving` like these. The
room imports `dovetail.kube` only.
"""

from dovetail.embedded.controllers.serving import serve
from dovetail.embedded.controllers.signing_keys import SigningKeys

__all__ = ["SigningKeys", "serve"]
