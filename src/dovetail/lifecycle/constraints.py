"""Whether a version fits the platform it is to run on. Pure.

`kubeVersion` and `ksVersion` are semantic version constraints; an empty one asks for nothing, one that cannot be read
fits nowhere (reference/kubesphere-core.md 2.2). A Kubernetes version such as `v1.36.0+k3s1` counts by its precedence.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dovetail.apis.dialects import ExtensionVersion
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Version, satisfies

CHANNELS: Final = ("alpha", "beta", "rc", "stable")
"""How ready a version is, from the least to the most."""
STABLE: Final = CHANNELS[-1]


@dataclass(frozen=True)
class Platform:
    """The versions that constraints are held against. An unknown Kubernetes version fits every constraint."""

    kubernetes: str = ""
    platform: str = ""


def refusal(version: ExtensionVersion, platform: Platform) -> str:
    """Why the version does not fit, as a sentence; empty when it does."""
    for what, constraint, actual in (
        ("Kubernetes", version.kube_version, platform.kubernetes),
        ("the platform", version.ks_version, platform.platform),
    ):
        if not actual:
            continue
        try:
            fits = satisfies(constraint, actual)
        except PackagingError as error:
            return str(error)
        if not fits:
            name = f"{version.extension} {version.version}"
            return f"{name} wants {what} {constraint}, this is {actual}; choose another version of the extension"
    return ""


def ordered(versions: Iterable[ExtensionVersion]) -> list[ExtensionVersion]:
    """Ascending by semantic version; unreadable ones first, by text."""
    return sorted(versions, key=lambda version: _precedence(version.version))


def recommended(versions: Iterable[ExtensionVersion], platform: Platform, channel: str = "") -> str:
    """The highest version that fits, is not deprecated, and is at least as ready as `channel` says (stable if nothing).

    When there is none such: the highest that fits and is not deprecated, then the highest that fits; else empty.
    """
    fitting = [version for version in ordered(versions) if version.version and not refusal(version, platform)]
    wanted = readiness(channel or STABLE)
    kept = [version for version in fitting if not version.deprecated]
    ready = [version for version in kept if readiness(channel_of(version)) >= wanted]
    chosen = ready or kept or fitting
    return chosen[-1].version if chosen else ""


def channel_of(version: ExtensionVersion) -> str:
    """`stable`, `rc`, `beta` or `alpha`: what the version says of itself, else what its pre-release part means."""
    if version.channel in CHANNELS:
        return version.channel
    try:
        parsed = Version.parse(version.version)
    except PackagingError:
        return CHANNELS[0]
    if not parsed.prerelease:
        return STABLE
    named = re.match(r"[a-z]*", str(version.version).partition("-")[2].lower())
    return named.group() if named and named.group() in CHANNELS[:-1] else CHANNELS[0]


def readiness(channel: str) -> int:
    """The greater, the readier; what is no channel counts as stable."""
    return CHANNELS.index(channel) if channel in CHANNELS else len(CHANNELS) - 1


def _precedence(text: str) -> tuple[int, Version, str]:
    try:
        return 1, Version.parse(text), text
    except PackagingError:
        return 0, Version(0), text
