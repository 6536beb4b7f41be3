"""Looking twice: what waits for somebody, and whether that somebody does anything.

No clocks are compared to find out whether a controller lives: what it should have noticed is looked at again, and only
if nothing has moved in the meantime it is told as unmoved. The age of an object is told by the server's clock alone,
which wrote its creation as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, REPOSITORIES, SUBSCRIPTIONS
from dovetail.helm import storage
from dovetail.kube import (
    LEASES,
    SECRETS,
    ApiError,
    Client,
    ResourceLike,
    finalizers_of,
    is_deleting,
    key_of,
    parse_rfc3339,
    resource_version_of,
)
from dovetail.lifecycle import states
from dovetail.lifecycle.doctor.causes.processes import LEASE
from dovetail.lifecycle.doctor.causes.workloads import counts
from dovetail.lifecycle.doctor.findings import Ref
from dovetail.lifecycle.doctor.links import BUNDLES, ROUTES
from dovetail.lifecycle.doctor.picture import Object, Picture, Unmoved, condition_of, is_hook, ref_of
from dovetail.lifecycle.objects import conditions_of, generation_of, spec_of, status_of
from dovetail.lifecycle.switching import SWITCHED

_FRESH: Final = 20.0
"""A lease that was renewed so few seconds ago needs no second look."""


@dataclass(frozen=True)
class Patience:
    """Seconds: how long nothing may move before nobody works on it, and how long something new is left alone."""

    still: float = 8.0
    settle: float = 60.0


USUAL: Final = Patience()


@dataclass(frozen=True)
class Suspect:
    """Something that waits: where it is, and its version at the first look."""

    of: Ref
    resource: ResourceLike
    name: str
    namespace: str | None
    version: str


def suspects(picture: Picture, patience: Patience) -> list[Suspect]:
    """What somebody should be working on. Pure."""
    found: list[Suspect] = []
    plans = [picture.plan] if picture.extension else picture.all("installplans.kubesphere.io")
    found += [_suspect(plan, INSTALLPLANS) for plan in plans if plan is not None and _is_unseen(picture, plan)]
    for obj in picture.all("repositories.kubesphere.io"):
        limit = patience.settle + 120.0
        if not status_of(obj) and not is_deleting(obj) and picture.age(obj) > limit:
            found.append(_suspect(obj, REPOSITORIES))
    for obj in picture.all("subscriptions.kubesphere.io"):
        if not status_of(obj) and not is_deleting(obj) and picture.age(obj) > patience.settle:
            found.append(_suspect(obj, SUBSCRIPTIONS))
    found += [_suspect(lease, LEASES) for lease in picture.all("leases") if _is_stale(picture, lease)]
    found += _locked(picture)
    for plural, type in ((ROUTES, "Accepted"), (BUNDLES, "Available")):
        for name in plural:
            for obj in picture.all(name):
                new = picture.is_new(obj)
                if not new and not condition_of(obj, type) and status_of(obj).get("state") != labels.STATE_DISABLED:
                    found.append(_suspect(obj, _resource(name)))
    return found


async def look_again(
    client: Client, picture: Picture, patience: Patience,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Picture:  # fmt: skip
    """The same picture, with what has not moved."""
    picture = replace(picture, settle=patience.settle)
    waiting: list[Suspect] = suspects(picture, patience)
    left = patience.still
    while waiting and left > 0:
        pause = min(left, max(0.2, patience.still / 6))
        await sleep(pause)
        left -= pause
        kept = await asyncio.gather(*(_has_not_moved(client, each) for each in waiting))
        waiting = [each for each, unmoved in zip(waiting, kept, strict=True) if unmoved]
    return picture.with_unmoved(Unmoved(each.of, patience.still) for each in waiting)


async def _has_not_moved(client: Client, suspect: Suspect) -> bool:
    try:
        obj = await client.get(suspect.resource, suspect.name, suspect.namespace, metadata_only=True)
    except ApiError:
        return False
    return resource_version_of(obj) == suspect.version


def _is_unseen(picture: Picture, plan: Object) -> bool:
    """The plan says something that its status does not know of yet, and no operation runs that must end first."""
    status = status_of(plan)
    if spec_of(plan).get("paused") is True or any(is_deleting(each) for each in picture.all("namespaces")):
        return False  # nothing is written while a plan is paused, or waits for its namespace to go
    if is_deleting(plan):
        if condition_of(plan, states.COND_DEPENDENCIES).get("status") == "False":
            return False  # others need it: the state stays until they are gone
        ours = labels.INSTALLPLAN_PROTECTION in finalizers_of(plan)
        return ours and status.get("state") not in (states.UNINSTALLING, states.UNINSTALL_FAILED)
    behind = generation_of(plan) > int(status.get("observedGeneration") or 0)
    latest = storage.latest(picture.records)
    runs = latest is not None and latest.status in storage.PENDING and _something_runs(picture)
    return behind and not runs


def _locked(picture: Picture) -> list[Suspect]:
    latest = storage.latest(picture.records)
    if latest is None or latest.status not in storage.PENDING or _something_runs(picture):
        return []
    secret = picture.one("secrets", latest.secret, latest.namespace)
    if secret is None or picture.is_new(secret):
        return []
    ref = Ref("Release", latest.name, latest.namespace)
    return [Suspect(ref, SECRETS, latest.secret, latest.namespace, resource_version_of(secret))]


def _something_runs(picture: Picture) -> bool:
    """A hook that Helm waits for, or a workload that is not ready."""
    hooks = [each for each in picture.all("jobs") if is_hook(each)]
    ended = {("Complete", "True"), ("Failed", "True")}
    if any(not ended & {(c.get("type"), c.get("status")) for c in conditions_of(job)} for job in hooks):
        return True
    pods = [pod for pod in picture.all("pods") if is_hook(pod)]
    if any(status_of(pod).get("phase") not in ("Succeeded", "Failed") for pod in pods):
        return True
    workloads = (obj for plural in ("deployments", "statefulsets", "daemonsets") for obj in picture.all(plural))
    return any(ready < wanted for ready, wanted in map(counts, workloads))


def _is_stale(picture: Picture, lease: Object) -> bool:
    spec = spec_of(lease)
    if not spec.get("holderIdentity") or key_of(lease).name != LEASE:
        return False
    return not 0 <= _seconds(str(spec.get("renewTime") or ""), picture.now) <= _FRESH


def _seconds(since: str, until: str) -> float:
    try:
        return (parse_rfc3339(until) - parse_rfc3339(since)).total_seconds()
    except ValueError:
        return 0.0


def _suspect(obj: Object, resource: ResourceLike) -> Suspect:
    key = key_of(obj)
    return Suspect(ref_of(obj), resource, key.name, key.namespace or None, resource_version_of(obj))


def _resource(plural: str) -> ResourceLike:
    known: Mapping[str, ResourceLike] = {f"{each.plural}.{each.group}": each for each in SWITCHED}
    return known[plural]
