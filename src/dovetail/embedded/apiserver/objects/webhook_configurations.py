"""Mutating- and ValidatingWebhookConfigurations: what may be configured. Their defaults are in ``defaulting``.

Source of the rules: the reference of admissionregistration.k8s.io/v1, "Dynamic Admission Control". A match condition
that was stored already is not compiled again, so that an upgrade cannot make an object unchangeable.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .. import fielderrors as fe
from ..fielderrors import FieldError
from ..foreign import part, parts
from . import metadata, names
from .strategy import Context, Strategy

Object = dict[str, Any]

_OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"]
_SCOPES = ["*", "Cluster", "Namespaced"]
_REVIEWS = ("v1", "v1beta1")
_CONDITIONS = 64
_FORM = "; desired format: https://host[/path]"
_CHOICES = {
    "failurePolicy": ["Fail", "Ignore"],
    "matchPolicy": ["Equivalent", "Exact"],
    "reinvocationPolicy": ["IfNeeded", "Never"],
}
_EFFECTS = ["None", "NoneOnDryRun"]


class WebhookConfigurationStrategy(Strategy):
    """Of either kind."""

    def validate(self, context: Context, obj: Object, old: Object | None) -> list[FieldError]:
        known = {c.get("expression") for hook in parts(old or {}, "webhooks") for c in parts(hook, "matchConditions")}
        errors: list[FieldError] = []
        seen: set[str] = set()
        for index, hook in enumerate(parts(obj, "webhooks")):
            field = f"webhooks[{index}]"
            errors += _hook_errors(hook, field, known)
            errors += _review_errors(parts(hook, "admissionReviewVersions"), f"{field}.admissionReviewVersions")
            name = str(hook.get("name") or "")
            if name and name in seen:
                errors.append(fe.duplicate(f"{field}.name", name))
            seen.add(name)
        return errors


def _hook_errors(hook: Object, field: str, known: set[Any]) -> Iterator[FieldError]:
    yield from _name_errors(str(hook.get("name") or ""), f"{field}.name")
    for index, rule in enumerate(parts(hook, "rules")):
        yield from _rule_errors(rule, f"{field}.rules[{index}]")
    for name, choices in _CHOICES.items():
        if hook.get(name) is not None and hook[name] not in choices:
            yield fe.not_supported(f"{field}.{name}", hook[name], choices)
    effects = hook.get("sideEffects")
    if effects is None:
        yield fe.required(f"{field}.sideEffects", f"must specify one of {', '.join(_EFFECTS)}")
    elif effects not in _EFFECTS:
        yield fe.not_supported(f"{field}.sideEffects", effects, _EFFECTS)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        yield fe.invalid(f"{field}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
    for name in ("namespaceSelector", "objectSelector"):
        yield from metadata.validate_selector(part(hook, name), f"{field}.{name}")
    yield from _client_errors(part(hook, "clientConfig"), f"{field}.clientConfig")
    yield from _condition_errors(parts(hook, "matchConditions"), f"{field}.matchConditions", known)


def _name_errors(name: str, field: str) -> Iterator[FieldError]:
    if not name:
        yield fe.required(field)
        return
    problems = names.dns_subdomain(name)
    yield from (fe.invalid(field, name, problem) for problem in problems)
    if not problems and len(name.split(".")) < 3:
        yield fe.invalid(field, name, "should be a domain with at least three segments separated by dots")


# -- rules


def _rule_errors(rule: Object, field: str) -> Iterator[FieldError]:
    operations = parts(rule, "operations")
    if not operations:
        yield fe.required(f"{field}.operations")
    if len(operations) > 1 and "*" in operations:
        yield fe.invalid(f"{field}.operations", operations, "if '*' is present, must not specify other operations")
    for index, operation in enumerate(operations):
        if operation not in _OPERATIONS:
            yield fe.not_supported(f"{field}.operations[{index}]", operation, _OPERATIONS)
    for name, what in (("apiGroups", "API groups"), ("apiVersions", "API versions")):
        values = parts(rule, name)
        if not values:
            yield fe.required(f"{field}.{name}")
        if len(values) > 1 and "*" in values:
            yield fe.invalid(f"{field}.{name}", values, f"if '*' is present, must not specify other {what}")
    for index, version in enumerate(parts(rule, "apiVersions")):
        if not version:
            yield fe.required(f"{field}.apiVersions[{index}]")
    yield from _resource_errors([str(r) for r in parts(rule, "resources")], f"{field}.resources")
    if rule.get("scope") is not None and rule["scope"] not in _SCOPES:
        yield fe.not_supported(f"{field}.scope", rule["scope"], _SCOPES)


def _resource_errors(resources: list[str], field: str) -> Iterator[FieldError]:
    if not resources:
        yield fe.required(field)
    all_below: set[str] = set()
    everywhere: set[str] = set()
    for index, text in enumerate(resources):
        if not text:
            yield fe.required(f"{field}[{index}]")
            continue
        resource, slash, below = text.partition("/")
        if not slash:
            continue
        if resource in all_below:
            text_of = f"if '{resource}/*' is present, must not specify {text}"
            yield fe.invalid(f"{field}[{index}]", text, text_of)
        if below in everywhere:
            yield fe.invalid(f"{field}[{index}]", text, f"if '*/{below}' is present, must not specify {text}")
        if below == "*":
            all_below.add(resource)
        if resource == "*":
            everywhere.add(below)
    if len(resources) > 1 and "*/*" in resources:
        yield fe.invalid(field, resources, "if '*/*' is present, must not specify other resources")
    if "*" in resources and any("/" not in text and text != "*" for text in resources):
        why = "if '*' is present, must not specify other resources without subresources"
        yield fe.invalid(field, resources, why)


# -- where it is


def _client_errors(config: Object, field: str) -> Iterator[FieldError]:
    url, service = config.get("url"), config.get("service")
    if (url is None) == (service is None):
        yield fe.required(field, "exactly one of url or service is required")
    elif url is not None:
        yield from _url_errors(str(url), f"{field}.url")
    else:
        yield from _service_errors(part(config, "service"), f"{field}.service")


def _url_errors(url: str, field: str) -> Iterator[FieldError]:
    try:
        found = urlsplit(url)
        user = found.username
    except ValueError as error:
        yield fe.required(field, f"url must be a valid URL: {error}{_FORM}")
        return
    if found.scheme != "https":
        yield fe.invalid(field, found.scheme, f"'https' is the only allowed URL scheme{_FORM}")
    if not found.netloc:
        yield fe.invalid(field, "", f"host must be specified{_FORM}")
    if user is not None:
        yield fe.invalid(field, found.netloc.rpartition("@")[0], "user information is not permitted in the URL")
    if found.fragment:
        yield fe.invalid(field, found.fragment, "fragments are not permitted in the URL")
    if found.query:
        yield fe.invalid(field, found.query, "query parameters are not permitted in the URL")


def _service_errors(service: Object, field: str) -> Iterator[FieldError]:
    for name in ("name", "namespace"):
        if not service.get(name):
            yield fe.required(f"{field}.{name}", f"service {name} is required")
    port = service.get("port", 443)
    if not 1 <= port <= 65535:
        yield fe.invalid(f"{field}.port", port, "port is not valid: must be between 1 and 65535, inclusive")
    path = service.get("path")
    if path is None or path == "/":
        return
    if not path.startswith("/"):
        yield fe.invalid(f"{field}.path", path, "must start with a '/'")
    segments = path.removeprefix("/").removesuffix("/").split("/")
    for index, segment in enumerate(segments):
        if not segment:
            yield fe.invalid(f"{field}.path", path, f"segment[{index}] may not be empty")
        else:
            problems = names.dns_subdomain(segment)
            yield from (fe.invalid(f"{field}.path", path, f"segment[{index}]: {problem}") for problem in problems)


# -- versions and conditions


def _review_errors(versions: list[Any], field: str) -> Iterator[FieldError]:
    if not versions:
        yield fe.required(field, f"must specify one of {', '.join(_REVIEWS)}")
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            yield fe.invalid(f"{field}[{index}]", version, "duplicate version")
            continue
        yield from (fe.invalid(f"{field}[{index}]", version, text) for text in names.dns_1035_label(version))
    if not any(version in _REVIEWS for version in versions):
        yield fe.invalid(field, versions, f"must include at least one of {', '.join(_REVIEWS)}")


def _condition_errors(conditions: list[Any], field: str, known: set[Any]) -> Iterator[FieldError]:
    if len(conditions) > _CONDITIONS:
        yield fe.too_many(field, len(conditions), _CONDITIONS)
        return
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        where, expression = f"{field}[{index}]", str(condition.get("expression") or "")
        if not expression.strip():
            yield fe.required(f"{where}.expression")
        elif expression not in known and (problem := _expression_problem(expression)):
            yield fe.invalid(f"{where}.expression", expression, problem)
        name = str(condition.get("name") or "")
        if not name:
            yield fe.required(f"{where}.name")
            continue
        yield from (fe.invalid(f"{where}.name", name, problem) for problem in names.qualified(name))
        if name in seen:
            yield fe.duplicate(f"{where}.name", name)
        seen.add(name)


def _expression_problem(expression: str) -> str:
    from ..cel import CelCompileError, program

    try:
        compiled = program(expression, ("object", "oldObject", "request", "authorizer"))
    except CelCompileError as error:
        return str(error)
    return "" if compiled.result.name in ("bool", "dyn") else "must evaluate to bool"
