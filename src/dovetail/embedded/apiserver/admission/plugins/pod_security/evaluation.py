"""Which rules a level has in a version of Kubernetes, and what they say of a pod. Pure.

Each rule has versions; of a rule the newest version counts that is not newer than the one asked for. A rule of
``restricted`` can stand in the place of a weaker one of ``baseline``. Findings come in the order of this table:
baseline first, each level by the name of the rule, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import baseline as b
from . import restricted as r
from .findings import Finding, Object, Rule
from .policy import BASELINE, PRIVILEGED, RESTRICTED, LevelVersion


class _Check(NamedTuple):
    """``replaces`` names the baseline check that is left out since this one exists."""

    name: str
    level: str
    versions: tuple[tuple[int, Rule], ...]
    replaces: str = ""

    def at(self, version: int) -> Rule | None:
        found = [rule for since, rule in self.versions if since <= version]
        return found[-1] if found else None


_CHECKS = (
    _Check("appArmorProfile", BASELINE, ((0, b.app_armor),)),
    _Check("capabilities_baseline", BASELINE, ((0, b.capabilities),)),
    _Check("hostNamespaces", BASELINE, ((0, b.host_namespaces),)),
    _Check("hostPathVolumes", BASELINE, ((0, b.host_path_volumes),)),
    _Check("hostPorts", BASELINE, ((0, b.host_ports),)),
    _Check("hostProbesAndHostLifecycle", BASELINE, ((34, b.host_probes),)),
    _Check("privileged", BASELINE, ((0, b.privileged),)),
    _Check("procMount", BASELINE, ((0, b.proc_mount), (35, b.proc_mount_1_35))),
    _Check("seLinuxOptions", BASELINE, ((0, b.selinux_1_0), (31, b.selinux_1_31))),
    _Check("seccompProfile_baseline", BASELINE, ((0, b.seccomp_1_0), (19, b.seccomp_1_19))),
    _Check(
        "sysctls",
        BASELINE,
        ((0, b.sysctls_1_0), (27, b.sysctls_1_27), (29, b.sysctls_1_29), (32, b.sysctls_1_32)),
    ),
    _Check("windowsHostProcess", BASELINE, ((0, b.windows_host_process),)),
    _Check(
        "allowPrivilegeEscalation",
        RESTRICTED,
        ((8, r.allow_privilege_escalation), (25, r.allow_privilege_escalation_1_25)),
    ),
    _Check(
        "capabilities_restricted",
        RESTRICTED,
        ((22, r.capabilities_1_22), (25, r.capabilities_1_25)),
        "capabilities_baseline",
    ),
    _Check("procMount_restricted", RESTRICTED, ((35, b.proc_mount),), "procMount"),
    _Check("restrictedVolumes", RESTRICTED, ((0, r.volumes),), "hostPathVolumes"),
    _Check("runAsNonRoot", RESTRICTED, ((0, r.run_as_non_root), (35, r.run_as_non_root_1_35))),
    _Check("runAsUser", RESTRICTED, ((23, r.run_as_user_1_23), (35, r.run_as_user_1_35))),
    _Check(
        "seccompProfile_restricted",
        RESTRICTED,
        ((19, r.seccomp_1_19), (25, r.seccomp_1_25)),
        "seccompProfile_baseline",
    ),
)


def evaluate(wanted: LevelVersion, meta: Mapping[str, Any], spec: Object) -> list[Finding]:
    """What of the pod the level does not allow; nothing means that it may run."""
    findings = (rule(meta, spec) for rule in _rules(wanted))
    return [finding for finding in findings if finding is not None]


def details(findings: Iterable[Finding]) -> str:
    """``reason (detail), reason (detail)``."""
    return ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in findings)


def reasons(findings: Iterable[Finding]) -> str:
    return ", ".join(finding.reason for finding in findings)


def _rules(wanted: LevelVersion) -> list[Rule]:
    if wanted.level == PRIVILEGED:
        return []
    checks = [check for check in _CHECKS if wanted.level == RESTRICTED or check.level == BASELINE]
    chosen = {check: rule for check in checks if (rule := check.at(wanted.version)) is not None}
    replaced = {check.replaces for check in chosen}
    return [rule for check, rule in chosen.items() if check.name not in replaced]
