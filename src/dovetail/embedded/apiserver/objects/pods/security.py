"""Security contexts of pods and containers, and what an operating system rules out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ... import fielderrors as fe
from ...fielderrors import FieldError
from ...foreign import is_object, part, parts
from ..names import dns_subdomain
from .formats import account_id, each, relative_path

Object = dict[str, Any]

_PROFILES = ["Localhost", "RuntimeDefault", "Unconfined"]
_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"^({_SEGMENT}[\./])*{_SEGMENT}$"
_IPC = ("kernel.sem", "kernel.msg", "kernel.shm", "fs.mqueue.")
_DOMAIN = re.compile(r'[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}\Z')
_DNS_DOMAIN = re.compile(
    r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*\Z"
)
_FOREIGN = "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]"
_POD_LINUX_ONLY = (
    ("appArmorProfile", True), ("seLinuxOptions", True), ("hostUsers", False), ("hostPID", False), ("hostIPC", False),
    ("seccompProfile", True), ("fsGroup", True), ("fsGroupChangePolicy", True), ("sysctls", True),
    ("shareProcessNamespace", False), ("runAsUser", True), ("runAsGroup", True), ("supplementalGroups", True),
    ("supplementalGroupsPolicy", True), ("seLinuxChangePolicy", True),
)  # fmt: skip
_LINUX_ONLY = (
    "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
    "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup",
)  # fmt: skip


def all_containers(spec: Object, field: str) -> Iterator[tuple[Object, str]]:
    """Every container with its path, in the order in which Kubernetes visits them."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(parts(spec, kind)):
            yield container, f"{field}.{kind}[{index}]"


def container_context_errors(context: Any, field: str, *, host_users: bool) -> Iterator[FieldError]:
    if not is_object(context):
        return
    for name in ("runAsUser", "runAsGroup"):
        if context.get(name) is not None:
            yield from each(f"{field}.{name}", context[name], account_id(context[name]))
    mount = context.get("procMount")
    if mount is not None:
        if mount not in ("Default", "Unmasked"):
            yield fe.not_supported(f"{field}.procMount", mount, ["Default", "Unmasked"])
        if host_users and mount == "Unmasked":
            yield fe.invalid(f"{field}.procMount", mount, "`hostUsers` must be false to use `Unmasked`")
    yield from _seccomp(context.get("seccompProfile"), f"{field}.seccompProfile")
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
            yield fe.invalid(field, context, text)
        if "CAP_SYS_ADMIN" in parts(context, "capabilities", "add"):
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            yield fe.invalid(field, context, text)
    yield from _windows_options(context.get("windowsOptions"), f"{field}.windowsOptions")
    yield from _app_armor(context.get("appArmorProfile"), f"{field}.appArmorProfile")


def pod_context_errors(context: Object, spec: Object, field: str) -> Iterator[FieldError]:
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        if context.get(name) is not None:
            yield from each(f"{field}.{name}", context[name], account_id(context[name]))
    for index, group in enumerate(parts(context, "supplementalGroups")):
        yield from each(f"{field}.supplementalGroups[{index}]", group, account_id(group))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        yield fe.invalid(f"{field}.shareProcessNamespace", True, text)
    yield from _sysctls(parts(context, "sysctls"), spec, f"{field}.sysctls")
    yield from _one_of(context, "fsGroupChangePolicy", ["Always", "OnRootMismatch"], field)
    yield from _seccomp(context.get("seccompProfile"), f"{field}.seccompProfile")
    yield from _windows_options(context.get("windowsOptions"), f"{field}.windowsOptions")
    yield from _app_armor(context.get("appArmorProfile"), f"{field}.appArmorProfile")
    yield from _one_of(context, "supplementalGroupsPolicy", ["Merge", "Strict"], field)
    yield from _one_of(context, "seLinuxChangePolicy", ["MountOption", "Recursive"], field)


def _one_of(context: Object, name: str, allowed: list[str], field: str) -> Iterator[FieldError]:
    if context.get(name) is not None and context[name] not in allowed:
        yield fe.not_supported(f"{field}.{name}", context[name], allowed)


def _sysctls(sysctls: list[Object], spec: Object, field: str) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        where, name = f"{field}[{index}].name", str(sysctl.get("name", ""))
        if not name:
            yield fe.required(where)
        elif len(name) > 253 or not re.match(_SYSCTL.replace("$", r"\Z"), name):
            yield fe.invalid(where, name, f"must have at most 253 characters and match regex {_SYSCTL}")
        elif name in seen:
            yield fe.duplicate(where, name)
        dotted = name.replace("/", ".")
        if spec.get("hostNetwork") and dotted.startswith("net."):
            yield fe.invalid(where, name, "may not be specified when 'hostNetwork' is true")
        elif spec.get("hostIPC") and dotted.startswith(_IPC):
            yield fe.invalid(where, name, "may not be specified when 'hostIPC' is true")
        seen.add(name)


def _seccomp(profile: Any, field: str) -> Iterator[FieldError]:
    if not is_object(profile):
        return
    kind, path = profile.get("type", ""), profile.get("localhostProfile")
    if not kind:
        yield fe.required(f"{field}.type", "type is required when seccompProfile is set")
    elif kind not in _PROFILES:
        yield fe.not_supported(f"{field}.type", kind, _PROFILES)
    if kind == "Localhost" and path is None:
        yield fe.required(f"{field}.localhostProfile", "must be set when seccomp type is Localhost")
    elif kind == "Localhost":
        yield from relative_path(f"{field}.localhostProfile", str(path))
    elif path is not None:
        text = "can only be set when seccomp type is Localhost"
        yield fe.invalid(f"{field}.localhostProfile", {"Type": kind, "LocalhostProfile": path}, text)


def _app_armor(profile: Any, field: str) -> Iterator[FieldError]:
    if not is_object(profile):
        return
    kind, path, where = profile.get("type", ""), profile.get("localhostProfile"), f"{field}.localhostProfile"
    if kind == "Localhost":
        if path is None or not path.strip():
            if path:
                yield fe.invalid(where, path, "must not be padded with whitespace")
            else:
                yield fe.required(where, "must be set when AppArmor type is Localhost")
        elif path != path.strip():
            yield fe.invalid(where, path, "must not be padded with whitespace")
        if path and len(path) > 4095:
            yield fe.too_long(where, 4095)
    elif kind in _PROFILES:
        if path is not None:
            yield fe.invalid(where, path, "can only be set when AppArmor type is Localhost")
    elif not kind:
        yield fe.required(f"{field}.type", "type is required when appArmorProfile is set")
    else:
        yield fe.not_supported(f"{field}.type", kind, _PROFILES)


def _windows_options(options: Any, field: str) -> Iterator[FieldError]:
    if not is_object(options):
        return
    name, credentials = options.get("gmsaCredentialSpecName"), options.get("gmsaCredentialSpec")
    if name is not None:
        yield from each(f"{field}.gmsaCredentialSpecName", name, dns_subdomain(name))
    if credentials is not None:
        where = f"{field}.gmsaCredentialSpec"
        if not credentials:
            yield fe.invalid(where, credentials, "gmsaCredentialSpec cannot be an empty string")
        elif len(credentials) > 64 * 1024:
            yield fe.invalid(where, credentials, "gmsaCredentialSpec size must be under 64 KiB")
    if options.get("runAsUserName") is not None:
        yield from each(f"{field}.runAsUserName", options["runAsUserName"], _user_name(options["runAsUserName"]))


def _user_name(name: str) -> Iterator[str]:
    domain, slash, user = name.rpartition("\\")
    if not name:
        yield "runAsUserName cannot be an empty string"
    elif any(char < " " or char == "\x7f" for char in name):
        yield "runAsUserName cannot contain control characters"
    elif "\\" in domain:
        yield "runAsUserName cannot contain more than one backslash"
    else:
        if len(domain) >= 256:
            yield "runAsUserName's Domain length must be under 256 characters"
        if slash and not (_DOMAIN.match(domain) or _DNS_DOMAIN.match(domain)):
            yield "runAsUserName's Domain doesn't match the NetBios nor the DNS format"
        if not user:
            yield "runAsUserName's User cannot be empty"
        elif len(user) > 104:
            yield "runAsUserName's User length must not be longer than 104 characters"
        if user and not user.strip(". "):
            yield "runAsUserName's User cannot contain only periods or spaces"
        if re.search(r'["/\\:;|=,+*?<>@\[\]]', user):
            yield _FOREIGN


def host_process_errors(spec: Object, field: str) -> Iterator[FieldError]:
    """Windows host processes: all containers or none, and on the network of the host."""
    whole = part(spec, "securityContext", "windowsOptions").get("hostProcess")
    count = hosted = 0
    for container, where in all_containers(spec, field):
        count += 1
        own = part(container, "securityContext", "windowsOptions").get("hostProcess")
        if whole is not None and own is not None and whole != own:
            text = f"pod hostProcess value must be identical if both are specified, was {str(whole).lower()}"
            yield fe.invalid(f"{where}.securityContext.windowsOptions.hostProcess", own, text)
        hosted += bool(own if own is not None else whole)
    if not hosted:
        return
    if hosted != count:
        text = "If pod contains any hostProcess containers then all containers must be HostProcess containers"
        yield fe.invalid(field, "", text)
    if not spec.get("hostNetwork"):
        text = "hostNetwork must be true if pod contains any hostProcess containers"
        yield fe.invalid(f"{field}.hostNetwork", False, text)


def host_users_errors(spec: Object, field: str) -> Iterator[FieldError]:
    if spec.get("hostUsers") is not False:
        return
    for name, shown in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
        if spec.get(name):
            yield fe.forbidden(f"{field}.{shown}", "when `pod.Spec.HostUsers` is false")


def os_errors(spec: Object, field: str) -> Iterator[FieldError]:
    if not is_object(spec.get("os")):
        return
    name = str(part(spec, "os").get("name", ""))
    if not name:
        yield fe.required(f"{field}.os.name", "cannot be empty")
    elif name == "linux":
        yield from _linux_errors(spec, field)
    elif name == "windows":
        yield from _windows_errors(spec, field)
    else:
        yield fe.not_supported(f"{field}.os", name, ["linux", "windows"])


def _linux_errors(spec: Object, field: str) -> Iterator[FieldError]:
    text = "windows options cannot be set for a linux pod"
    if part(spec, "securityContext").get("windowsOptions") is not None:
        yield fe.forbidden(f"{field}.securityContext.windowsOptions", text)
    for container, where in all_containers(spec, field):
        if part(container, "securityContext").get("windowsOptions") is not None:
            yield fe.forbidden(f"{where}.securityContext.windowsOptions", text)


def _windows_errors(spec: Object, field: str) -> Iterator[FieldError]:
    text, context = "cannot be set for a windows pod", part(spec, "securityContext")
    for name, inside in _POD_LINUX_ONLY:
        found = (context if inside else spec).get(name)
        if found is not None and (found or name not in ("hostPID", "hostIPC", "sysctls")):
            yield fe.forbidden(f"{field}.securityContext.{name}" if inside else f"{field}.{name}", text)
    for container, where in all_containers(spec, field):
        own = part(container, "securityContext")
        for name in _LINUX_ONLY:
            if own.get(name) is not None:
                yield fe.forbidden(f"{where}.securityContext.{name}", text)
