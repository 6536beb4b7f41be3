"""What is installed and what is planned, as values, and how they are read from the objects of the cluster.

Installed is what an InstallPlan's status says is in force, planned is what its spec asks for. A plan that is being
deleted plans nothing, but what it installed is still there. Dependencies of a version that is not published any more
are unknown, and count as none.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from dovetail.apis.dialects import Dependency, extension_version
from dovetail.apis.errors import InvalidObject
from dovetail.kube import is_deleting, key_of
from dovetail.kube.resources import Object
from dovetail.lifecycle.objects import mapping, spec_of, status_of

EXTENSION = "extension"
"""The only type of dependency that the platform installs."""
FindVersion = Callable[[str], Object | None]
"""An ExtensionVersion by its name."""


@dataclass(frozen=True)
class Held:
    """One version of an extension, and what it depends on."""

    version: str
    dependencies: tuple[Dependency, ...] = ()

    @property
    def required(self) -> tuple[Dependency, ...]:
        return tuple(one for one in self.dependencies if one.required and one.type == EXTENSION)


@dataclass(frozen=True)
class Standing:
    """By extension: what is in force, what is asked for, and whose plan is being deleted."""

    installed: Mapping[str, Held] = field(default_factory=dict[str, Held])
    planned: Mapping[str, Held] = field(default_factory=dict[str, Held])
    leaving: frozenset[str] = frozenset()


def standing(plans: Iterable[Object], find_version: FindVersion) -> Standing:
    """Read all InstallPlans; cheap for versions that depend on nothing, and total."""
    installed: dict[str, Held] = {}
    planned: dict[str, Held] = {}
    leaving: set[str] = set()
    for plan in plans:
        name = key_of(plan).name
        if version := str(status_of(plan).get("version") or ""):
            installed[name] = held(name, version, find_version)
        if is_deleting(plan):
            leaving.add(name)
        elif version := str(mapping(spec_of(plan).get("extension")).get("version") or ""):
            planned[name] = held(name, version, find_version)
    return Standing(installed, planned, frozenset(leaving))


def version_names(plans: Iterable[Object]) -> set[str]:
    """The ExtensionVersions that are in force, by the names that `standing` asks for."""
    return {
        f"{key_of(plan).name}-{version}" for plan in plans if (version := str(status_of(plan).get("version") or ""))
    }


def held(extension: str, version: str, find_version: FindVersion) -> Held:
    """A version with its dependencies, as far as they are known."""
    obj = find_version(f"{extension}-{version}")
    return Held(version, dependencies_of(obj) if obj is not None else ())


def dependencies_of(version: Object) -> tuple[Dependency, ...]:
    """The dependencies of an ExtensionVersion; none of one that cannot be read."""
    if not spec_of(version).get("externalDependencies"):
        return ()
    try:
        return extension_version(version).external_dependencies
    except InvalidObject:
        return ()
