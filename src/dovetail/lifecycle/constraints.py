"""Whether a version fits the platform it is to run on. Pure.

`kubeVersion` and `ksVersion` are semantic version constraints; an empty one asks for nothing, one that cannot be read
fits nowhere (reference/kubesphere-core.md 2.2). A Kubernetes version such as `v1.36.0+k3s1` counts by its precedence.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dovetail.apis.dialects import ExtensionVersion
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.versions import Version, satisfies


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


def recommended(versions: Iterable[ExtensionVersion], platform: Platform) -> str:
    """The highest version that fits and is no pre-release, else the highest that fits; empty when none does."""
    fitting = [version for version in ordered(versions) if version.version and not refusal(version, platform)]
    stable = [version for version in fitting if not _is_prerelease(version.version)]
    chosen = stable or fitting
    return chosen[-1].version if chosen else ""


def _precedence(text: str) -> tuple[int, Version, str]:
    try:
        return 1, Version.parse(text), text
    except PackagingError:
        return 0, Version(0), text


def _is_prerelease(text: str) -> bool:
    try:
        return bool(Version.parse(text).prerelease)
    except PackagingError:
        return False
