"""From everything that was gathered to the plan: pure, one function.

What would be refused blocks the plan: by the platform (constraints, dependencies, protected namespaces, unsafe
definitions, objects of others), by Helm (values against the schema, templates, unknown kinds), or by the API (rights
that the account lacks). What is allowed and worth a second look is a warning.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, Literal

import msgspec

from dovetail.apis.dialects import Dependency
from dovetail.lifecycle import constraints
from dovetail.lifecycle.access import is_protected
from dovetail.lifecycle.dependencies import gate
from dovetail.lifecycle.dependencies.ranges import fits
from dovetail.lifecycle.dependencies.standing import EXTENSION, Held
from dovetail.lifecycle.facts import Namespace, Problem
from dovetail.lifecycle.interrupts import ALLOW_UNSAFE_CRDS
from dovetail.lifecycle.observing import IGNORE_DEPENDENTS
from dovetail.lifecycle.preview import document
from dovetail.lifecycle.preview.definitions_delta import DefinitionChange, Loss, definition_changes, losses
from dovetail.lifecycle.preview.document import Block, Plan
from dovetail.lifecycle.preview.hashing import plan_hash
from dovetail.lifecycle.preview.objects_delta import HookRun, ObjectChange, hook_runs, object_changes, unknown_kinds
from dovetail.lifecycle.preview.plugged_delta import Names, PluggedChanges, plugged_changes
from dovetail.lifecycle.preview.resolving import resolution
from dovetail.lifecycle.preview.rights_delta import RightsChange, rights_changes
from dovetail.lifecycle.preview.secrecy import shown
from dovetail.lifecycle.preview.world import World
from dovetail.packaging.images import images_of
from dovetail.packaging.versions import Version

Operation = Literal["install", "upgrade", "downgrade", "change"]
SCHEMA_FILE: Final = "values.schema.json"
_TOLD: Final = 10


def make_plan(world: World) -> Plan:
    """The plan of this world. Total: a package that does not render is a plan that is blocked."""
    if world.rendering is None:
        return _unrendered(world)
    changes = object_changes(world)
    hooks, rights = hook_runs(world), rights_changes(world)
    definitions, lost, plugged = definition_changes(world), losses(world, changes), plugged_changes(world)
    blocked = [
        *_refused_by_the_platform(world),
        *_refused_for_others(changes, hooks),
        *_refused_definitions(world, definitions),
        *_refused_by_helm(world),
        *_refused_by_the_api(world, definitions),
        *(Block(reason="Refused", message=f"{one.key} ({one.place}): {one.message}") for one in world.refused),
    ]
    return msgspec.structs.replace(
        _about(world),
        hash=plan_hash(world, changes),
        blocked=blocked,
        warnings=[*_warnings(world, rights, definitions, lost, plugged)],
        objects=_objects(changes),
        hooks=[document.Hook(object=str(one.key), events=one.events, place=one.place) for one in hooks],
        rights=_rights(rights),
        definitions=[_definition(one) for one in definitions],
        data_loss=[
            document.LostData(what=one.what, count=one.count, why=one.why, names=list(one.names)) for one in lost
        ],
        plugged=_plugged(plugged),
        images=_images(world),
        varying=list(world.rendering.expected.varying),
    )


def _unrendered(world: World) -> Plan:
    errors = _schema_errors(world.refusal)
    reason = "InvalidValues" if errors else "RenderFailed"
    message = f"the configuration does not fit the schema: {'; '.join(errors)}" if errors else world.refusal
    return msgspec.structs.replace(
        _about(world),
        blocked=[*_refused_by_the_platform(world), Block(reason=reason, message=message)],
    )


def _about(world: World) -> Plan:
    """What every plan says, whether it renders or not."""
    return Plan(
        extension=world.extension,
        version=world.version.version,
        namespace=world.namespace,
        operation=operation(world),
        from_version=world.in_force.version,
        revision=world.in_force.revision,
        values=document.Values(schema=_has_schema(world), errors=_schema_errors(world.refusal)),
        dependencies=[*_dependencies(world)],
        resolution=resolution(world.answer) if world.answer is not None else None,
        lookup=_lookup(world),
        unreadable=list(world.unreadable),
    )


def operation(world: World) -> Operation:
    """What it is to the release that is in force."""
    before, after = world.in_force.version, world.version.version
    if not world.in_force.revision:
        return "install"
    if not before or before == after:
        return "change"
    return "downgrade" if Version.parse(after) < Version.parse(before) else "upgrade"


def _refused_by_the_platform(world: World) -> Iterator[Block]:
    if world.leaving:
        message = f"{world.extension} is being uninstalled; wait until its InstallPlan is gone, then install it anew"
        yield Block(reason="Uninstalling", message=message)
    if is_protected(world.namespace):
        message = f"no extension may be installed into {world.namespace}; choose another targetNamespace"
        yield Block(reason="ProtectedNamespace", message=message)
    if world.namespace_state == Namespace.TERMINATING.value:
        message = f"namespace {world.namespace} is being deleted; wait until it is gone"
        yield Block(reason="NamespaceTerminating", message=message)
    if why := constraints.refusal(world.version, world.platform):
        yield Block(reason="Incompatible", message=why)
    if (problem := dependency_problem(world)) is not None:
        yield Block(reason=problem.reason, message=problem.message)


def dependency_problem(world: World) -> Problem | None:
    """What stands in the way of this version, of what it needs and what needs it."""
    if world.in_force.version == world.version.version:
        return None
    return gate.missing(
        world.extension,
        Held(world.version.version, world.version.external_dependencies),
        world.standing,
        lambda name: world.published.get(name, ()),
        ignore_dependents=IGNORE_DEPENDENTS in world.annotations,
    )


def _refused_for_others(changes: Iterable[ObjectChange], hooks: Iterable[HookRun]) -> Iterator[Block]:
    for one in changes:
        if one.what == "foreign":
            message = f"{one.key} is there already and belongs to {one.owner}; rename one of them, or delete that one"
            yield Block(reason="ForeignObject", message=message)
    for hook in hooks:
        if hook.owner:
            message = f"the hook {hook.key} would replace an object that belongs to {hook.owner}; rename one of them"
            yield Block(reason="ForeignObject", message=message)


def _refused_definitions(world: World, definitions: Iterable[DefinitionChange]) -> Iterator[Block]:
    for one in definitions:
        if one.action == "foreign":
            message = (
                f"{one.name} is there, belongs to {one.owner}, and does not serve the versions that this extension "
                "needs; uninstall one of the two"
            )
            yield Block(reason="ForeignObject", message=message)
        if one.unsafe and not one.in_template and ALLOW_UNSAFE_CRDS not in world.annotations:
            reasons = [f"{each.path or one.name}: {each.message}" for each in one.findings if each.unsafe]
            message = (
                f"the new {one.name} is not safe for what is stored: {_some(reasons)}; save the objects, then set the "
                f"annotation {ALLOW_UNSAFE_CRDS} on the InstallPlan, or stay with this version"
            )
            yield Block(reason="UnsafeCRDChange", message=message)


def _refused_by_helm(world: World) -> Iterator[Block]:
    for obj in unknown_kinds(world):
        message = (
            f"{obj.title} ({obj.place}) is of kind {obj.api_version} {obj.kind}, which the cluster does not serve; "
            "install what brings it first"
        )
        yield Block(reason="UnknownKind", message=message)


def _refused_by_the_api(world: World, definitions: Iterable[DefinitionChange]) -> Iterator[Block]:
    """What the account would lack, as far as the package's own rules of checking tell it for sure."""
    from dovetail.packaging.examined import Examined, View
    from dovetail.packaging.rules import sufficiency

    assert world.rendering is not None
    written = {one.name for one in definitions if one.action in ("create", "replace")}
    crds = tuple(obj for obj in world.rendering.crds if obj.name in written)
    objects = (*world.rendering.objects, *world.rendering.hooks)
    metadata = msgspec.structs.replace(world.package.metadata, namespace=world.namespace)
    examined = Examined(replace(world.package, metadata=metadata), (View("host", objects, crds),))
    for rule, reason in ((sufficiency.missing, "PermissionMissing"), (sufficiency.escalation, "Escalation")):
        for finding in rule(examined):
            if finding.severity == "error":
                yield Block(reason=reason, message=f"{finding.place}: {finding.message}. {finding.fix}")


def _warnings(
    world: World, rights: Iterable[RightsChange], definitions: Iterable[DefinitionChange], lost: Iterable[Loss],
    plugged: PluggedChanges,
) -> Iterator[str]:  # fmt: skip
    if world.rendering is not None and (unstable := world.rendering.expected.unstable):
        places = f"{', '.join(unstable[:5])}{f' and {len(unstable) - 5} more' if len(unstable) > 5 else ''}"
        yield f"objects, images or rights differ every time, so no approval of this plan will hold: {places}"
    if world.policies.paused:
        yield "the InstallPlan is paused: nothing of this is done until spec.paused is false"
    for loss in lost:
        how_many = "an unknown number of" if loss.count is None else f"{loss.count} x"
        examples = f", such as {', '.join(loss.names[:5])}" if loss.names else ""
        yield f"data would be lost: {how_many} {loss.what}{examples} ({loss.why})"
    risky = {f"{one.holder} may {risk}" for one in rights if one.gained for risk in one.risks}
    yield from sorted(risky)
    for one in definitions:
        for finding in one.findings:
            if not finding.unsafe or one.in_template or ALLOW_UNSAFE_CRDS in world.annotations:
                yield f"{one.name}: {finding.path + ': ' if finding.path else ''}{finding.message}"
    yield from (one.message for one in plugged.overlaps)
    yield from plugged.unusable
    if world.answered.used and not world.answered.as_account:
        who = world.answered.by
        yield f"templates can ask the cluster (lookup), and {who} answered instead of the extension's account"


def _objects(changes: Iterable[ObjectChange]) -> document.Objects:
    by_change: dict[str, list[document.ShownObject]] = {}
    unchanged = 0
    for one in changes:
        unchanged += one.what == "unchanged"
        by_change.setdefault(one.what, []).append(_object(one))
    by_change.pop("unchanged", None)
    return document.Objects(unchanged=unchanged, **by_change)


def _object(one: ObjectChange) -> document.ShownObject:
    fields: list[document.ShownField] = []
    for change in one.fields:
        before, after = shown(one.key, change)
        fields.append(document.ShownField(path=change.path, change=change.change, before=before, after=after))
    key = one.key
    return document.ShownObject(
        kind=key.kind, name=key.name, group=key.group, namespace=key.namespace, fields=fields, place=one.place,
        owner=one.owner,
    )  # fmt: skip


def _rights(changes: Iterable[RightsChange]) -> document.Rights:
    sides: tuple[list[document.Right], list[document.Right]] = ([], [])
    for one in changes:
        right = document.Right(holder=one.holder, where=one.where, words=one.words, risks=list(one.risks))
        sides[not one.gained].append(right)
    return document.Rights(gained=sides[0], lost=sides[1])


def _definition(one: DefinitionChange) -> document.Definition:
    findings = [
        document.Safety(
            change=each.change, message=each.message, version=each.version, path=each.path, unsafe=each.unsafe
        )
        for each in one.findings
    ]
    return document.Definition(
        name=one.name, action=one.action, stored_versions=list(one.stored), objects=one.count, findings=findings,
        in_template=one.in_template, owner=one.owner,
    )  # fmt: skip


def _plugged(changes: PluggedChanges) -> document.Plugged:
    def delta(names: Names) -> document.Delta:
        return document.Delta(added=list(names.added), lost=list(names.lost))

    return document.Plugged(
        routes=delta(changes.routes),
        bundles=delta(changes.bundles),
        menus=delta(changes.menus),
        overlaps=[document.Shared(what=one.what, message=one.message, witness=one.witness) for one in changes.overlaps],
        unusable=list(changes.unusable),
    )


def _images(world: World) -> document.Images:
    assert world.rendering is not None
    before = {image.text for image in images_of((*world.in_force.objects, *world.in_force.hooks))}
    after = {image.text for image in images_of((*world.rendering.objects, *world.rendering.hooks))}
    return document.Images(added=sorted(after - before), removed=sorted(before - after), kept=sorted(after & before))


def _dependencies(world: World) -> Iterator[document.Needed]:
    for one in world.version.external_dependencies:
        if one.type == EXTENSION:
            yield _needed(one, world)


def _needed(one: Dependency, world: World) -> document.Needed:
    held = world.standing.installed.get(one.name)
    version = held.version if held is not None else ""
    satisfied = bool(version) and fits(one.version, version)
    return document.Needed(
        name=one.name, range=one.version, required=one.required, installed=version, satisfied=satisfied
    )


def _lookup(world: World) -> document.Lookup:
    answered = world.answered
    return document.Lookup(used=answered.used, by=answered.by, as_account=answered.as_account)


def _has_schema(world: World) -> bool:
    return any(path.rpartition("/")[2] == SCHEMA_FILE for path in world.package.files)


def _schema_errors(refusal: str) -> list[str]:
    """What Helm says of values, `- at '/path': ...` below the name of each chart; nothing for other refusals."""
    found: list[str] = []
    chart = ""
    for line in refusal.splitlines():
        if line.startswith("- at "):
            found.append(f"{chart}: {line.removeprefix('- at ')}")
        elif line.endswith(":"):
            chart = line.removesuffix(":")
    return found


def _some(reasons: list[str]) -> str:
    more = f"; and {len(reasons) - _TOLD} more" if len(reasons) > _TOLD else ""
    return "; ".join(reasons[:_TOLD]) + more
