"""What changes from one package to another, or from what is installed to a package.

    Side(title, views: {view: objects}, values, permissions)
    compare(old, new) -> Differences(objects, values, permissions, images, crds)

Objects are compared by kind, namespace and name, as values: comments, order of keys and quoting are no change. Rights
are compared part by part (verb on resource), so that a rule written in another way is no change either.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import yaml

from dovetail.packaging.granting import uncovered
from dovetail.packaging.images import images_of
from dovetail.packaging.manifests import RenderedObject
from dovetail.packaging.permissions import Permissions, Rule

Change = Literal["added", "removed", "changed"]
Line = tuple[Change, str]
_GENERATED = ("helm.sh/chart", "app.kubernetes.io/version", "chart")
"""Labels that say the chart's version: they change with every version and say nothing."""


class _Dumper(yaml.CSafeDumper):
    """Texts of several lines one below the other, so that a change in one line is a change in one line."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    lines = "\n".join(line.rstrip() for line in text.split("\n")) if "\n" in text else text
    return yaml.ScalarNode("tag:yaml.org,2002:str", lines, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name for people, its objects view by view, its default values, its permissions."""

    title: str
    views: Mapping[str, Sequence[RenderedObject]]
    values: Mapping[str, Any] | None = None
    permissions: Permissions | None = None


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object that is different; `diff` are lines of a unified diff."""

    view: str
    name: str
    change: Change
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Differences:
    """Everything that is different. Lists of (change, text) for values, permissions and images."""

    objects: tuple[ObjectChange, ...] = ()
    values: tuple[Line, ...] = ()
    permissions: tuple[Line, ...] = ()
    images: tuple[Line, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.objects or self.values or self.permissions or self.images)


def compare(old: Side, new: Side) -> Differences:
    """The differences; what one side does not know (values of what is installed) is not compared."""
    views = dict.fromkeys((*old.views, *new.views))
    objects = [change for view in views for change in _objects(view, old.views.get(view, ()), new.views.get(view, ()))]
    values = () if old.values is None or new.values is None else tuple(_values(old.values, new.values))
    both = (old.permissions, new.permissions)
    permissions = () if both[0] is None or both[1] is None else tuple(_permissions(both[0], both[1]))
    return Differences(tuple(objects), values, permissions, tuple(_images(old, new)))


def _objects(view: str, old: Sequence[RenderedObject], new: Sequence[RenderedObject]) -> Iterator[ObjectChange]:
    before, after = ({_key(obj): obj for obj in side} for side in (old, new))
    for key in sorted({*before, *after}):
        one, other = (_lines(side.get(key)) for side in (before, after))
        if one != other:
            change: Change = "changed" if one and other else "added" if other else "removed"
            diff = tuple(difflib.unified_diff(one, other, f"old {key}", f"new {key}", n=3, lineterm=""))
            yield ObjectChange(view, key, change, diff)


def _key(obj: RenderedObject) -> str:
    group = f".{obj.group}" if obj.group else ""
    where = f"{obj.namespace}/" if obj.namespace else ""
    return f"{obj.kind}{group} {where}{obj.name}"


def _lines(obj: RenderedObject | None) -> list[str]:
    return [] if obj is None else canonical(obj.value).splitlines()


def canonical(value: Mapping[str, Any]) -> str:
    """An object as YAML with sorted keys, without what a chart's version alone changes."""
    return yaml.dump(_stripped(value), Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=1000)


def _stripped(value: Any) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return {key: _stripped(item) for key, item in items if key not in _GENERATED}
    if isinstance(value, list):
        return [_stripped(item) for item in cast("list[Any]", value)]
    return value


def _values(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Line]:
    before, after = dict(_leaves(old, "")), dict(_leaves(new, ""))
    for path in sorted({*before, *after}):
        if path not in after:
            yield "removed", f"{path} (was {_shown(before[path])})"
        elif path not in before:
            yield "added", f"{path} = {_shown(after[path])}"
        elif before[path] != after[path]:
            yield "changed", f"{path}: {_shown(before[path])} -> {_shown(after[path])}"


def _leaves(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        path = f"{prefix}.{key}" if prefix else str(key)
        if isinstance(item, Mapping) and item:
            yield from _leaves(cast("Mapping[str, Any]", item), path)
        else:
            yield path, item


def _shown(value: Any) -> str:
    text = " ".join(str(value).split()) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _permissions(old: Permissions, new: Permissions) -> Iterator[Line]:
    for kind, before, after in (
        ("ClusterRole", old.cluster, new.cluster),
        ("Role", old.namespace, new.namespace),
    ):
        for text in _parts(uncovered(before, after)):
            yield "added", f"{kind}: {text}"
        for text in _parts(uncovered(after, before)):
            yield "removed", f"{kind}: {text}"


def _parts(rules: Iterable[Rule]) -> list[str]:
    """One line a resource: `get, list pods`."""
    verbs: dict[str, list[str]] = {}
    for rule in rules:
        if rule.non_resource_urls:
            what = rule.non_resource_urls[0]
        else:
            what = f"{rule.resources[0]}.{rule.api_groups[0]}".rstrip(".")
            what += f" named {rule.resource_names[0]}" if rule.resource_names else ""
        verbs.setdefault(what, []).append(rule.verbs[0])
    return [f"{', '.join(dict.fromkeys(given))} {what}" for what, given in verbs.items()]


def _images(old: Side, new: Side) -> Iterator[Line]:
    before, after = (
        {image.text for objects in side.views.values() for image in images_of(objects)} for side in (old, new)
    )
    for image in sorted(before ^ after):
        yield ("added" if image in after else "removed"), image
