"""What happens to CustomResourceDefinitions: those of `crds/` by policy, those of templates as objects. Pure.

Each that replaces one of the cluster gets a verdict (`crd_safety`). A definition of a template that the new version
does not have any more is deleted by Helm, and every custom resource with it: that is a loss, and told as one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from dovetail.lifecycle.objects import mapping, status_of
from dovetail.lifecycle.preview.crd_safety import Finding, verdict, versions_of
from dovetail.lifecycle.preview.field_changes import field_changes
from dovetail.lifecycle.preview.objects_delta import ObjectChange
from dovetail.lifecycle.preview.world import Definition, Object, World
from dovetail.packaging.manifests import RenderedObject

Action = Literal["create", "replace", "unchanged", "keep", "skip", "change", "unknown"]
KIND = "CustomResourceDefinition"


@dataclass(frozen=True)
class DefinitionChange:
    """`keep` and `skip`: the policy leaves what is there, or what is missing, as it is. `count`: how many objects."""

    name: str
    action: Action
    findings: tuple[Finding, ...] = ()
    stored: tuple[str, ...] = ()
    count: int | None = 0
    place: str = ""
    in_template: bool = False

    @property
    def unsafe(self) -> bool:
        return any(one.unsafe for one in self.findings) and self.action in ("replace", "change")


@dataclass(frozen=True)
class Loss:
    """Data that goes. `count` None: nobody knows how much."""

    what: str
    count: int | None
    why: str


def definition_changes(world: World) -> list[DefinitionChange]:
    """All definitions of the package."""
    assert world.rendering is not None
    found = [_of_crds(obj, world) for obj in world.rendering.crds if obj.kind == KIND]
    found += [_of_template(obj, world) for obj in world.rendering.objects if obj.kind == KIND]
    return sorted(found, key=lambda one: one.name)


def losses(world: World, changes: Sequence[ObjectChange]) -> list[Loss]:
    """What people stored that is deleted by this plan."""
    return [loss for one in changes if one.what == "removed" for loss in _lost(one, world)]


def _of_crds(obj: RenderedObject, world: World) -> DefinitionChange:
    policy, name = world.policies.crds, obj.name
    if name not in world.definitions:
        return DefinitionChange(name, "unknown", count=None, place=obj.place)
    there = world.definitions[name]
    if there is None:
        first = world.in_force.newest == 0
        return DefinitionChange(name, "create" if first or policy != "Skip" else "skip", place=obj.place)
    if policy != "CreateReplace":
        return DefinitionChange(name, "keep", (), _stored(there), there.count, obj.place)
    return _compared(obj, there, "replace", in_template=False)


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


def _lost(one: ObjectChange, world: World) -> Iterator[Loss]:
    key = one.key
    if key.kind == KIND:
        there = world.definitions.get(key.name)
        count = there.count if there is not None else None
        if count != 0:
            kind = mapping(mapping(there.obj.get("spec")).get("names")).get("kind") if there is not None else key.name
            yield Loss(f"custom resources of kind {kind}", count, f"{key} is not in the new version and is deleted")
    if key.kind == "PersistentVolumeClaim" and not key.group:
        yield Loss(f"the data of volume claim {key.namespace}/{key.name}", 1, "the claim is not in the new version")
