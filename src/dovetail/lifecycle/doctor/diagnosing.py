"""The whole way: look, look again where somebody should have moved, find causes, rank them."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from dovetail.apis import labels
from dovetail.kube import DAEMONSETS, DEPLOYMENTS, STATEFULSETS, Client, is_deleting, key_of, labels_of
from dovetail.lifecycle import states
from dovetail.lifecycle.doctor.causes import (
    drifted,
    namespaces,
    plans,
    pods,
    processes,
    releases,
    repositories,
    routes,
    workloads,
)
from dovetail.lifecycle.doctor.causes.workloads import counts
from dovetail.lifecycle.doctor.findings import Finding, Ref
from dovetail.lifecycle.doctor.gathering import look_at_extension, look_at_platform, plural_of
from dovetail.lifecycle.doctor.picture import Object, Picture, Unread
from dovetail.lifecycle.doctor.ranking import Diagnosis, Root, ranked
from dovetail.lifecycle.doctor.reading import Reader
from dovetail.lifecycle.doctor.waiting import USUAL, Patience, look_again
from dovetail.lifecycle.objects import generation_of, mapping, spec_of, status_of
from dovetail.lifecycle.switching import SWITCHED

_FAMILIES: Final = (processes, plans, repositories, releases, namespaces, workloads, pods, routes, drifted)
_SIDE_BY_SIDE: Final = 8
_MOST: Final = 20
"""Extensions that an overview looks into; the others that look unwell are named."""


async def examine(client: Client, extension: str, patience: Patience = USUAL) -> Diagnosis:
    """One extension. Raises KubeError when the cluster does not answer."""
    picture = await look_again(client, await look_at_extension(client, extension), patience)
    return diagnose(picture)


async def examine_platform(client: Client, patience: Patience = USUAL) -> list[Diagnosis]:
    """The platform's own parts first, then every extension that looks unwell. Raises KubeError."""
    picture = await look_again(client, await look_at_platform(client), patience)
    reader = Reader(client)
    unwell = sorted(set(await _unwell(reader, picture)))
    limit = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(name: str) -> Diagnosis:
        async with limit:
            return await examine(client, name, patience)

    found = await asyncio.gather(*(one(name) for name in unwell[:_MOST]))
    own = diagnose(picture)
    unread = [*own.unread, *reader.unread]
    shared, found = hoisted(own.roots, found)
    if left := unwell[_MOST:]:
        commands = ", ".join(f"dovetail doctor {name}" for name in left[:5])
        unread.append(Unread(f"{len(left)} more extensions that look unwell", f"look with {commands}"))
    return [Diagnosis("", own.state, shared, tuple(unread)), *found]


def hoisted(own: Sequence[Root], found: Sequence[Diagnosis]) -> tuple[tuple[Root, ...], list[Diagnosis]]:
    """Root causes that several extensions have, told once: as the platform's, with all their symptoms. Pure."""
    shared: dict[tuple[str, Ref], Root] = {_identity(root): root for root in own}
    counted = Counter(_identity(root) for diagnosis in found for root in diagnosis.roots)
    for diagnosis in found:
        for root in diagnosis.roots:
            known = shared.get(_identity(root))
            if known is not None:
                symptoms = {(one.cause.code, one.subject): one for one in (*known.symptoms, *root.symptoms)}
                shared[_identity(root)] = Root(known.finding, tuple(symptoms.values()))
            elif counted[_identity(root)] > 1 or root.finding.subject.kind == "Process":
                shared[_identity(root)] = root
    kept = [
        replace(each, roots=tuple(root for root in each.roots if _identity(root) not in shared)) for each in found
    ]  # fmt: skip
    return tuple(sorted(shared.values(), key=lambda root: root.finding.cause.severity)), kept


def _identity(root: Root) -> tuple[str, Ref]:
    return root.finding.cause.code, root.finding.subject


def diagnose(picture: Picture) -> Diagnosis:
    """From a picture to its root causes. Pure."""
    return Diagnosis(picture.extension, state_of(picture), ranked(picture, findings(picture)), picture.unread)


def findings(picture: Picture) -> Iterator[Finding]:
    """Everything that is wrong in a picture, roots and symptoms alike. Pure."""
    for family in _FAMILIES:
        yield from family.look(picture)
    yield from plans.versions_that_say_why(picture)


def state_of(picture: Picture) -> str:
    """Where things stand, in one line."""
    if not picture.extension:
        plans_, sources = picture.all("installplans.kubesphere.io"), picture.all("repositories.kubesphere.io")
        return f"{len(plans_)} install plans, {len(sources)} repositories"
    plan = picture.plan
    if plan is None:
        return "not installed"
    status = status_of(plan)
    state = str(status.get("state") or "new")
    words = [state, str(status.get("version") or "")]
    if state == states.INSTALLED:
        words.append("enabled" if status.get("enabled") else "disabled")
    progress = mapping(status.get("progress"))
    if progress and state in states.WORKING | {states.UNINSTALLING}:
        words.append(f"{progress.get('percent')} % {progress.get('step') or ''} {progress.get('object') or ''}".strip())
    return " ".join(filter(None, words))


async def _unwell(reader: Reader, picture: Picture) -> list[str]:
    """Extensions that a closer look is for."""
    found = [key_of(plan).name for plan in picture.all("installplans.kubesphere.io") if _looks_unwell(plan)]
    marked = (*SWITCHED, DEPLOYMENTS, STATEFULSETS, DAEMONSETS)
    pages = await asyncio.gather(*(reader.page(resource, selector=labels.EXTENSION_REF) for resource in marked))
    nodes = bool(picture.all("nodes"))
    for resource, objects in zip(marked, pages, strict=True):
        for obj in objects or ():
            workload = plural_of(resource) in ("deployments", "statefulsets", "daemonsets")
            if (workload and nodes and _lacks_pods(obj)) or (not workload and _is_out(obj, nodes)):
                found.append(labels_of(obj)[labels.EXTENSION_REF])
    return found


def _looks_unwell(plan: Object) -> bool:
    status = status_of(plan)
    behind = generation_of(plan) > int(status.get("observedGeneration") or 0)
    bad = any(_is_bad(each) for each in _conditions(status))
    quiet = status.get("state") == states.INSTALLED and not behind and not bad
    held = is_deleting(plan) or spec_of(plan).get("paused") is True or bool(status.get("drift"))
    return not quiet or held


def _is_bad(condition: Object) -> bool:
    type, status = condition.get("type"), condition.get("status")
    return (type, status) in (("Tested", "False"), ("RolledBack", "True"), ("Dependencies", "False"))


def _conditions(status: Object) -> Sequence[Object]:
    value: Iterable[object] = status.get("conditions") or ()
    return [mapping(each) for each in value]


def _lacks_pods(workload: Object) -> bool:
    ready, wanted = counts(workload)
    return ready < wanted


def _is_out(obj: Object, nodes: bool) -> bool:
    """An object of the extension that is not in force. Without nodes nobody expects its backend to answer."""
    conditions = _conditions(status_of(obj))
    if not conditions and status_of(obj).get("state") != labels.STATE_DISABLED and obj.get("kind") != "ExtensionEntry":
        return True
    reasons = {str(each.get("reason")) for each in conditions if each.get("status") == "False"}
    if not nodes:
        reasons -= {"MissingEndpoints"}
    return bool(reasons)
