"""What happens to CustomResourceDefinitions: those of `crds/` by policy, those of templates as objects. Pure.

Each that replaces one of the cluster gets a verdict (`crd_safety`). A definition of a template that the new version
does not have any more is deleted by Helm, and every custom resource with it: that is a loss, and told as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from dovetail.lifecycle.crd_upgrades import KIND, Ruling, owner_of, ruling
from dovetail.lifecycle.objects import status_of
from dovetail.lifecycle.ownership import Owner
from dovetail.lifecycle.preview.crd_safety import Finding, verdict, versions_of
from dovetail.lifecycle.preview.field_changes import field_changes
from dovetail.lifecycle.preview.objects_delta import ObjectChange
from dovetail.lifecycle.preview.world import Definition, Object, World
from dovetail.packaging.manifests import RenderedObject

Action = Literal["create", "replace", "unchanged", "keep", "skip", "change", "foreign", "unknown"]


_DROPPED: Final = "their definition is not in the new version and is deleted"


@dataclass(frozen=True)
class DefinitionChange:
    """`keep` and `skip`: what is there, or what is missing, is left as it is. `foreign`: it is somebody else's
    (`owner`) and does not serve what this extension needs. `count`: how many objects."""

    name: str
    action: Action
    findings: tuple[Finding, ...] = ()
    stored: tuple[str, ...] = ()
    count: int | None = 0
    place: str = ""
    in_template: bool = False
    owner: str = ""

    @property
    def unsafe(self) -> bool:
        return any(one.unsafe for one in self.findings) and self.action in ("replace", "change")


@dataclass(frozen=True)
class Loss:
    """Data that goes. `count` None: nobody knows how much."""

    what: str
    count: int | None
    why: str
    names: tuple[str, ...] = ()


def definition_changes(world: World) -> list[DefinitionChange]:
    """All definitions of the package."""
    assert world.rendering is not None
    found = [_of_crds(obj, world) for obj in world.rendering.crds if obj.kind == KIND]
    found += [_of_template(obj, world) for obj in world.rendering.objects if obj.kind == KIND]
    return sorted(found, key=lambda one: one.name)


def losses(world: World, changes: Sequence[ObjectChange]) -> list[Loss]:
    """What people stored that is deleted by this plan."""
    removed = [one for one in changes if one.what == "removed"]
    definitions = [one.key.name for one in removed if one.key.kind == KIND]
    found = [_claim(one) for one in removed if one.key.kind == "PersistentVolumeClaim" and not one.key.group]
    if definitions and world.lost is None:
        found += [Loss(f"custom resources of {name}", None, _DROPPED) for name in definitions]
    return [*found, *(Loss(one.kind, one.count, _DROPPED, one.names) for one in world.lost or () if definitions)]


def _of_crds(obj: RenderedObject, world: World) -> DefinitionChange:
    name = obj.name
    if name not in world.definitions:
        return DefinitionChange(name, "unknown", count=None, place=obj.place)
    there = world.definitions[name]
    known = name in world.in_force.definitions
    owner = None if there is None else owner_of(there.obj, _owner(world), known=known)
    done = ruling(None if there is None else there.obj, obj.value, world.policies.crds, owner=owner)
    if there is None:
        return DefinitionChange(name, "create" if done is Ruling.MAKE else "skip", place=obj.place)
    if done is Ruling.REPLACE:
        return _compared(obj, there, "replace", in_template=False)
    whose = "" if owner is None else owner or "nobody's release"
    action: Action = "foreign" if done is Ruling.FOREIGN else "keep"
    return DefinitionChange(name, action, (), _stored(there), there.count, obj.place, owner=whose)


def _owner(world: World) -> Owner:
    return Owner(world.extension, world.extension, world.namespace)


def _of_template(obj: RenderedObject, world: World) -> DefinitionChange:
    if obj.name not in world.definitions:
        return DefinitionChange(obj.name, "unknown", count=None, place=obj.place, in_template=True)
    there = world.definitions[obj.name]
    if there is None:
        return DefinitionChange(obj.name, "create", place=obj.place, in_template=True)
    return _compared(obj, there, "change", in_template=True)


def _compared(obj: RenderedObject, there: Definition, action: Action, *, in_template: bool) -> DefinitionChange:
    stored = _stored(there)
    findings = verdict(there.obj, obj.value, stored, there.count)
    done: Action = action if findings or _differ(there.obj, obj.value) else "unchanged"
    return DefinitionChange(obj.name, done, tuple(findings), stored, there.count, obj.place, in_template)


def _differ(live: Object, new: Object) -> bool:
    """Whether the new one says something else; what the API server filled in is no difference."""
    if field_changes(None, {"spec": new.get("spec")}, live):
        return True
    before, after = versions_of(live), versions_of(new)
    return before.keys() != after.keys() or any(
        field_changes({"schema": before[name].get("schema")}, {"schema": after[name].get("schema")}, before[name])
        for name in before
    )


def _stored(there: Definition) -> tuple[str, ...]:
    return tuple(map(str, cast("Sequence[Any]", status_of(there.obj).get("storedVersions") or ())))


def _claim(one: ObjectChange) -> Loss:
    where = f"{one.key.namespace}/{one.key.name}"
    return Loss("volume claim with its data", 1, "it is not in the new version and is deleted", (where,))
