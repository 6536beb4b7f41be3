"""Whether an extension may be installed, upgraded or uninstalled now, for what others need. Pure.

`missing` holds an install back until every required dependency is in force in its range, and until no installed
extension would be left with a version it cannot use. Plans are looked at too, so that extensions that need each other
can begin together, and an upgrade may pass where the other side is about to follow. `dependents` says who would be
left without what it needs. Both are asked again whenever a plan changes, so what is held goes on by itself.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle.dependencies.ranges import fits, precedence
from dovetail.lifecycle.dependencies.standing import Held, Standing
from dovetail.lifecycle.facts import Problem

MISSING: Final = "DependencyMissing"
BROKEN: Final = "DependentsBroken"
_TOLD: Final = 5
Available = Callable[[str], Iterable[str]]
"""The versions of an extension that are published."""


def missing(
    extension: str, wanted: Held, now: Standing, available: Available, *, ignore_dependents: bool = False
) -> Problem | None:
    """Why the version may not be installed now, or None when it may.

    `ignore_dependents`: the user takes it on himself that others are left with a version that they cannot use.
    """
    lacking = [one for one in wanted.required if not _in_force(one, now) and not _is_itself(one, extension, wanted)]
    if lacking and not _begin_together(extension, wanted, now):
        reasons = "; ".join(_lack(one, now, available) for one in lacking[:_TOLD])
        more = f"; and {len(lacking) - _TOLD} more" if len(lacking) > _TOLD else ""
        return Problem(MISSING, f"{extension} {wanted.version} needs {reasons}{more}")
    broken = [] if ignore_dependents else [*_broken(extension, wanted.version, now)]
    if broken:
        names = ", ".join(f"{name} {version} (needs {extension} {range})" for name, version, range in broken[:_TOLD])
        way_out = "choose a version in that range, or plan versions of them that can use it"
        return Problem(BROKEN, f"{extension} {wanted.version} would break {names}; {way_out}")
    return None


def dependents(extension: str, now: Standing) -> list[str]:
    """Who is installed and requires the extension, by name: they hold its uninstall.

    One that is being uninstalled itself counts until it is gone, unless it waits for this extension in turn.
    """
    needy = sorted(
        name
        for name, held in now.installed.items()
        if name != extension and any(one.name == extension for one in held.required)
    )
    reached = _reached(extension, now.installed) if any(name in now.leaving for name in needy) else frozenset[str]()
    return [name for name in needy if name not in now.leaving or name not in reached]


def _in_force(dependency: Dependency, now: Standing) -> bool:
    held = now.installed.get(dependency.name)
    if held is None or dependency.name in now.leaving:
        return False
    return fits(dependency.version, held.version)


def _is_itself(dependency: Dependency, extension: str, wanted: Held) -> bool:
    return dependency.name == extension and fits(dependency.version, wanted.version)


def _begin_together(extension: str, wanted: Held, now: Standing) -> bool:
    """Whether all that is not in force yet is planned, and is one ring with this extension: nobody can be first."""
    planned = {**now.planned, extension: wanted}
    ring, pending = {extension}, [extension]
    while pending:
        for one in planned[pending.pop()].required:
            if _in_force(one, now):
                continue
            if one.name not in planned or one.name in now.leaving or not fits(one.version, planned[one.name].version):
                return False
            if one.name not in ring:
                ring.add(one.name)
                pending.append(one.name)
    return all(extension in _reached(member, planned) for member in ring)


def _reached(start: str, held: Mapping[str, Held]) -> frozenset[str]:
    """Everything that an extension requires, directly or through others; itself only if it is in a ring."""
    found: set[str] = set()
    pending = [start]
    while pending:
        here = held.get(pending.pop())
        for one in here.required if here is not None else ():
            if one.name not in found:
                found.add(one.name)
                pending.append(one.name)
    return frozenset(found)


def _broken(extension: str, version: str, now: Standing) -> Iterator[tuple[str, str, str]]:
    """Who requires another version, now and as planned: name, version, range. Who is broken already is not held."""
    current = now.installed.get(extension)
    for name, held in sorted(now.installed.items()):
        if name == extension or name in now.leaving:
            continue
        for one in held.required:
            if one.name != extension or fits(one.version, version):
                continue
            if current is not None and not fits(one.version, current.version):
                continue
            if not _follows(name, extension, version, now):
                yield name, held.version, one.version


def _follows(name: str, extension: str, version: str, now: Standing) -> bool:
    """Whether a plan brings `name` to another version that can use this one."""
    planned, held = now.planned.get(name), now.installed[name]
    if planned is None or planned.version == held.version:
        return False
    return all(fits(one.version, version) for one in planned.required if one.name == extension)


def _lack(dependency: Dependency, now: Standing, available: Available) -> str:
    """One dependency that is not there, with the way out."""
    name, range = dependency.name, dependency.version.strip()
    needed = f"{name} {range}".strip()
    held = now.installed.get(name)
    if name in now.leaving:
        return f"{needed}, which is being uninstalled; install it again"
    planned = now.planned.get(name)
    if planned is not None and fits(range, planned.version) and (held is None or held.version != planned.version):
        return f"{needed}, and {name} {planned.version} is planned but not installed yet; it goes on by itself then"
    has = "which is not installed" if held is None else f"and {held.version} is installed"
    return f"{needed}, {has}; {_remedy(name, range, held, available)}"


def _remedy(name: str, range: str, held: Held | None, available: Available) -> str:
    known = sorted(available(name), key=precedence)
    fitting = [version for version in known if fits(range, version)]
    if fitting:
        return f"{'install' if held is None else 'change it to'} {name} {fitting[-1]}"
    if known:
        return f"none of the known versions ({', '.join(known[-_TOLD:])}) is in that range; publish one"
    return f"no version of {name} is known; add a repository that has it"
