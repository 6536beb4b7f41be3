"""APIServices: which group and version another server serves. Validation as kube-aggregator's.

Refused beyond that: a Service for a group and version that this server serves itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..aggregation.backends import decoded
from ..fielderrors import FieldError
from ..foreign import part
from .names import dns_1035_label, dns_subdomain
from .strategy import Context, Strategy

Object = dict[str, Any]


class ApiServiceStrategy(Strategy):
    def prepare(self, context: Context, obj: Object, old: Object | None) -> None:
        service = part(obj, "spec", "service")
        if service and not service.get("port"):
            service["port"] = 443

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        spec = part(obj, "spec")
        return [*_name_errors(obj, spec), *_priority_errors(spec), *_service_errors(context, spec)]


def _name_errors(obj: Object, spec: Object) -> Iterator[FieldError]:
    group, version = str(spec.get("group") or ""), str(spec.get("version") or "")
    wanted, found = f"{version}.{group}", str(obj["metadata"].get("name") or "")
    if found != wanted:
        yield fe.invalid("metadata.name", found, f'must be `spec.version+"."+spec.group`: "{wanted}"')
    if not group and version != "v1":
        yield fe.required("spec.group", "only v1 may have an empty group and it better be legacy kube")
    for problem in dns_subdomain(group) if group else ():
        yield fe.invalid("spec.group", group, problem)
    for problem in dns_1035_label(version):
        yield fe.invalid("spec.version", version, problem)


def _priority_errors(spec: Object) -> Iterator[FieldError]:
    for name, limit in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
        value = spec.get(name) or 0
        if not 0 < value <= limit:
            yield fe.invalid(f"spec.{name}", value, f"must be positive and less than {limit}")


def _service_errors(context: Context, spec: Object) -> Iterator[FieldError]:
    service, bundle, insecure = (
        part(spec, "service"),
        str(spec.get("caBundle") or ""),
        spec.get("insecureSkipTLSVerify"),
    )
    if not service:
        if bundle:
            size = f"{len(decoded(bundle))} bytes"
            yield fe.invalid("spec.caBundle", size, "local APIServices may not have a caBundle")
        if insecure:
            yield fe.invalid("spec.insecureSkipTLSVerify", True, "local APIServices may not have insecureSkipTLSVerify")
        return
    for name in ("namespace", "name"):
        if not service.get(name):
            yield fe.required(f"spec.service.{name}")
    if not 0 < (service.get("port") or 0) < 65536:
        yield fe.invalid("spec.service.port", service.get("port") or 0, "must be between 1 and 65535, inclusive")
    if insecure and bundle:
        yield fe.invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present")
    served = context.api.catalogue.of(str(spec.get("group") or ""), str(spec.get("version") or ""))
    if any(not resource.remote for resource in served):
        yield fe.forbidden("spec.service", "this group and version are served by this server itself")
