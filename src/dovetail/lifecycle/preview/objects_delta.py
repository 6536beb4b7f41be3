"""Which objects an install or an upgrade adds, changes and removes. Pure.

The release's former manifest, the new one and the live objects are held together as Helm does it: what is in both is
merged, what only the former has is deleted unless it is to be kept, what only the new has is created, unless somebody
else has an object of that name: that is refused. The platform's own objects (account, roles, namespace) count, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from dovetail.apis import labels
from dovetail.kube import annotations_of, labels_of
from dovetail.lifecycle.access import access_objects, namespace_object
from dovetail.lifecycle.objects import mapping
from dovetail.lifecycle.ownership import Owner, foreign
from dovetail.lifecycle.preview.field_changes import FieldChange, field_changes
from dovetail.lifecycle.preview.world import HOOK, KEEP, Object, ObjectKey, World, key_of, keyed
from dovetail.packaging.manifests import RenderedObject
from dovetail.packaging.permissions import Permissions

_NOBODY: Final = "nobody's release: it was made by hand, or by another program"
What = Literal["added", "changed", "removed", "kept", "unchanged", "unknown", "foreign"]


@dataclass(frozen=True)
class ObjectChange:
    """`foreign`: somebody else's object is in the way (`owner`). `unknown`: it could not be read."""

    key: ObjectKey
    what: What
    fields: tuple[FieldChange, ...] = ()
    place: str = ""
    owner: str = ""


@dataclass(frozen=True)
class HookRun:
    """An object that Helm makes for a moment, when `events` happen."""

    key: ObjectKey
    events: str
    place: str
    owner: str = ""
    """Whose object of that name would be deleted before; empty when there is none, or ours."""


def object_changes(world: World) -> list[ObjectChange]:
    """All of them, the unchanged ones as well, in the order of their keys."""
    found = [*_of_release(world), *_of_platform(world)]
    return sorted(found, key=lambda one: one.key)


def hook_runs(world: World) -> list[HookRun]:
    """The hooks of this operation."""
    assert world.rendering is not None
    wanted = ("pre-upgrade", "post-upgrade") if world.in_force.newest else ("pre-install", "post-install")
    known = keyed((*world.in_force.objects, *world.in_force.hooks), world.kinds, world.namespace)
    runs: list[HookRun] = []
    for obj in world.rendering.hooks:
        events = [name.strip() for name in str(obj.annotations.get(HOOK) or "").split(",")]
        key = key_of(obj, world.kinds, world.namespace)
        if key is None or not {*events} & {*wanted}:
            continue
        live = world.live.get(key)
        owner = "" if live is None else _owner(live, world, known=key in known)
        runs.append(HookRun(key, ", ".join(name for name in events if name in wanted), obj.place, owner))
    return runs


def unknown_kinds(world: World) -> list[RenderedObject]:
    """Objects of kinds that neither the cluster nor the package's definitions know: Helm would refuse them."""
    assert world.rendering is not None
    return [
        obj
        for obj in (*world.rendering.objects, *world.rendering.hooks)
        if key_of(obj, world.kinds, world.namespace) is None
    ]


def _of_release(world: World) -> Iterator[ObjectChange]:
    assert world.rendering is not None
    new = keyed(world.rendering.objects, world.kinds, world.namespace)
    old = keyed(world.in_force.objects, world.kinds, world.namespace)
    for key, obj in new.items():
        yield _wanted(key, obj, old.get(key), world)
    for key, obj in old.items():
        if key not in new:
            yield from _dropped(key, obj, world)


def _wanted(key: ObjectKey, obj: RenderedObject, old: RenderedObject | None, world: World) -> ObjectChange:
    if key not in world.live:
        return ObjectChange(key, "unknown", place=obj.place)
    live = world.live[key]
    if live is None:
        return ObjectChange(key, "added", place=obj.place)
    if old is None and (owner := _owner(live, world)):
        return ObjectChange(key, "foreign", place=obj.place, owner=owner)
    wanted = as_helm_applies(obj.value, world)
    changes = tuple(field_changes(old.value if old is not None else None, wanted, live))
    return ObjectChange(key, "changed" if changes else "unchanged", changes, obj.place)


def _dropped(key: ObjectKey, obj: RenderedObject, world: World) -> Iterator[ObjectChange]:
    if key in world.live and world.live[key] is None:
        return
    live = world.live.get(key)
    kept = "keep" in (obj.annotations.get(KEEP), annotations_of(live).get(KEEP) if live is not None else None)
    yield ObjectChange(key, "kept" if kept else "removed" if live is not None else "unknown", place=obj.place)


def _of_platform(world: World) -> Iterator[ObjectChange]:
    """What the platform makes for the extension before Helm runs."""
    space = ObjectKey("", "Namespace", "", world.namespace)
    if space in world.live and world.live[space] is None:
        yield ObjectChange(space, "added")
    for resource, obj in access_objects(world.extension, world.namespace, world.package.permissions):
        about = mapping(obj["metadata"])
        key = ObjectKey(resource.group, resource.kind, str(about.get("namespace") or ""), str(about["name"]))
        if key not in world.live:
            yield ObjectChange(key, "unknown")
        elif (live := world.live[key]) is None:
            yield ObjectChange(key, "added")
        elif (owner := labels_of(live).get(labels.EXTENSION_REF, "")) != world.extension:
            yield ObjectChange(key, "foreign", owner=f"extension {owner}" if owner else _NOBODY)
        else:
            changes = tuple(_exactly(obj, live))
            yield ObjectChange(key, "changed" if changes else "unchanged", changes)


def _exactly(obj: Object, live: Object) -> Iterator[FieldChange]:
    """Rules are replaced as they are: a rule that lost a field is another rule, not a default."""
    for one in field_changes(None, obj, live):
        if one.path != "rules":
            yield one
    if "rules" in obj and list(obj["rules"]) != list(live.get("rules") or ()):
        yield FieldChange("rules", "changed", live.get("rules"), obj["rules"])


def platform_keys(extension: str, namespace: str, permissions: Permissions) -> list[ObjectKey]:
    """The keys of what the platform makes, for whoever reads them."""
    made = namespace_object(extension, namespace)
    keys = [ObjectKey("", "Namespace", "", str(made["metadata"]["name"]))]
    for resource, obj in access_objects(extension, namespace, permissions):
        about = obj["metadata"]
        keys.append(ObjectKey(resource.group, resource.kind, str(about.get("namespace") or ""), str(about["name"])))
    return keys


def as_helm_applies(value: Object, world: World) -> dict[str, Any]:
    """With the marks that Helm puts on every object of a release."""
    about = dict(mapping(value.get("metadata")))
    about["labels"] = {**mapping(about.get("labels")), labels.MANAGED_BY: "Helm"}
    about["annotations"] = {
        **mapping(about.get("annotations")),
        labels.HELM_RELEASE_NAME: world.extension,
        labels.HELM_RELEASE_NAMESPACE: world.namespace,
    }
    return {**value, "metadata": about}


def _owner(live: Object, world: World, *, known: bool = False) -> str:
    """Whose the object is, for people; empty when it is the release's."""
    me = Owner(world.extension, world.extension, world.namespace)
    owner = foreign(live, me, known=known)
    return "" if owner is None else owner or _NOBODY
