"""From the words of a refusal to what refused.

Helm, the API server, its admission plugins and its webhooks say in sentences why they did not do a thing, and those
sentences end up in conditions, events and release records. Their forms are fixed (kube-apiserver's, kubelet's and
Helm's sources print them); what they name is looked up in the picture, so that a refusal whose reason has gone since
is not told as a cause. Pure.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from shlex import quote
from typing import Final

from dovetail.apis import labels
from dovetail.lifecycle import access
from dovetail.lifecycle.doctor.causes import refusal_words as told
from dovetail.lifecycle.doctor.commands import again, edit, show
from dovetail.lifecycle.doctor.findings import Cause, Evidence, Finding, Ref, Retry
from dovetail.lifecycle.doctor.links import HOOK_CONFIGURATIONS, services_of
from dovetail.lifecycle.doctor.picture import Picture, is_ours, items, ref_of
from dovetail.lifecycle.objects import mapping, spec_of

Match = re.Match[str]
Read = Callable[["_Told", Match], Finding | None]


class _Told:
    """One refusal: its words, whom it hit, and where it was read."""

    def __init__(self, picture: Picture, victim: Ref, text: str, proof: Evidence) -> None:
        self.picture, self.victim, self.text, self.proof = picture, victim, " ".join(text.split()), proof

    def finding(
        self, cause: Cause, subject: Ref | None = None, commands: tuple[str, ...] = (), **details: str
    ) -> Finding:
        subject = subject or self.victim
        breaks = (self.victim,) if subject != self.victim else ()
        return Finding(cause, subject, (self.proof,), details, breaks, commands)


def refused(picture: Picture, victim: Ref, text: str, proof: Evidence) -> Finding | None:
    """What refused, or None for words that are not known or whose reason has gone."""
    about = _Told(picture, victim, text, proof)
    for pattern, read in _KNOWN:
        if match := pattern.search(about.text):
            return read(about, match)
    return None


def is_known(text: str) -> bool:
    """Whether the words are those of a refusal that is known here, gone or not."""
    text = " ".join(text.split())
    return any(pattern.search(text) for pattern, _ in _KNOWN)


def _denied(about: _Told, match: Match) -> Finding | None:
    config = _configuration(about.picture, match["hook"])
    if config is None and _can_tell_hooks(about.picture):
        return None
    return about.finding(told.WEBHOOK_DENIED, config, _see(config), hook=match["hook"], why=match["why"] or "?")


def _unreachable(about: _Told, match: Match) -> Finding | None:
    config = _configuration(about.picture, match["hook"])
    if config is None and _can_tell_hooks(about.picture):
        return None
    service = next(iter(_services(about.picture, config)), None)
    commands = _see(config)
    if service is not None:
        slices = f"get endpointslices -l kubernetes.io/service-name={quote(service.name)}"
        commands += (f"kubectl -n {quote(service.namespace)} {slices}",)
    why = match["why"]
    return about.finding(told.WEBHOOK_UNREACHABLE, config, commands, hook=match["hook"], why=why)


def _conversion(about: _Told, match: Match) -> Finding:
    return about.finding(told.CONVERSION_FAILED, None, (), kind=match["kind"], why=match["why"])


def _over_quota(about: _Told, match: Match) -> Finding | None:
    name, limited = match["quota"], match["limited"]
    quota = about.picture.one("resourcequotas", name, about.victim.namespace or about.picture.namespace)
    if about.picture.has_read("resourcequotas") and not _still_limits(quota, limited):
        return None
    subject = ref_of(quota) if quota else Ref("ResourceQuota", name, about.picture.namespace)
    return about.finding(
        told.QUOTA_EXCEEDED, subject, _edit(subject), limited=limited, requested=match["requested"], used=match["used"]
    )


def _still_limits(quota: object, limited: str) -> bool:
    hard = mapping(spec_of(mapping(quota)).get("hard"))
    pairs = [pair.partition("=") for pair in limited.split(",")]
    return bool(quota) and all(str(hard.get(name.strip())) == amount.strip() for name, _, amount in pairs)


def _quota_needs(about: _Told, match: Match) -> Finding | None:
    name, namespace = match["quota"], about.victim.namespace or about.picture.namespace
    if about.picture.has_read("resourcequotas") and about.picture.one("resourcequotas", name, namespace) is None:
        return None
    subject = Ref("ResourceQuota", name, namespace)
    return about.finding(told.QUOTA_NEEDS_LIMITS, subject, _edit(subject), why=match["why"])


def _out_of_range(about: _Told, match: Match) -> Finding | None:
    ranges = about.picture.all("limitranges")
    if about.picture.has_read("limitranges") and not ranges:
        return None
    subject = ref_of(ranges[0]) if ranges else None
    return about.finding(told.LIMIT_RANGE, subject, _edit(subject), why=match[0])


def _unsafe_pod(about: _Told, match: Match) -> Finding:
    namespace = about.victim.namespace or about.picture.namespace
    level = match["level"]
    shows = f"kubectl get namespace {namespace} --show-labels"
    return about.finding(told.POD_SECURITY, None, (shows,), level=level, why=match["why"], namespace=namespace)


def _forbidden(about: _Told, match: Match) -> Finding | None:
    picture, name = about.picture, about.picture.extension
    account = access.account_name(name)
    group, resource, verb = match["group"], match["resource"], match["verb"]
    where = match["place"].strip()
    details = {"user": match["user"], "verb": verb, "resource": f"{resource}.{group}" if group else resource}
    details["place"] = where
    if not match["user"].endswith(f":{account}"):
        return about.finding(told.PLATFORM_FORBIDDEN, None, (), **details)
    lost = _lost_access(picture)
    if lost is not None:
        found = about.finding(told.ACCOUNT_LOST, lost, (again(picture.plan_ref),), lost=str(lost), account=account)
        return replace(found, action=Retry(picture.plan_ref))
    if _allows(picture, verb, group, resource, f'in the namespace "{picture.namespace}"' == where):
        return None
    shows = f"dovetail extension permissions {name}"
    return about.finding(told.ACCOUNT_FORBIDDEN, None, (shows,), **details)


def _lost_access(picture: Picture) -> Ref | None:
    """What of the account, its roles and its bindings is not there. None as well where that cannot be told."""
    name, namespace = picture.extension, picture.namespace
    role = access.role_name(name)
    wanted = (
        ("serviceaccounts", Ref("ServiceAccount", access.account_name(name), namespace)),
        ("roles", Ref("Role", role, namespace)), ("clusterroles", Ref("ClusterRole", role)),
        ("rolebindings", Ref("RoleBinding", role, namespace)), ("clusterrolebindings", Ref("ClusterRoleBinding", role)),
    )  # fmt: skip
    for plural, ref in wanted:
        if picture.has_read(plural) and picture.one(plural, ref.name, ref.namespace) is None:
            return ref
    return None


def _allows(picture: Picture, verb: str, group: str, resource: str, at_home: bool) -> bool:
    kinds = ("clusterroles", "roles") if at_home else ("clusterroles",)
    roles = [role for plural in kinds for role in picture.all(plural) if is_ours(role, picture.extension)]
    return any(
        _covers(rule, "verbs", verb) and _covers(rule, "apiGroups", group) and _covers(rule, "resources", resource)
        for role in roles
        for rule in items(role, "rules")
        if not rule.get("resourceNames")
    )


def _covers(rule: object, name: str, value: str) -> bool:
    listed: object = mapping(rule).get(name)
    return isinstance(listed, list) and ("*" in listed or value in listed)


def _escalation(about: _Told, match: Match) -> Finding:
    shows = f"dovetail extension permissions {about.picture.extension}"
    return about.finding(told.ESCALATION, None, (shows,), why=match[0])


def _account_missing(about: _Told, match: Match) -> Finding | None:
    namespace, _, name = match["account"].rpartition("/")
    namespace = namespace or about.victim.namespace or about.picture.namespace
    if about.picture.one("serviceaccounts", name, namespace) is not None:
        return None
    subject = Ref("ServiceAccount", name, namespace)
    return about.finding(
        told.SERVICE_ACCOUNT_MISSING, subject, (f"kubectl -n {quote(namespace)} create serviceaccount {quote(name)}",)
    )


def _not_served(about: _Told, match: Match) -> Finding | None:
    kind, version = match["kind"], match["version"]
    if about.picture.served is not None and (version, kind) in about.picture.served:
        return None
    return about.finding(
        told.KIND_NOT_SERVED, None, (f"kubectl api-resources --api-group={quote(version.rpartition('/')[0])}",),
        kind=kind, version=version,
    )  # fmt: skip


def _owned(about: _Told, match: Match) -> Finding:
    kind, name, namespace = match["kind"], match["object"], match["namespace"] or ""
    shows = f"{show(Ref(kind, name, namespace), 'get')} --show-labels"
    return about.finding(told.OBJECT_TAKEN, None, (shows,), object=f"{kind} {namespace}/{name}".replace(" /", " "))


def _aggregated(about: _Told, match: Match) -> Finding | None:
    group, _, version = match["api"].partition("/")
    name = f"{version}.{group}"
    service = about.picture.one("apiservices.apiregistration.k8s.io", name)
    if service is None and about.picture.has_read("apiservices.apiregistration.k8s.io"):
        return None
    subject = Ref("APIService.apiregistration.k8s.io", name)
    return about.finding(
        told.API_UNAVAILABLE,
        subject,
        (f"kubectl get apiservices.apiregistration.k8s.io {name} -o yaml",),
        why=match["why"],
    )


def _plain(cause: Cause, *commands: str) -> Read:
    def read(about: _Told, match: Match) -> Finding:
        named = {name: value or "" for name, value in match.groupdict().items()}
        name, namespace = about.picture.extension, about.picture.namespace
        ready = tuple(command.format(extension=name, namespace=namespace) for command in commands)
        return about.finding(cause, None, ready, **{"why": match[0], **named})

    return read


def _terminating(about: _Told, match: Match) -> Finding | None:
    del match
    namespace = about.picture.one("namespaces", about.victim.namespace or about.picture.namespace)
    if about.picture.has_read("namespaces") and (
        namespace is None or not mapping(namespace.get("metadata")).get("deletionTimestamp")
    ):
        return None
    subject = Ref("Namespace", about.victim.namespace or about.picture.namespace)
    return about.finding(told.IN_TERMINATING_NAMESPACE, subject)


def _configuration(picture: Picture, hook: str) -> Ref | None:
    for plural in HOOK_CONFIGURATIONS:
        for obj in picture.all(plural):
            if any(each.get("name") == hook for each in items(obj, "webhooks")):
                return ref_of(obj)
    return None


def _can_tell_hooks(picture: Picture) -> bool:
    return all(picture.has_read(plural) for plural in HOOK_CONFIGURATIONS)


def _services(picture: Picture, config: Ref | None) -> Iterator[Ref]:
    for plural in HOOK_CONFIGURATIONS:
        for obj in picture.all(plural):
            if config is not None and ref_of(obj) == config:
                yield from services_of(obj)


def _see(config: Ref | None) -> tuple[str, ...]:
    return (f"{show(config, 'get')} -o yaml",) if config else ()


def _edit(ref: Ref | None) -> tuple[str, ...]:
    return (edit(ref),) if ref else ()


_HOOK: Final = r'(?P<hook>[^"]+)'
_KNOWN: Final[tuple[tuple[re.Pattern[str], Read], ...]] = tuple(
    (re.compile(pattern, flags), read)
    for pattern, flags, read in (
        (rf'admission webhook "{_HOOK}" denied the request(?:: (?P<why>.*)| without explanation)', 0, _denied),
        (rf'failed calling webhook "{_HOOK}": (?P<why>.*)', 0, _unreachable),
        (r"conversion webhook for (?P<kind>\S+(?:, Kind=\w+)?) failed: (?P<why>.*)", 0, _conversion),
        (
            r"exceeded quota: (?P<quota>[^,]+), requested: (?P<requested>\S+), used: (?P<used>\S+), "
            r"limited: (?P<limited>[^\s;\]\)]+)", 0, _over_quota,
        ),
        (r"failed quota: (?P<quota>[^:]+): (?P<why>must specify [^;\]]+)", 0, _quota_needs),
        (r"(?:maximum|minimum) [\w.\-/]+ usage per \w+ is [^\]]+", 0, _out_of_range),
        (r'violates PodSecurity "(?P<level>[^"]+)": (?P<why>.*)', 0, _unsafe_pod),
        (r"attempting to grant RBAC permissions not currently held", 0, _escalation),
        (
            r'User "(?P<user>[^"]+)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)" in API group '
            r'"(?P<group>[^"]*)"(?P<place>(?: in the namespace "[^"]*"| at the cluster scope)?)', 0, _forbidden,
        ),
        (r'error looking up service account (?P<account>[^\s:]+):', 0, _account_missing),
        (r"no PriorityClass with name (?P<name>\S+) was found", 0, _plain(told.PRIORITY_CLASS_MISSING)),
        (r'RuntimeClass "(?P<name>[^"]+)" not found', 0, _plain(told.RUNTIME_CLASS_MISSING)),
        (r"because it is being terminated", 0, _terminating),
        (r'no matches for kind "(?P<kind>[^"]+)" in version "(?P<version>[^"]+)"', 0, _not_served),
        (
            r'(?P<kind>\w+) "(?P<object>[^"]+)" in namespace "(?P<namespace>[^"]*)" exists and cannot be imported',
            0, _owned,
        ),
        (
            r"(?P<api>[\w.\-]+/v\w+): (?P<why>(?:the server is currently unable|stale GroupVersion)[^;,]*)", 0,
            _aggregated,
        ),
        (
            r"field is immutable|may not change once set|updates to statefulset spec for fields other than", 0,
            _plain(told.IMMUTABLE_FIELD),
        ),
        (
            r"values don't meet the specifications of the schema\(s\).*|(?:^|[\s:])- at '/[^']*': .*", 0,
            _plain(told.VALUES_REFUSED),
        ),
        (
            r"(?:parse error at \(|template: |error calling |execution error at \(|YAML parse error on |"
            r"error converting YAML to JSON).*", 0, _plain(told.TEMPLATE_FAILED),
        ),
        (r"Request entity too large|etcdserver: request is too large|Too long: must have at most|"
         r"may not be more than \d+ bytes", re.I, _plain(told.TOO_LARGE)),
        (r"another operation \(install/upgrade/rollback\) is in progress", 0, _plain(told.OPERATION_IN_PROGRESS)),
        (r"database or disk is full|no space left on device", re.I, _plain(told.DISK_FULL)),
        (
            r"(?:timed out waiting|context deadline exceeded|gave no answer within|resource not ready, name: \S+).*",
            0, _plain(told.TIMED_OUT, "kubectl -n {namespace} get jobs,pods", "kubectl -n {namespace} get events"),
        ),
        (r'(?P<object>\S+ ?"[^"]+") is invalid: (?P<why>.*)', 0, _plain(told.OBJECT_INVALID)),
    )
)  # fmt: skip


def package_where(version: object) -> str:
    """Where a version says that its package is."""
    spec = spec_of(mapping(version))
    reference = mapping(spec.get("chartDataRef"))
    if reference:
        return f"ConfigMap {reference.get('namespace') or labels.SYSTEM_NAMESPACE}/{reference.get('name')}"
    return str(spec.get("chartURL") or "?")
