"""A plan as text for a terminal: what blocks it first, then what changes, most important first. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dovetail.lifecycle.preview.document import Definition, Plan, ShownObject
from dovetail.lifecycle.visible_text import visible

_SIGNS: Final = {"added": "+", "changed": "~", "removed": "-"}


def lines(plan: Plan) -> Iterator[str]:
    """The lines, without colours; nothing in them moves a cursor or begins another line."""
    for line in _lines(plan):
        yield visible(" ".join(line.split("\n")))


def _lines(plan: Plan) -> Iterator[str]:
    yield _title(plan)
    yield from _section("blocked", (f"! {one.reason}: {one.message}" for one in plan.blocked))
    yield from _section("look twice", (f"! {text}" for text in plan.warnings))
    yield from _section("objects", _objects(plan))
    yield from _section("hooks", (f"> {one.object} ({one.events})" for one in plan.hooks))
    yield from _section("rights", _rights(plan))
    yield from _section("definitions", (line for one in plan.definitions for line in _definition(one)))
    yield from _section("routes", _delta(plan.plugged.routes.added, plan.plugged.routes.lost))
    yield from _section("bundles", _delta(plan.plugged.bundles.added, plan.plugged.bundles.lost))
    yield from _section("menu", _delta(plan.plugged.menus.added, plan.plugged.menus.lost))
    yield from _section("images", _delta(plan.images.added, plan.images.removed))
    yield from _section("dependencies", _dependencies(plan))
    yield from _section("to bring them in order", _resolution(plan))
    yield from _section("values that do not fit the schema", (f"! {text}" for text in plan.values.errors))
    yield from _section("could not be read", (f"? {text}" for text in plan.unreadable))
    yield from _section("differs every time, so not part of the hash", (f"  {text}" for text in plan.varying))
    yield ""
    yield f"plan hash: {plan.hash}" if plan.hash else "no plan hash: the package does not render"


def _title(plan: Plan) -> str:
    what = f"{plan.operation} {plan.extension} {plan.version}"
    from_ = f" over {plan.from_version}" if plan.from_version and plan.from_version != plan.version else ""
    return f"{what}{from_} in namespace {plan.namespace}"


def _section(title: str, content: Iterable[str]) -> Iterator[str]:
    found = list(content)
    if found:
        yield ""
        yield f"{title}:"
        for line in found:
            yield from (f"  {part}" if not at else f"      {part}" for at, part in enumerate(line.splitlines()))


def _objects(plan: Plan) -> Iterator[str]:
    objects = plan.objects
    sections: Sequence[tuple[str, list[ShownObject]]] = (
        ("+", objects.added), ("~", objects.changed), ("-", objects.removed), ("=", objects.kept),
        ("!", objects.foreign), ("?", objects.unknown),
    )  # fmt: skip
    for sign, found in sections:
        for one in found:
            note = " (stays: its policy is keep)" if sign == "=" else f" (is {one.owner})" if one.owner else ""
            yield f"{sign} {named(one)}{note}"
            for field in one.fields:
                yield f"    {_SIGNS[field.change]} {field.path}: {_values(field.before, field.after)}"
    if objects.unchanged:
        yield f"  {objects.unchanged} unchanged"


def named(one: ShownObject) -> str:
    """An object for people: `Deployment.apps space/name`."""
    kind = f"{one.kind}.{one.group}" if one.group else one.kind
    return f"{kind} {one.namespace}/{one.name}" if one.namespace else f"{kind} {one.name}"


def _values(before: str, after: str) -> str:
    if before and after:
        return f"{_line(before)} -> {_line(after)}"
    return _line(after or before)


def _line(text: str) -> str:
    return " ".join(text.split())


def _rights(plan: Plan) -> Iterator[str]:
    for sign, word, rights in (("+", "may", plan.rights.gained), ("-", "may no longer", plan.rights.lost)):
        for one in rights:
            risk = f" [!] it may {', '.join(one.risks)}" if one.risks else ""
            yield f"{sign} {one.holder} {word} {one.words} {one.where}{risk}"


def _definition(one: Definition) -> Iterator[str]:
    count = "an unknown number of objects" if one.objects is None else f"{one.objects} objects"
    yield f"{one.action} {one.name} ({count})"
    for finding in one.findings:
        where = f"{finding.version} {finding.path}".strip()
        yield f"  {'unsafe' if finding.unsafe else 'note'}: {f'{where}: ' if where else ''}{finding.message}"


def _delta(added: Iterable[str], lost: Iterable[str]) -> Iterator[str]:
    yield from (f"+ {text}" for text in added)
    yield from (f"- {text}" for text in lost)


def _resolution(plan: Plan) -> Iterator[str]:
    if plan.resolution is None:
        return
    yield from (f"> {step.en}" for step in plan.resolution.steps)
    if plan.resolution.conflict is not None:
        yield from plan.resolution.conflict.en.splitlines()


def _dependencies(plan: Plan) -> Iterator[str]:
    for one in plan.dependencies:
        need = "needs" if one.required else "can use"
        there = f"{one.installed} is installed" if one.installed else "it is not installed"
        sign = "=" if one.satisfied else "!" if one.required else "?"
        yield f"{sign} {need} {one.name} {one.range or 'in any version'}; {there}"
