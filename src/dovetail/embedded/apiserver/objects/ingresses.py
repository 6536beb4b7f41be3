"""Ingresses and ingress classes. Pure. Source: Kubernetes ``pkg/apis/networking/validation``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import names

Object = dict[str, Any]

_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_NOT_IN_PATHS, _NOT_AT_THE_END = ("//", "/./", "/../", "%2f", "%2F"), ("/..", "/.")


def ingress_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    spec = part(obj, "spec")
    annotation = part(obj, "metadata", "annotations").get(_CLASS_ANNOTATION)
    if old is None and annotation is not None and "ingressClassName" in spec:
        text = "can not be set when the class field is also set"
        yield fe.invalid(f"annotations.{_CLASS_ANNOTATION}", annotation, text)
    backend, rules = spec.get("defaultBackend"), parts(spec, "rules")
    if backend is None and not rules:
        yield fe.invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
    if backend is not None:
        yield from _backend_errors(backend, "spec.defaultBackend")
    for index, rule in enumerate(rules):
        yield from _rule_errors(rule, f"spec.rules[{index}]")
    for index, tls in enumerate(parts(spec, "tls")):
        field = f"spec.tls[{index}]"
        for place, host in enumerate(parts(tls, "hosts")):
            problems = names.wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)
            yield from fe.every(f"{field}.hosts[{place}]", host, problems)
        secret = tls.get("secretName")
        if secret:
            yield from fe.every(f"{field}.secretName", secret, names.dns_subdomain(secret))
    if "ingressClassName" in spec:
        name = spec["ingressClassName"]
        yield from fe.every("spec.ingressClassName", name, names.dns_subdomain(name))


def _rule_errors(rule: Object, field: str) -> Iterator[FieldError]:
    host = rule.get("host", "")
    if host:
        if names.address(host) is not None:
            yield fe.invalid(f"{field}.host", host, "must be a DNS name, not an IP address")
        problems = names.wildcard_subdomain(host) if "*" in host else names.dns_subdomain(host)
        yield from fe.every(f"{field}.host", host, problems)
    if "http" not in rule:
        return
    paths = parts(rule, "http", "paths")
    if not paths:
        yield fe.required(f"{field}.http.paths")
    for index, path in enumerate(paths):
        yield from _path_errors(path, f"{field}.http.paths[{index}]")


def _path_errors(path: Object, field: str) -> Iterator[FieldError]:
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        yield fe.required(f"{field}.pathType", "pathType must be specified")
        return
    if kind not in _PATH_TYPES:
        yield fe.not_supported(f"{field}.pathType", kind, _PATH_TYPES)
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        yield fe.invalid(f"{field}.path", text, "must be an absolute path")
    if kind in ("Exact", "Prefix"):
        for piece in _NOT_IN_PATHS:
            if piece in text:
                yield fe.invalid(f"{field}.path", text, f"must not contain '{piece}'")
        for piece in _NOT_AT_THE_END:
            if text.endswith(piece):
                yield fe.invalid(f"{field}.path", text, f"cannot end with '{piece}'")
    yield from _backend_errors(part(path, "backend"), f"{field}.backend")


def _backend_errors(backend: Object, field: str) -> Iterator[FieldError]:
    if "resource" in backend and "service" in backend:
        yield fe.invalid(field, "", "cannot set both resource and service backends")
    elif "resource" in backend:
        resource = part(backend, "resource")
        for name in ("kind", "name"):
            if not resource.get(name):
                yield fe.required(f"{field}.resource.{name}")
    elif "service" in backend:
        yield from _service_errors(part(backend, "service"), field)
    else:
        yield fe.invalid(field, "", "resource or service backend is required")


def _service_errors(service: Object, field: str) -> Iterator[FieldError]:
    name, port = service.get("name", ""), part(service, "port")
    if not name:
        yield fe.required(f"{field}.service.name")
    else:
        yield from fe.every(f"{field}.service.name", name, names.dns_1035_label(name))
    if port.get("name") and port.get("number"):
        yield fe.invalid(field, "", "cannot set both port name & port number")
    elif port.get("name"):
        yield from fe.every(f"{field}.service.port.name", port["name"], names.port_name(port["name"]))
    elif port.get("number"):
        yield from fe.every(f"{field}.service.port.number", port["number"], names.port_number(port["number"]))
    else:
        yield fe.required(field, "port name or number is required")


def class_errors(obj: Object, old: Object | None) -> Iterator[FieldError]:
    controller, field = str(part(obj, "spec").get("controller", "")), "spec.controller"
    if len(controller) > 250:
        yield fe.too_long(field, 250)
    domain, slash, path = controller.partition("/")
    if not controller:
        yield fe.required(field)
    elif not slash or not domain or not path:
        yield fe.invalid(field, controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        yield from fe.every(field, domain, names.dns_subdomain(domain))
    yield from _parameter_errors(part(obj, "spec").get("parameters"))
    if old is not None and controller != part(old, "spec").get("controller"):
        yield fe.invalid(field, controller, "field is immutable")


def _parameter_errors(parameters: Object | None) -> Iterator[FieldError]:
    if parameters is None:
        return
    field, scope = "spec.parameters", parameters.get("scope")
    for name in ("kind", "name"):
        if not parameters.get(name):
            yield fe.required(f"{field}.{name}")
    if scope not in ("Cluster", "Namespace"):
        yield fe.not_supported(f"{field}.scope", scope, ("Cluster", "Namespace"))
    if scope == "Namespace" and not parameters.get("namespace"):
        yield fe.required(f"{field}.namespace", "`parameters.scope` is set to 'Namespace'")
    if scope == "Cluster" and parameters.get("namespace"):
        yield fe.forbidden(f"{field}.namespace", "`parameters.scope` is set to 'Cluster'")
