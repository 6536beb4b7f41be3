"""The rules of the level ``baseline``: no known way to become the node. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ....foreign import part, parts
from ....gotext import quoted as in_go
from .findings import (
    Finding,
    Object,
    containers,
    context,
    in_user_namespace,
    named,
    names_where,
    plural,
    quoted,
    setters,
)

Meta = Mapping[str, Any]

_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
        "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SELINUX_1_0 = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})
_SELINUX_1_31 = _SELINUX_1_0 | {"container_engine_t"}
_SYSCTLS_1_0 = frozenset(
    {
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
    }
)  # fmt: skip
_SYSCTLS_1_27 = _SYSCTLS_1_0 | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_1_29 = _SYSCTLS_1_27 | {
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
_SYSCTLS_1_32 = _SYSCTLS_1_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


def app_armor(meta: Meta, spec: Object) -> Finding | None:
    def bad(holder: Object) -> str:
        profile = context(holder).get("appArmorProfile")
        kind = str(part(context(holder), "appArmorProfile").get("type", ""))
        return "" if profile is None or kind in ("RuntimeDefault", "Localhost") else kind

    names = names_where(spec, lambda container: bool(bad(container)))
    values = sorted({bad(holder) for holder in (spec, *containers(spec))} - {""})
    stated: dict[str, str] = part(meta, "annotations")
    forbidden = sorted(
        f'{key}="{profile}"'
        for key, profile in stated.items()
        if key.startswith(_APPARMOR) and profile not in ("", "runtime/default") and not profile.startswith("localhost/")
    )
    who = [setters(bool(bad(spec)), names)] if bad(spec) or names else []
    if forbidden:
        who.append(plural("annotation", "annotations", len(forbidden)))
    if not who:
        return None
    all_values = [*values, *forbidden]
    reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", len(all_values))
    shown = ", ".join(in_go(text) for text in all_values)
    return Finding(reason, f"{' and '.join(who)} must not set AppArmor profile type to {shown}")


def capabilities(meta: Meta, spec: Object) -> Finding | None:
    names: list[str] = []
    added: set[str] = set()
    for container in containers(spec):
        beyond = set(parts(context(container), "capabilities", "add")) - _CAPABILITIES
        if beyond:
            names.append(str(container.get("name", "")))
            added |= beyond
    if not names:
        return None
    text = f"{named(names)} must not include {quoted(sorted(added))} in securityContext.capabilities.add"
    return Finding("non-default capabilities", text)


def host_namespaces(meta: Meta, spec: Object) -> Finding | None:
    used = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return Finding("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(meta: Meta, spec: Object) -> Finding | None:
    names = [str(volume.get("name", "")) for volume in parts(spec, "volumes") if volume.get("hostPath") is not None]
    if not names:
        return None
    return Finding("hostPath volumes", f"{plural('volume', 'volumes', len(names))} {quoted(names)}")


def host_ports(meta: Meta, spec: Object) -> Finding | None:
    names: list[str] = []
    ports: set[str] = set()
    for container in containers(spec):
        found = {str(port["hostPort"]) for port in parts(container, "ports") if port.get("hostPort")}
        if found:
            names.append(str(container.get("name", "")))
            ports |= found
    if not names:
        return None
    word = plural("hostPort", "hostPorts", len(ports))
    text = f"{named(names)} {plural('uses', 'use', len(names))} {word} {', '.join(sorted(ports))}"
    return Finding("hostPort", text)


def host_probes(meta: Meta, spec: Object) -> Finding | None:
    found = {str(c.get("name", "")): hosts for c in containers(spec) if (hosts := set(_hosts(c)))}
    if not found:
        return None
    hosts: set[str] = set[str]().union(*found.values())
    word = plural("probe or lifecycle host", "probe or lifecycle hosts", len(hosts))
    text = f"{named(sorted(found))} {plural('uses', 'use', len(found))} {word} {quoted(sorted(hosts))}"
    return Finding("probe or lifecycle host", text)


def _hosts(container: Object) -> Iterator[str]:
    handlers = [part(container, name) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += [part(container, "lifecycle", name) for name in ("postStart", "preStop")]
    for handler in handlers:
        for action in ("httpGet", "tcpSocket"):
            if host := part(handler, action).get("host"):
                yield str(host)


def privileged(meta: Meta, spec: Object) -> Finding | None:
    names = names_where(spec, lambda container: bool(context(container).get("privileged")))
    return Finding("privileged", f"{named(names)} must not set securityContext.privileged=true") if names else None


def proc_mount(meta: Meta, spec: Object) -> Finding | None:
    def bad(container: Object) -> bool:
        return context(container).get("procMount", "Default") != "Default"

    names = names_where(spec, bad)
    if not names:
        return None
    kinds = sorted({str(context(container)["procMount"]) for container in containers(spec) if bad(container)})
    return Finding("procMount", f"{named(names)} must not set securityContext.procMount to {quoted(kinds)}")


def proc_mount_1_35(meta: Meta, spec: Object) -> Finding | None:
    return None if in_user_namespace(spec) else proc_mount(meta, spec)


def selinux_1_0(meta: Meta, spec: Object) -> Finding | None:
    return _selinux(spec, _SELINUX_1_0)


def selinux_1_31(meta: Meta, spec: Object) -> Finding | None:
    return _selinux(spec, _SELINUX_1_31)


def _selinux(spec: Object, allowed: frozenset[str]) -> Finding | None:
    def bad(holder: Object) -> bool:
        options = part(context(holder), "seLinuxOptions")
        return options.get("type", "") not in allowed or bool(options.get("user") or options.get("role"))

    names = names_where(spec, bad)
    who = setters(bad(spec), names)
    if not who:
        return None
    options = [part(context(holder), "seLinuxOptions") for holder in (spec, *containers(spec))]
    kinds = sorted({str(option.get("type", "")) for option in options} - allowed)
    data = [f"{plural('type', 'types', len(kinds))} {quoted(kinds)}"] if kinds else []
    data += [f"{name} may not be set" for name in ("user", "role") if any(option.get(name) for option in options)]
    return Finding("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(data)}")


def seccomp_1_0(meta: Meta, spec: Object) -> Finding | None:
    """Before 1.19 a profile was an annotation."""
    stated: dict[str, str] = part(meta, "annotations")
    keys = [SECCOMP_POD, *(SECCOMP_CONTAINER + str(c.get("name", "")) for c in containers(spec))]
    forbidden = [f'{key}="{stated[key]}"' for key in keys if stated.get(key) == "unconfined"]
    if not forbidden:
        return None
    word = plural("forbidden annotation", "forbidden annotations", len(forbidden))
    return Finding("seccompProfile", f"{word} {', '.join(forbidden)}")


def seccomp_1_19(meta: Meta, spec: Object) -> Finding | None:
    def kind(holder: Object) -> str:
        return str(part(context(holder), "seccompProfile").get("type", ""))

    def bad(holder: Object) -> bool:
        return "seccompProfile" in context(holder) and kind(holder) not in ("RuntimeDefault", "Localhost")

    who = setters(bad(spec), names_where(spec, bad))
    if not who:
        return None
    kinds = sorted({kind(holder) for holder in (spec, *containers(spec)) if bad(holder)})
    return Finding("seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(kinds)}")


def sysctls_1_0(meta: Meta, spec: Object) -> Finding | None:
    return _sysctls(spec, _SYSCTLS_1_0)


def sysctls_1_27(meta: Meta, spec: Object) -> Finding | None:
    return _sysctls(spec, _SYSCTLS_1_27)


def sysctls_1_29(meta: Meta, spec: Object) -> Finding | None:
    return _sysctls(spec, _SYSCTLS_1_29)


def sysctls_1_32(meta: Meta, spec: Object) -> Finding | None:
    return _sysctls(spec, _SYSCTLS_1_32)


def _sysctls(spec: Object, allowed: frozenset[str]) -> Finding | None:
    names = [str(sysctl.get("name", "")) for sysctl in parts(context(spec), "sysctls")]
    forbidden = [name for name in names if name not in allowed]
    return Finding("forbidden sysctls", ", ".join(forbidden)) if forbidden else None


def windows_host_process(meta: Meta, spec: Object) -> Finding | None:
    def bad(holder: Object) -> bool:
        return bool(part(context(holder), "windowsOptions").get("hostProcess"))

    who = setters(bad(spec), names_where(spec, bad))
    text = f"{who} must not set securityContext.windowsOptions.hostProcess=true"
    return Finding("hostProcess", text) if who else None
