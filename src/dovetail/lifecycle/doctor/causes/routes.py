"""What an extension plugs in: routes whose backend is silent or that another object took, bundles without bytes."""

from collections.abc import Iterator
from shlex import quote
from typing import Final

from dovetail.apis import labels
from dovetail.kube import is_deleting, labels_of
from dovetail.lifecycle.doctor.causes import route_words as told
from dovetail.lifecycle.doctor.commands import again, edit, show
from dovetail.lifecycle.doctor.findings import Cause, Evidence, Finding, Ref, Retry, evidence
from dovetail.lifecycle.doctor.links import BUNDLES, CONSOLE, GATEWAY, HOOK_CONFIGURATIONS, ROUTES, services_of
from dovetail.lifecycle.doctor.picture import Object, Picture, condition_of, items, matches, ref_of, template_labels
from dovetail.lifecycle.objects import mapping, spec_of, status_of

_BACKENDS: Final[dict[str, Cause]] = {
    "ServiceNotFound": told.SERVICE_MISSING,
    "PortNotFound": told.PORT_MISSING,
    "MissingEndpoints": told.NO_ENDPOINTS,
    "ConnectionRefused": told.REFUSES,
    "TLSVerificationFailed": told.CERTIFICATE,
    "TLSHandshakeFailed": told.CERTIFICATE,
    "Timeout": told.SILENT,
    "NoAnswer": told.SILENT,
    "Unreachable": told.SILENT,
    "NameResolutionFailed": told.NAME_UNKNOWN,
    "UnexpectedStatus": told.UNHEALTHY,
}
_ACCEPTED: Final[dict[str, Cause]] = {
    "Conflict": told.CONFLICT, "Shadowed": told.CONFLICT, "Invalid": told.INVALID, "Reserved": told.RESERVED,
}  # fmt: skip
_EXTENSION_KINDS: Final = (*ROUTES, *BUNDLES)


def look(picture: Picture) -> Iterator[Finding]:
    for plural in ROUTES:
        for obj in picture.all(plural):
            if _counts(picture, obj):
                yield from _route(picture, obj)
    for plural in BUNDLES:
        for obj in picture.all(plural):
            if _counts(picture, obj):
                yield from _bundle(obj)
    yield from _wrongly_disabled(picture)
    yield from _unjudged(picture)
    yield from _own_hooks(picture)


def is_enabled(picture: Picture) -> bool:
    plan = picture.plan
    return plan is None or (spec_of(plan).get("enabled", True) is True and status_of(plan).get("enabled") is not False)


def _counts(picture: Picture, obj: Object) -> bool:
    disabled = status_of(obj).get("state") == labels.STATE_DISABLED
    return not disabled and not is_deleting(obj) and (is_enabled(picture) or not picture.extension)


def _route(picture: Picture, obj: Object) -> Iterator[Finding]:
    ref = ref_of(obj)
    accepted, healthy = condition_of(obj, "Accepted"), condition_of(obj, "Healthy")
    if accepted.get("status") == "False":
        why, reason = str(accepted.get("message") or ""), str(accepted.get("reason") or "")
        proof = evidence(f"{ref}, condition Accepted", f"{reason}: {why}")
        yield Finding(_ACCEPTED.get(reason, told.INVALID), ref, (proof,), {"why": why}, commands=(show(ref), edit(ref)))
    if healthy.get("status") == "False":
        yield from _backend(picture, obj, healthy)


def _backend(picture: Picture, obj: Object, healthy: Object) -> Iterator[Finding]:
    ref, reason, why = ref_of(obj), str(healthy.get("reason") or ""), str(healthy.get("message") or "")
    cause = _BACKENDS.get(reason, told.SILENT)
    proof = evidence(f"{ref}, condition Healthy", f"{reason}: {why}")
    service = next(iter(services_of(obj)), None)
    commands: tuple[str, ...] = (show(ref),)
    if service is not None and cause in (told.NO_ENDPOINTS, told.SERVICE_MISSING, told.PORT_MISSING):
        commands = (f"kubectl -n {quote(service.namespace)} get services,endpointslices,pods",)
        if selects := _selects_nothing(picture, service):
            yield Finding(told.SELECTS_NOTHING, service, (proof, selects), {}, (ref,), (edit(service),))
    if reason != "Invalid":  # the condition Accepted says it better
        yield Finding(cause, ref, (proof,), {"why": why}, commands=commands)


def _selects_nothing(picture: Picture, service: Ref) -> Evidence | None:
    """Evidence that a Service's selector fits no workload and no pod."""
    obj = picture.one("services", service.name, service.namespace)
    selector = mapping(spec_of(obj or {}).get("selector"))
    if not selector or not picture.has_read("pods") or not picture.has_read("deployments"):
        return None
    for plural in ("deployments", "statefulsets", "daemonsets"):
        if any(matches(selector, template_labels(each)) for each in picture.all(plural)):
            return None
    if any(matches(selector, labels_of(pod)) for pod in picture.all("pods")):
        return None
    wanted = ",".join(f"{key}={value}" for key, value in selector.items())
    return evidence(service, f"spec.selector {wanted} fits no pod and no workload of the namespace")


def _bundle(obj: Object) -> Iterator[Finding]:
    ref, available = ref_of(obj), condition_of(obj, "Available")
    reason, why = str(available.get("reason") or ""), str(available.get("message") or "")
    proof = evidence(f"{ref}, condition Available", f"{reason}: {why}")
    details, commands = {"why": why}, (show(ref), edit(ref))
    if available.get("status") == "False":
        cause = (
            told.BUNDLE_DIGEST if reason == "DigestMismatch"
            else told.BUNDLE_LINK if reason == "LinkTaken"
            else told.BUNDLE_SOURCE if reason.endswith("NotFound")
            else told.BUNDLE_UNREACHABLE if reason == "FetchFailed"
            else told.BUNDLE_UNUSABLE
        )  # fmt: skip
        yield Finding(cause, ref, (proof,), details, commands=commands)
    elif reason == "AssetsMissing":
        yield Finding(told.BUNDLE_PARTS, ref, (proof,), details, commands=commands)


def _wrongly_disabled(picture: Picture) -> Iterator[Finding]:
    """Disabled by hand: the plan says enabled, and its controller has seen that."""
    plan = picture.plan
    if plan is None or not is_enabled(picture) or status_of(plan).get("state") != "Installed":
        return
    for plural in _EXTENSION_KINDS:
        for obj in picture.all(plural):
            if status_of(obj).get("state") == labels.STATE_DISABLED:
                proof = evidence(ref_of(obj), "status.state is Disabled, the plan says enabled")
                ref = picture.plan_ref
                yield Finding(told.SWITCHED_OFF, ref_of(obj), (proof,), {}, (), (again(ref),), Retry(ref))


def _unjudged(picture: Picture) -> Iterator[Finding]:
    waiting = {each.of for each in picture.unmoved}
    for plurals, type, process, cause in (
        (ROUTES, "Accepted", GATEWAY, told.GATEWAY_DOWN), (BUNDLES, "Available", CONSOLE, told.CONSOLE_DOWN),
    ):  # fmt: skip
        silent = [ref_of(obj) for plural in plurals for obj in picture.all(plural)
                  if _counts(picture, obj) and not condition_of(obj, type)]  # fmt: skip
        silent = [ref for ref in silent if ref in waiting]
        if silent:
            said = f"nobody wrote the condition {type} of {', '.join(map(str, silent[:5]))}"
            yield Finding(cause, process, (evidence(str(process), said),), {}, tuple(silent))


def _own_hooks(picture: Picture) -> Iterator[Finding]:
    """The extension's own webhooks without anybody behind them stop others, too."""
    for plural in HOOK_CONFIGURATIONS:
        for config in picture.all(plural):
            if labels_of(config).get(labels.EXTENSION_REF) != picture.extension or not picture.extension:
                continue
            strict = any(hook.get("failurePolicy", "Fail") == "Fail" for hook in items(config, "webhooks"))
            for service in services_of(config):
                if strict and picture.has_read("endpointslices") and not _has_endpoints(picture, service):
                    said = f"failurePolicy Fail, and {service} has no ready endpoint"
                    details, commands = {"service": str(service)}, (show(ref_of(config)),)
                    yield Finding(
                        told.OWN_WEBHOOK, ref_of(config), (evidence(ref_of(config), said),), details, (), commands
                    )


def _has_endpoints(picture: Picture, service: Ref) -> bool:
    for slice in picture.all("endpointslices"):
        meta = mapping(slice.get("metadata"))
        named = labels_of(slice).get("kubernetes.io/service-name") == service.name
        if named and meta.get("namespace") == service.namespace:
            ready = (mapping(each.get("conditions")).get("ready") is not False for each in items(slice, "endpoints"))
            if any(ready):
                return True
    return False
