"""The hash that an approval carries, and what has moved when another one is computed. Pure.

    <what is made from what, 40 hex>.<what it would change, 16 hex>.<seven parts, 8 hex each>

The first names the inputs in full: package, configuration, settings, rendering (but for what differs every time),
rights, and the release that it starts from. The second is the change itself, against the live objects. The parts serve
to say which of them moved; nothing is decided by them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from dovetail.lifecycle.preview.field_changes import FieldChange, field_changes
from dovetail.lifecycle.preview.objects_delta import ObjectChange
from dovetail.lifecycle.preview.secrecy import is_secret
from dovetail.lifecycle.preview.world import ObjectKey, World, keyed

PARTS: Final = (
    "the package", "the configuration", "the platform's settings", "what the templates render to",
    "the permissions", "the release that is in force", "the objects in the cluster",
)  # fmt: skip
_INPUTS, _CHANGE, _PART = 40, 16, 8


def plan_hash(world: World, changes: Iterable[ObjectChange]) -> str:
    """The hash of a plan that renders."""
    inputs, change = _inputs(world), _change(world, changes)
    parts = [_digest(value, _PART) for value in (*inputs, change)]
    return ".".join((_digest(inputs, _INPUTS), _digest(change, _CHANGE), "".join(parts)))


def same_inputs(approved: str, actual: str) -> bool:
    """Whether the same is made from the same, whatever of it is done already."""
    return approved.partition(".")[0] == actual.partition(".")[0]


def moved(approved: str, actual: str) -> list[str]:
    """What is another than approved, for people; everything when the text is no hash of a plan."""
    before, after = (text.rpartition(".")[2] for text in (approved, actual))
    if len(before) != len(after):
        return ["the whole plan"]
    pieces = range(len(PARTS))
    return [PARTS[at] for at in pieces if before[at * _PART : (at + 1) * _PART] != after[at * _PART : (at + 1) * _PART]]


def _inputs(world: World) -> list[Any]:
    assert world.rendering is not None
    expected = world.rendering.expected
    return [
        [world.extension, world.version.version, world.package.digest],
        [world.config, world.policies.crds],
        [world.injected, world.namespace],
        [expected.digest, expected.varying],
        msgspec.to_builtins((world.package.permissions.cluster, world.package.permissions.namespace)),
        world.in_force.revision,
    ]


def _change(world: World, changes: Iterable[ObjectChange]) -> list[Any]:
    varying = _varying(world)
    return [
        [*one.key, one.what, [_field(field, one.key, varying) for field in one.fields]]
        for one in changes
        if one.what != "unchanged"
    ]


def _field(field: FieldChange, key: ObjectKey, varying: Mapping[ObjectKey, frozenset[str]]) -> list[Any]:
    """The values, too, but for secrets: who can read the hash could try what it was made from."""
    if is_secret(key, field):
        return [field.path, field.change]
    values = (_value(value, key, field.path, varying) for value in (field.before, field.after))
    return [field.path, field.change, *values]


def _varying(world: World) -> Mapping[ObjectKey, frozenset[str]]:
    """Fields that another rendering has another value in."""
    assert world.rendering is not None
    first = keyed(world.rendering.objects, world.kinds, world.namespace)
    second = keyed(world.rendering.again, world.kinds, world.namespace)
    return {
        key: frozenset(change.path for change in field_changes(None, obj.value, second[key].value))
        for key, obj in first.items()
        if key in second and obj.value != second[key].value
    }


def _value(value: Any, key: ObjectKey, path: str, varying: Mapping[ObjectKey, frozenset[str]]) -> Any:
    places = varying.get(key, frozenset[str]())
    if any(
        place == path or place.startswith((f"{path}.", f"{path}[")) or path.startswith(f"{place}.") for place in places
    ):
        return "differs every time"
    return value


def _digest(value: Any, length: int) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]
