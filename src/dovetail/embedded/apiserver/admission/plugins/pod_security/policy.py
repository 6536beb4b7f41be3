"""The labels of a namespace that say which pods it takes: three modes, each with a level and a version. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ....fielderrors import FieldError, invalid

PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
LATEST = 1 << 20
_PREFIX = "pod-security.kubernetes.io/"
_VERSION = re.compile(r"v1\.(0|[1-9][0-9]*)\Z")


class LevelVersion(NamedTuple):
    """``version`` is the minor version of Kubernetes, or LATEST."""

    level: str = PRIVILEGED
    version: int = LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.version == LATEST else f'v1.{self.version}'}"


@dataclass(frozen=True, slots=True)
class Policy:
    """``audit`` is only checked for validity: there is no audit log to write to."""

    enforce: LevelVersion
    audit: LevelVersion
    warn: LevelVersion


def policy_of(labels: Mapping[str, str]) -> tuple[Policy, list[FieldError]]:
    """Always a policy: a level that cannot be read enforces the strictest, and audits and warns about nothing."""
    errors: list[FieldError] = []
    enforce = _mode(labels, "enforce", RESTRICTED, errors)
    audit = _mode(labels, "audit", PRIVILEGED, errors)
    warn = _mode(labels, "warn", PRIVILEGED, errors)
    if f"{_PREFIX}warn" not in labels and labels.get(f"{_PREFIX}enforce") in LEVELS and enforce.level != PRIVILEGED:
        version = warn.version if f"{_PREFIX}warn-version" in labels else enforce.version
        warn = LevelVersion(enforce.level, version)
    return Policy(enforce, audit, warn), errors


def _mode(labels: Mapping[str, str], mode: str, unreadable: str, errors: list[FieldError]) -> LevelVersion:
    level, version = labels.get(f"{_PREFIX}{mode}"), labels.get(f"{_PREFIX}{mode}-version")
    if level is not None and level not in LEVELS:
        errors.append(_error(mode, level, f"must be one of {', '.join(LEVELS)}"))
        level = unreadable
    number = LATEST
    if version not in (None, "latest"):
        found = _VERSION.match(version)
        if found:
            number = int(found[1])
        else:
            errors.append(_error(f"{mode}-version", version, 'must be "latest" or "v1.x"'))
    return LevelVersion(level or PRIVILEGED, number)


def _error(label: str, found: str, why: str) -> FieldError:
    return invalid(f"metadata.labels[{_PREFIX}{label}]", found, why)


def strictness(level: str) -> int:
    return LEVELS.index(level)
