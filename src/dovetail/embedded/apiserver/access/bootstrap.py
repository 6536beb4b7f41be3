"""What every cluster has from the start: system namespaces, the default policy, the ``kubernetes`` service.

At every start the stored policy is reconciled with the default one, as kube-apiserver does: missing objects are
written, missing rules, selectors and subjects are added, and what an administrator added stays. An object whose
annotation ``rbac.authorization.kubernetes.io/autoupdate`` is "false" is left alone. What the components with
certificates of their own may do is not said here: whoever starts the server hands in their roles
(``ApiServerSettings.objects``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from ..foreign import part, parts
from ..objects.priority_classes import system_priority_classes
from ..storage.records import ObjectKey, Record
from . import policy
from .escalation import uncovered
from .identity import MASTERS, User
from .rules import Rule

if TYPE_CHECKING:
    from ..verbs.call import Api, Call

Object = dict[str, Any]

MANAGER = "kube-apiserver"
SYSTEM = User("system:apiserver", (MASTERS,))
NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


def bootstrap(api: Api, ca_pem: bytes, front_proxy_pem: bytes, further: Iterable[Object] = ()) -> None:
    """Write what is missing of the objects that every cluster has, and of further ones, in one transaction."""
    writer = _Writer(api)
    for namespace in NAMESPACES:
        writer.ensure({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    for role in (*policy.cluster_roles(), *policy.roles()):
        writer.reconcile(role, _completed_role)
    for binding in (*policy.cluster_role_bindings(), *policy.role_bindings()):
        writer.reconcile(binding, _completed_binding)
    writer.reconcile(authentication_facts(ca_pem, front_proxy_pem), _completed_facts)
    for obj in (token_tracking(api), *system_priority_classes(), *further):
        writer.ensure(obj)
    api.store.flush()


def publish_service(api: Api, address: str, port: int) -> None:
    _Writer(api).ensure(service(address, port))
    api.store.flush()


def service(address: str, port: int) -> Object:
    """The ``kubernetes`` service through which workloads find the API."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"clusterIP": address, "type": "ClusterIP", "sessionAffinity": "None", "ports": ports},
    }  # fmt: skip


def authentication_facts(ca_pem: bytes, front_proxy_pem: bytes) -> Object:
    """By this an aggregated API server knows the client certificates of the cluster, and ours when we speak for
    a user.
    """
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "extension-apiserver-authentication", "namespace": "kube-system"},
        "data": {
            "client-ca-file": ca_pem.decode(),
            "requestheader-allowed-names": '["front-proxy-client"]',
            "requestheader-client-ca-file": front_proxy_pem.decode(),
            "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
            "requestheader-group-headers": '["X-Remote-Group"]',
            "requestheader-uid-headers": '["X-Remote-Uid"]',
            "requestheader-username-headers": '["X-Remote-User"]',
        },
    }  # fmt: skip


def token_tracking(api: Api) -> Object:
    """Since when it is watched whether token Secrets are used."""
    name = "kube-apiserver-legacy-service-account-token-tracking"
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "kube-system"},
        "data": {"since": api.now()[:10]},
    }  # fmt: skip


# -- what is there, completed


def _completed_facts(found: Object, wanted: Object) -> Object | None:
    """Certificates that were replaced on disk replace those that are told."""
    return None if found.get("data") == wanted["data"] else {**found, "data": wanted["data"]}


def _completed_role(found: Object, wanted: Object) -> Object | None:
    """The stored role with what it lacks, or None when it lacks nothing."""
    completed = _completed_meta(found, wanted)
    selectors = parts(found, "aggregationRule", "clusterRoleSelectors")
    lacking = [s for s in parts(wanted, "aggregationRule", "clusterRoleSelectors") if s not in selectors]
    if lacking:
        completed["aggregationRule"] = {"clusterRoleSelectors": [*selectors, *lacking]}
    if "aggregationRule" not in wanted:  # the rules of the others are written by the aggregation controller
        present = [Rule.read(rule) for rule in parts(found, "rules")]
        missing = [_wire(rule) for rule in uncovered(present, [Rule.read(rule) for rule in wanted["rules"]])]
        if missing:
            completed["rules"] = [*parts(found, "rules"), *missing]
    return None if completed == found else completed


def _completed_binding(found: Object, wanted: Object) -> Object | None:
    """As for roles; raises _Replaced for a binding of another role: that cannot be changed, only made anew."""
    if found.get("roleRef") != wanted["roleRef"]:
        raise _Replaced
    completed = _completed_meta(found, wanted)
    subjects = parts(found, "subjects")
    lacking = [subject for subject in wanted.get("subjects", ()) if subject not in subjects]
    if lacking:
        completed["subjects"] = [*subjects, *lacking]
    return None if completed == found else completed


class _Replaced(Exception):
    pass


def _completed_meta(found: Object, wanted: Object) -> Object:
    meta, defaults = part(found, "metadata"), part(wanted, "metadata")
    merged = {name: {**part(defaults, name), **part(meta, name)} for name in ("labels", "annotations")}
    return {**found, "metadata": {**meta, **merged}}


def _wire(rule: Rule) -> Object:
    fields = (
        ("verbs", rule.verbs), ("apiGroups", rule.groups), ("resources", rule.resources),
        ("resourceNames", rule.names), ("nonResourceURLs", rule.paths),
    )  # fmt: skip
    return {name: list(values) for name, values in fields if values}


# -- writing


@dataclass(frozen=True, slots=True)
class _Writer:
    api: Api

    def ensure(self, obj: Object) -> None:
        """Write an object if there is none of its name."""
        call, key = self._place(obj)
        if self.api.store.latest(key) is None:
            self._create(call, obj)

    def reconcile(self, wanted: Object, completed: Any) -> None:
        call, key = self._place(wanted)
        record = self.api.store.latest(key)
        if record is None:
            return self._create(call, wanted)
        found = call.resource.decode(record.value)
        if part(found, "metadata", "annotations").get(policy.AUTOUPDATE) == "false":
            return None
        try:
            changed = completed(found, wanted)
        except _Replaced:
            self._remove(call, key, record)
            return self._create(call, wanted)
        if changed is not None:
            self._replace(call, record, changed)
        return None

    def _place(self, obj: Object) -> tuple[Call, ObjectKey]:
        from ..requests import Query, RequestInfo
        from ..verbs.call import Call

        group, _, version = str(obj["apiVersion"]).rpartition("/")
        resource = self.api.catalogue.by_kind(group, version, str(obj["kind"]))
        assert resource is not None, obj
        meta = part(obj, "metadata")
        namespace, name = str(meta.get("namespace", "")), str(meta["name"])
        info = RequestInfo("create", "", True, group, version, namespace, resource.plural)
        return Call(self.api, info, resource, SYSTEM, Query(b"")), ObjectKey(resource.store, namespace, name)

    def _create(self, call: Call, obj: Object) -> None:
        from ..verbs.call import WriteOptions
        from ..verbs.decoding import shape
        from ..verbs.storing import create

        options = WriteOptions(False, MANAGER, "Strict", False)
        create(call, shape(call, orjson.loads(orjson.dumps(obj)), options), options)

    def _replace(self, call: Call, record: Record, obj: Object) -> None:
        from ..verbs.call import WriteOptions
        from ..verbs.storing import replace as update

        call.info = replace(call.info, verb="update", name=record.name)
        update(call, record, obj, WriteOptions(False, MANAGER, "Strict", False))

    def _remove(self, call: Call, key: ObjectKey, record: Record) -> None:
        from ..verbs.call import WriteOptions
        from ..verbs.storing import remove

        remove(call, key, record, call.resource.decode(record.value), WriteOptions(False, MANAGER, "Strict", False))
