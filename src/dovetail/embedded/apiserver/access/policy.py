"""The roles and bindings that every cluster has: Kubernetes' default RBAC policy (1.36, default feature gates).

Model. The policy is kept as dense text and read when it is needed. A line without indentation opens a role: its name,
then the labels ``aggregate-to-X`` as ``>X``, or ``<X`` for a role that takes over what is labelled for X. An indented
line is a rule: verbs, group, resources, and after ``=`` the names it is limited to. ``read``, ``write`` and ``all``
stand for the usual verbs, ``core`` for the group "", ``url`` for paths that are not resources, ``events`` alone for
the rule by which components record events. Lists are sorted, as Kubernetes' own policy is.

Source: the documentation, "Default roles and role bindings"; the order of the rules is kube-apiserver's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .policy_controllers import CONTROLLERS

Object = dict[str, Any]

API_VERSION, GROUP = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_LABEL, _AGGREGATE = "kubernetes.io/bootstrapping", f"{GROUP}/aggregate-to-"
_VERBS = {
    "read": ("get", "list", "watch"),
    "write": ("create", "delete", "deletecollection", "patch", "update"),
    "all": ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
}
_EVENTS = "create,patch,update core,events.k8s.io events"

_ROLES = """
cluster-admin
 * * *
 * url *
system:discovery
 get url /livez /readyz /healthz /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*
system:monitoring
 get url /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*
system:basic-user
 create authorization.k8s.io selfsubjectaccessreviews selfsubjectrulesreviews
 create authentication.k8s.io selfsubjectreviews
system:public-info-viewer
 get url /livez /readyz /healthz /version /version/
admin <admin
edit >admin <edit
view >edit <view
system:aggregate-to-admin >admin
 create authorization.k8s.io localsubjectaccessreviews
 all rbac.authorization.k8s.io roles rolebindings
system:aggregate-to-edit >edit
 read core pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy
 impersonate core serviceaccounts
 write core pods pods/attach pods/proxy pods/exec pods/portforward
 create core pods/eviction
 write core replicationcontrollers replicationcontrollers/scale serviceaccounts services services/proxy \
persistentvolumeclaims configmaps secrets events
 create core serviceaccounts/token
 write apps statefulsets statefulsets/scale daemonsets deployments deployments/scale deployments/rollback \
replicasets replicasets/scale
 write autoscaling horizontalpodautoscalers
 write batch jobs cronjobs
 write extensions daemonsets deployments deployments/scale deployments/rollback ingresses replicasets \
replicasets/scale replicationcontrollers/scale networkpolicies
 write policy poddisruptionbudgets
 write networking.k8s.io networkpolicies ingresses
 all coordination.k8s.io leases
 write resource.k8s.io resourceclaims resourceclaimtemplates
system:aggregate-to-view >view
 read core pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status \
endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps
 read core limitranges resourcequotas bindings events pods/status resourcequotas/status namespaces/status \
replicationcontrollers/status pods/log
 read core namespaces
 read discovery.k8s.io endpointslices
 read apps controllerrevisions statefulsets statefulsets/status statefulsets/scale daemonsets daemonsets/status \
deployments deployments/status deployments/scale replicasets replicasets/status replicasets/scale
 read autoscaling horizontalpodautoscalers horizontalpodautoscalers/status
 read batch jobs cronjobs cronjobs/status jobs/status
 read extensions daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses \
ingresses/status replicasets replicasets/scale replicasets/status replicationcontrollers/scale networkpolicies
 read policy poddisruptionbudgets poddisruptionbudgets/status
 read networking.k8s.io networkpolicies ingresses ingresses/status
 read resource.k8s.io resourceclaims resourceclaims/status resourceclaimtemplates
system:heapster
 read core events pods nodes namespaces
 read extensions deployments
system:node
 create authentication.k8s.io tokenreviews
 create authorization.k8s.io subjectaccessreviews localsubjectaccessreviews
 read core services
 create,get,list,watch core nodes
 update,patch core nodes/status
 update,patch core nodes
 create,update,patch core events
 read core pods
 create,delete core pods
 update,patch core pods/status
 create core pods/eviction
 read core secrets configmaps
 get core persistentvolumeclaims persistentvolumes
 get core endpoints
 create,get,list,watch certificates.k8s.io certificatesigningrequests
 get,create,update,patch,delete coordination.k8s.io leases
 get storage.k8s.io volumeattachments
 create core serviceaccounts/token
 get,update,patch core persistentvolumeclaims/status
 read storage.k8s.io csidrivers
 get,create,update,patch,delete storage.k8s.io csinodes
 read node.k8s.io runtimeclasses
 get resource.k8s.io resourceclaims
 deletecollection resource.k8s.io resourceslices
 get core serviceaccounts
system:node-problem-detector
 get core nodes
 patch core nodes/status
 events
system:kubelet-api-admin
 read core nodes
 proxy core nodes
 * core nodes/proxy nodes/metrics nodes/stats nodes/log
 * core nodes/configz nodes/healthz nodes/pods
system:node-bootstrapper
 create,get,list,watch certificates.k8s.io certificatesigningrequests
system:auth-delegator
 create authentication.k8s.io tokenreviews
 create authorization.k8s.io subjectaccessreviews
system:kube-aggregator
 read core services endpoints
system:kube-controller-manager
 events
 create coordination.k8s.io leases
 get,update coordination.k8s.io leases = kube-controller-manager
 create core secrets serviceaccounts
 delete core secrets
 get core namespaces secrets serviceaccounts configmaps
 update core secrets serviceaccounts
 create authentication.k8s.io tokenreviews
 create authorization.k8s.io subjectaccessreviews
 list,watch * *
 create core serviceaccounts/token
system:kube-dns
 list,watch core endpoints services
system:persistent-volume-provisioner
 get,list,watch,create,delete core persistentvolumes
 get,list,watch,update core persistentvolumeclaims
 read storage.k8s.io storageclasses
 watch core events
 events
system:volume-scheduler
 get,list,watch,update,patch core persistentvolumes
 read storage.k8s.io storageclasses
 get,list,watch,update,patch core persistentvolumeclaims
system:certificates.k8s.io:legacy-unknown-approver
 approve certificates.k8s.io signers = kubernetes.io/legacy-unknown
system:certificates.k8s.io:kubelet-serving-approver
 approve certificates.k8s.io signers = kubernetes.io/kubelet-serving
system:certificates.k8s.io:kube-apiserver-client-approver
 approve certificates.k8s.io signers = kubernetes.io/kube-apiserver-client
system:certificates.k8s.io:kube-apiserver-client-kubelet-approver
 approve certificates.k8s.io signers = kubernetes.io/kube-apiserver-client-kubelet
system:certificates.k8s.io:certificatesigningrequests:nodeclient
 create certificates.k8s.io certificatesigningrequests/nodeclient
system:certificates.k8s.io:certificatesigningrequests:selfnodeclient
 create certificates.k8s.io certificatesigningrequests/selfnodeclient
system:service-account-issuer-discovery
 get url /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/
system:node-proxier
 list,watch core services endpoints
 read core nodes
 events
 list,watch networking.k8s.io servicecidrs
 list,watch discovery.k8s.io endpointslices
system:kube-scheduler
 events
 create coordination.k8s.io leases
 get,list,update,watch coordination.k8s.io leases = kube-scheduler
 all coordination.k8s.io leasecandidates
 read core nodes
 get,list,watch,delete core pods
 create core pods/binding bindings
 patch,update core pods/status
 read core services replicationcontrollers
 read apps,extensions replicasets
 read apps statefulsets
 read policy poddisruptionbudgets
 read core persistentvolumeclaims persistentvolumes
 create authentication.k8s.io tokenreviews
 create authorization.k8s.io subjectaccessreviews
 read storage.k8s.io csinodes
 read storage.k8s.io volumeattachments
 read core namespaces
 read storage.k8s.io csidrivers
 read storage.k8s.io csistoragecapacities
 read resource.k8s.io deviceclasses
 get,list,watch,patch,update resource.k8s.io resourceclaims
 get,list,watch,patch,update resource.k8s.io resourceclaims/status
 get,list,watch,patch,update core pods/finalizers
 read resource.k8s.io resourceslices
 read resource.k8s.io devicetaintrules
"""

# name of the role (and of the binding): its subjects, "g:" groups, "u:" users, "s:" service accounts of kube-system
_BINDINGS = """
cluster-admin g:system:masters
system:monitoring g:system:monitoring
system:discovery g:system:authenticated
system:basic-user g:system:authenticated
system:public-info-viewer g:system:authenticated g:system:unauthenticated
system:node-proxier u:system:kube-proxy
system:kube-controller-manager u:system:kube-controller-manager
system:kube-dns s:kube-dns
system:kube-scheduler u:system:kube-scheduler
system:volume-scheduler u:system:kube-scheduler
system:service-account-issuer-discovery g:system:serviceaccounts
system:node
"""

_NAMESPACE_ROLES = {
    "kube-system": """
extension-apiserver-authentication-reader
 read core configmaps = extension-apiserver-authentication
system:controller:bootstrap-signer
 read core secrets
system:controller:cloud-provider
 create,get,list,watch core configmaps
system:controller:token-cleaner
 get,list,watch,delete core secrets
 events
system::leader-locking-kube-controller-manager
 watch core configmaps
 get,update core configmaps = kube-controller-manager
system::leader-locking-kube-scheduler
 watch core configmaps
 get,update core configmaps = kube-scheduler
""",
    "kube-public": """
system:controller:bootstrap-signer
 read core configmaps
 update core configmaps = cluster-info
 events
""",
}
# as _BINDINGS, but the name of the role may differ from that of the binding: name=role
_NAMESPACE_BINDINGS = {
    "kube-system": """
system::extension-apiserver-authentication-reader=extension-apiserver-authentication-reader \
u:system:kube-controller-manager u:system:kube-scheduler
system::leader-locking-kube-controller-manager u:system:kube-controller-manager s:kube-controller-manager
system::leader-locking-kube-scheduler u:system:kube-scheduler s:kube-scheduler
system:controller:bootstrap-signer s:bootstrap-signer
system:controller:cloud-provider s:cloud-provider
system:controller:token-cleaner s:token-cleaner
""",
    "kube-public": """
system:controller:bootstrap-signer s:bootstrap-signer
""",
}


def cluster_roles() -> list[Object]:
    """Aggregated ones already have the rules that the aggregation controller would give them."""
    roles = list(_roles(_ROLES)) + list(_roles(CONTROLLERS, prefix="system:controller:"))
    return _aggregated(roles)


def cluster_role_bindings() -> Iterator[Object]:
    yield from _bindings(_BINDINGS)
    for line in CONTROLLERS.splitlines():
        if line and line[0] != " ":
            yield _binding(f"system:controller:{line} s:{line}")


def roles() -> Iterator[Object]:
    for namespace, text in _NAMESPACE_ROLES.items():
        yield from _roles(text, namespace)


def role_bindings() -> Iterator[Object]:
    for namespace, text in _NAMESPACE_BINDINGS.items():
        yield from _bindings(text, namespace)


def _roles(text: str, namespace: str = "", prefix: str = "") -> Iterator[Object]:
    role: Object = {}
    for line in text.strip().splitlines():
        if line[0] != " ":
            if role:
                yield role
            role = _head(line.split(), namespace, prefix)
        else:
            role["rules"].append(_rule(_EVENTS if line == " events" else line))
    yield role


def _head(words: list[str], namespace: str, prefix: str) -> Object:
    labels = {_LABEL: "rbac-defaults"} | {f"{_AGGREGATE}{word[1:]}": "true" for word in words[1:] if word[0] == ">"}
    role: Object = {
        "apiVersion": API_VERSION,
        "kind": "Role" if namespace else "ClusterRole",
        "metadata": _meta(prefix + words[0], namespace, labels),
        "rules": [],
    }
    selectors = [{"matchLabels": {f"{_AGGREGATE}{word[1:]}": "true"}} for word in words[1:] if word[0] == "<"]
    if selectors:
        role["aggregationRule"] = {"clusterRoleSelectors": selectors}
    return role


def _meta(name: str, namespace: str, labels: Object) -> Object:
    meta: Object = {"name": name, "labels": labels, "annotations": {AUTOUPDATE: "true"}}
    return {**meta, "namespace": namespace} if namespace else meta


def _rule(line: str) -> Object:
    left, _, names = line.partition(" = ")
    verbs, groups, *resources = left.split()
    rule: Object = {"verbs": sorted(_VERBS.get(verbs) or verbs.split(","))}
    if groups == "url":
        return {**rule, "nonResourceURLs": sorted(resources)}
    rule["apiGroups"] = sorted("" if group == "core" else group for group in groups.split(","))
    rule["resources"] = sorted(resources)
    if names:
        rule["resourceNames"] = sorted(names.split())
    return rule


def _bindings(text: str, namespace: str = "") -> Iterator[Object]:
    return (_binding(line, namespace) for line in text.strip().splitlines())


def _binding(line: str, namespace: str = "") -> Object:
    name, *subjects = line.split()
    name, _, role = name.partition("=")
    kind = "Role" if namespace else "ClusterRole"
    binding: Object = {
        "apiVersion": API_VERSION,
        "kind": f"{kind}Binding",
        "metadata": _meta(name, namespace, {_LABEL: "rbac-defaults"}),
        "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role or name},
    }
    return {**binding, "subjects": [_subject(word) for word in subjects]} if subjects else binding


def _subject(word: str) -> Object:
    kind, _, name = word.partition(":")
    if kind == "s":
        return {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}
    return {"kind": "Group" if kind == "g" else "User", "apiGroup": GROUP, "name": name}


def _aggregated(roles: list[Object]) -> list[Object]:
    """The three levels feed each other, view into edit into admin, so they are filled in that order."""
    by_name = {role["metadata"]["name"]: role for role in roles}
    for name in ("view", "edit", "admin"):
        role, label = by_name[name], f"{_AGGREGATE}{name}"
        sources = sorted(other for other, found in by_name.items() if label in found["metadata"]["labels"])
        role["rules"] = list(_distinct(rule for source in sources for rule in by_name[source]["rules"]))
    return roles


def _distinct(rules: Iterable[Object]) -> Iterator[Object]:
    seen: list[Object] = []
    for rule in rules:
        if rule not in seen:
            seen.append(rule)
            yield rule
