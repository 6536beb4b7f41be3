"""What of the console and its API an extension adds, loses, or shares with others. Pure.

Routes are compiled by the gateway's own compiler with the cluster's other extensions, as they are now and as they would
be: what it has to say about the second that it does not say about the first is news. Menu entries are those of
ExtensionEntries; what a bundle adds when it runs, nobody knows before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dovetail.apis import labels
from dovetail.apis.dialects.js_bundle import bundle_link
from dovetail.apis.errors import InvalidObject
from dovetail.kube import key_of, labels_of
from dovetail.lifecycle.objects import mapping, spec_of
from dovetail.lifecycle.preview.world import Object, World
from dovetail.packaging.manifests import RenderedObject, items
from dovetail.routing.compiler import CompilerInput, compile_table
from dovetail.routing.problems import Problem
from dovetail.routing.sources import read_objects

ROUTED: Final = ("APIService", "ReverseProxy")
PLUGGED: Final = (*ROUTED, "JSBundle", "ExtensionEntry")
_GROUPS: Final = ("extensions.kubesphere.io", "kubesphere.io")


@dataclass(frozen=True)
class Names:
    """One kind of thing: what there will be more, what less."""

    added: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overlap:
    """Two extensions want the same. `message` says who wins, with a request that both take."""

    what: str
    message: str
    witness: str = ""


@dataclass(frozen=True)
class PluggedChanges:
    routes: Names = Names()
    bundles: Names = Names()
    menus: Names = Names()
    overlaps: tuple[Overlap, ...] = ()
    unusable: tuple[str, ...] = ()
    """Routes and bundles that nobody could use, and why."""


def plugged_changes(world: World) -> PluggedChanges:
    """All of it."""
    assert world.rendering is not None
    old = [obj.value for obj in world.in_force.objects if _is_plugged(obj)]
    new = [obj.value for obj in world.rendering.objects if _is_plugged(obj)]
    ours = {_identity(obj) for obj in old} | {_identity(obj) for obj in new}
    live = {_identity(obj): obj for obj in world.plugged}
    others = [obj for obj in world.plugged if _identity(obj) not in ours and not _belongs(obj, world.extension)]
    before, told = _routes([*others, *(live.get(_identity(obj), obj) for obj in old)])
    after, problems = _routes([*others, *(_aged(obj, live.get(_identity(obj))) for obj in new)])
    news = [one for one in problems if (one.reason, one.message) not in {(old.reason, old.message) for old in told}]
    own = {(obj.get("kind"), key_of(obj).name) for obj in new}
    links, broken = _links(new, world)
    menus = list(_entries(new))
    overlaps = (*_route_overlaps(news), *_menu_overlaps(menus, others))
    unusable = (f"{one.kind} {one.name}: {one.message}" for one in news
                if one.reason in ("Invalid", "Reserved") and (one.kind, one.name) in own)  # fmt: skip
    return PluggedChanges(
        _names(_of(before, old), _of(after, new)),
        _names(_links(old, world)[0], links),
        _names((text for text, _ in _entries(old)), (text for text, _ in menus)),
        overlaps,
        (*unusable, *broken),
    )


def _names(before: Iterable[str], after: Iterable[str]) -> Names:
    one, other = set(before), set(after)
    return Names(tuple(sorted(other - one)), tuple(sorted(one - other)))


def _is_plugged(obj: RenderedObject) -> bool:
    return obj.kind in PLUGGED and obj.group in _GROUPS


def _identity(obj: Object) -> tuple[str, str, str]:
    return str(obj.get("apiVersion")), str(obj.get("kind")), key_of(obj).name


def _belongs(obj: Object, extension: str) -> bool:
    return labels_of(obj).get(labels.EXTENSION_REF) == extension


def _aged(obj: Object, live: Object | None) -> Object:
    """A new object is the youngest, one that is there keeps its age: the older wins."""
    if live is None:
        return obj
    kept = {key: mapping(live.get("metadata")).get(key) for key in ("creationTimestamp", "uid")}
    return {**obj, "metadata": {**mapping(obj.get("metadata")), **kept}}


def _routes(objects: Iterable[Object]) -> tuple[Mapping[str, list[str]], list[Problem]]:
    """(by owner, what it takes; what there is to say)."""
    read = read_objects(obj for obj in objects if obj.get("kind") in ROUTED)
    given = CompilerInput(api_services=read.api_services, reverse_proxies=read.reverse_proxies)
    compilation = compile_table(given)
    found: dict[str, list[str]] = {}
    for route in compilation.table.routes:
        match = route.match
        path = match.path + ("/*" if match.kind == "prefix" and not match.path.endswith("/") else "")
        methods = " ".join(match.methods) or "*"
        found.setdefault(route.id.partition("#")[0], []).append(f"{methods} {path}")
    return found, [*read.problems, *compilation.problems]


def _of(routes: Mapping[str, list[str]], objects: Iterable[Object]) -> Iterator[str]:
    for obj in objects:
        group = str(obj.get("apiVersion")).partition("/")[0]
        yield from routes.get(f"{obj.get('kind')}.{group}/{key_of(obj).name}", ())


def _links(objects: Iterable[Object], world: World) -> tuple[list[str], list[str]]:
    """The public paths of bundles, and what is wrong with those that have none."""
    found: list[str] = []
    broken: list[str] = []
    for obj in objects:
        if obj.get("kind") != "JSBundle":
            continue
        marks = {**labels_of(obj), labels.EXTENSION_REF: world.extension}
        try:
            found.append(bundle_link({**obj, "metadata": {**mapping(obj.get("metadata")), "labels": marks}}))
        except InvalidObject as error:
            broken.append(str(error))
    return found, broken


def _entries(objects: Iterable[Object]) -> Iterator[tuple[str, str]]:
    """(a menu entry for people, its name)."""
    for obj in objects:
        if obj.get("kind") != "ExtensionEntry":
            continue
        for entry in map(mapping, items(spec_of(obj).get("entries"))):
            name, parent = str(entry.get("name") or ""), str(entry.get("parent") or "")
            yield (f"{name} below {parent}" if parent else name), name


def _route_overlaps(problems: Iterable[Problem]) -> Iterator[Overlap]:
    for one in problems:
        if one.reason in ("Conflict", "Shadowed"):
            yield Overlap("route", f"{one.kind} {one.name}: {one.message}", one.witness)


def _menu_overlaps(menus: Iterable[tuple[str, str]], others: Iterable[Object]) -> Iterator[Overlap]:
    taken = {
        name: labels_of(obj).get(labels.EXTENSION_REF) or key_of(obj).name
        for obj in others
        for _, name in _entries([obj])
    }
    for _, name in menus:
        if name in taken:
            yield Overlap("menu", f"the menu entry {name} is also one of {taken[name]}")
