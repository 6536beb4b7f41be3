"""What can go wrong in a lifecycle, as one tree.

    LifecycleError
    +-- Refused                    an attempt that must be written into the plan's status; carries its patience
    |   +-- PackageUnavailable     the package could not be fetched (tried for ever)
    |   +-- DigestMismatch         the package is not the one that the version describes
    |   +-- Unsigned               the package is not signed by anybody whom its repository trusts
    |   +-- UnusablePackage        the package cannot be read, or is another one
    |   +-- DeployFailed           Helm refused or a hook failed
    |   +-- ForeignObject          something of somebody else's is where the extension's own would be
    |   +-- ForeignDefinition      a definition of crds/ is somebody else's and does not serve what is needed
    |   +-- UnsafeDefinition       a definition of crds/ would lose what is stored
    |   +-- MissingPermission      the extension's account may not do what the package needs
    |   +-- TestsFailed            the release is there, but its tests failed
    |   +-- UninstallFailed        Helm refused to uninstall, or objects stayed
    |   +-- PlanStale              what was approved is not what would be done now
    +-- Interrupted                the plan changed under a running operation
    +-- SyncFailed                 a repository's index could not be read

`patience` (facts) says how often the same input is tried.
"""

from collections.abc import Sequence

from dovetail.lifecycle.facts import DEFAULT_PATIENCE, HOPELESS, UNLIMITED


class LifecycleError(Exception):
    """Anything that this room raises."""


class Refused(LifecycleError):
    """An attempt failed for a reason that the user must see. `reason` is one CamelCase word."""

    def __init__(self, reason: str, message: str, patience: int) -> None:
        self.reason = reason
        self.patience = patience
        super().__init__(message)


class PackageUnavailable(Refused):
    """`where` did not give the package."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__("PackageUnavailable", f"the package at {where} cannot be fetched: {why}", UNLIMITED)


class DigestMismatch(Refused):
    """The bytes are others than promised; both digests are told."""

    def __init__(self, where: str, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(
            "DigestMismatch",
            f"the package at {where} has sha256 {actual}, but {expected} is promised; it is not used. "
            "Publish the version again, or correct the repository",
            UNLIMITED,
        )


class Unsigned(Refused):
    """The repository names whose signatures count, and there is none of them on the package."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(
            "Unsigned",
            f"the package at {where} is not used, because it must be signed: {why}. "
            "Ask its author for the signature, or trust the key in the repository's keyring",
            UNLIMITED,
        )


class UnusablePackage(Refused):
    """The package cannot be installed as what it is published as."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__("UnusablePackage", f"the package at {where} cannot be used: {why}", HOPELESS)


class DeployFailed(Refused):
    """Helm's refusal; `hopeless` when the same input can only fail again."""

    def __init__(self, message: str, *, hopeless: bool) -> None:
        super().__init__("HelmFailed", message, HOPELESS if hopeless else DEFAULT_PATIENCE)


class ForeignObject(Refused):
    """An object of that name is there and belongs to `owner` (empty: to nobody whom we know); it is left as it is."""

    def __init__(self, kind: str, namespace: str, name: str, owner: str, extension: str) -> None:
        self.owner = owner
        where = f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"
        whose = f"belongs to {owner}" if owner else "was not made by this extension"
        super().__init__(
            "ForeignObject",
            f"{where} exists and {whose}; it is left as it is. Rename or remove it, "
            f"or hand it over with the label kubesphere.io/extension-ref={extension}",
            UNLIMITED,
        )


class ForeignDefinition(Refused):
    """A CustomResourceDefinition belongs to `owner` (empty: nobody knows) and lacks versions; it is left as it is."""

    def __init__(self, name: str, owner: str, missing: Sequence[str], extension: str, mark: str) -> None:
        whose = f"belongs to {owner}" if owner else "was not made by this extension"
        super().__init__(
            "ForeignObject",
            f"CustomResourceDefinition {name} {whose} and does not serve {', '.join(missing)}, which this version "
            f"needs; it is left as it is. Upgrade its owner, or hand it over with the annotation {mark}={extension}",
            UNLIMITED,
        )


class UnsafeDefinition(Refused):
    """Replacing a definition could make stored objects unreadable or invalid; `why` names the changes."""

    def __init__(self, name: str, why: Sequence[str]) -> None:
        told = "; ".join(why[:5]) + (f" and {len(why) - 5} more" if len(why) > 5 else "")
        super().__init__(
            "UnsafeCRDChange",
            f"CustomResourceDefinition {name} is not replaced, because stored objects could be lost: {told}. "
            "Save them first; then the annotation dovetail.dev/allow-unsafe-crds on the InstallPlan lets it happen, "
            "or `crds: Create` leaves the definition as it is",
            HOPELESS,
        )


class MissingPermission(Refused):
    """The extension's account lacks a right that its own package needs."""

    def __init__(self, account: str, verb: str, resource: str, name: str) -> None:
        super().__init__(
            "MissingPermission",
            f"{account} may not {verb} {resource} {name}, which is in the package's crds/. Let its permissions.yaml "
            f"grant {verb} on {resource} in a ClusterRole, or set `crds: Skip` and see to the definitions yourself",
            HOPELESS,
        )


class TestsFailed(Refused):
    """The package's own tests say that the release does not work."""

    __test__ = False  # not a class of tests, whatever pytest thinks of its name

    def __init__(self, message: str) -> None:
        super().__init__("TestsFailed", message, DEFAULT_PATIENCE)


class UninstallFailed(Refused):
    """Something of the extension stayed."""

    def __init__(self, message: str) -> None:
        super().__init__("UninstallFailed", message, UNLIMITED)


class PlanStale(Refused):
    """What was approved is not what would be done now."""

    def __init__(self, extension: str, version: str, moved: Sequence[str]) -> None:
        self.moved = tuple(moved)
        super().__init__(
            "PlanStale",
            f"the plan that was approved for {extension} {version} is not what would be done now: "
            f"{', '.join(moved) or 'the plan'} changed since. Look at it again with "
            f"`dovetail extension plan {extension} --version {version} --approve`",
            HOPELESS,
        )


class Interrupted(LifecycleError):
    """The operation was given up because its plan is another now; look again."""

    def __init__(self, release: str) -> None:
        super().__init__(f"the operation on {release} was given up: its plan changed")


class SyncFailed(LifecycleError):
    """A repository could not be read; what is known of it stays."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)
