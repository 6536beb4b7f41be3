"""The InstallPlan itself: what it asks for, what its condition says, whether it waits for a person."""

from collections.abc import Iterator
from dataclasses import replace
from shlex import quote
from typing import Final

from dovetail.apis import labels
from dovetail.kube import finalizers_of, is_deleting, labels_of
from dovetail.lifecycle import progress, states
from dovetail.lifecycle.doctor import refusals
from dovetail.lifecycle.doctor.causes import gone
from dovetail.lifecycle.doctor.causes.plan_words import (
    APPROVAL_REQUIRED,
    ATTEMPTS_EXHAUSTED,
    CLUSTER_FAILED,
    CRD_UNSAFE,
    DEPENDENCY_BROKEN,
    DEPENDENCY_MISSING,
    DEPENDENTS_BROKEN,
    DEPENDENTS_HOLD,
    DIGEST_MISMATCH,
    FINALIZER_HOLDS,
    INCOMPATIBLE,
    MISSING_PERMISSION,
    NAME_MISMATCH,
    NAMESPACE_PROTECTED,
    NO_MORE_ATTEMPTS,
    NOT_PUBLISHED,
    OBJECT_TAKEN,
    OPERATION_FAILED,
    PACKAGE_UNAVAILABLE,
    PACKAGE_UNUSABLE,
    PAUSED,
    PLAN_INVALID,
    PLAN_STALE,
    RETRY_WAITS,
    ROLLBACK_FAILED,
    ROLLED_BACK,
    SUBSCRIPTION_REFUSED,
    TESTS_FAILED,
    UNKNOWN_EXTENSION,
    UNSIGNED,
    VERSION_NOT_FOUND,
)
from dovetail.lifecycle.doctor.commands import again, edit, patch_plan, show
from dovetail.lifecycle.doctor.findings import Cause, Evidence, Finding, Ref, Retry, Severity, evidence
from dovetail.lifecycle.doctor.picture import Object, Picture, condition_of, is_ours, items, ref_of
from dovetail.lifecycle.objects import conditions_of, mapping, spec_of, status_of

_BY_REASON: Final[dict[str, Cause]] = {
    "InvalidPlan": PLAN_INVALID,
    "NameMismatch": NAME_MISMATCH,
    "ProtectedNamespace": NAMESPACE_PROTECTED,
    "VersionNotFound": VERSION_NOT_FOUND,
    "Incompatible": INCOMPATIBLE,
    "ApprovalRequired": APPROVAL_REQUIRED,
    "PlanStale": PLAN_STALE,
    "DependencyMissing": DEPENDENCY_MISSING,
    "DependentsBroken": DEPENDENTS_BROKEN,
    "PackageUnavailable": PACKAGE_UNAVAILABLE,
    "DigestMismatch": DIGEST_MISMATCH,
    "Unsigned": UNSIGNED,
    "UnusablePackage": PACKAGE_UNUSABLE,
    "UnsafeCRDChange": CRD_UNSAFE,
    "ForeignObject": OBJECT_TAKEN,
    "MissingPermission": MISSING_PERMISSION,
    "TestsFailed": replace(TESTS_FAILED, severity=Severity.PROBLEM),
}
_BESIDE: Final = (
    (states.COND_ROLLED_BACK, "True", ROLLED_BACK),
    (states.COND_ROLLED_BACK, "False", ROLLBACK_FAILED),
    (states.COND_TESTED, "False", TESTS_FAILED),
)
_OF_ATTEMPTS: Final = (states.COND_UPGRADED, states.COND_INSTALLED, states.COND_UNINSTALLED)


def look(picture: Picture) -> Iterator[Finding]:
    plan = picture.plan
    if plan is None:
        yield from _without_plan(picture)
        return
    yield from _subscriptions(picture)
    if is_deleting(plan):
        yield from _held(plan)
    if spec_of(plan).get("paused") is True and not is_deleting(plan):
        proof = evidence(ref_of(plan), "spec.paused is true")
        resume = patch_plan(picture.extension, '{"spec":{"paused":false}}')
        yield Finding(PAUSED, ref_of(plan), (proof,), commands=(resume,))
    yield from _failed(picture, plan)
    yield from _told_beside(picture, plan)
    yield from _clusters(plan)


def failure(plan: Object) -> tuple[str, str, str] | None:
    """(condition, reason, message) of what failed or was refused last; None when nothing is wrong."""
    state = str(status_of(plan).get("state") or "")
    for type in _OF_ATTEMPTS:
        condition = condition_of(plan, type)
        if condition.get("status") == "False" and _speaks_of(type, state):
            return type, str(condition.get("reason") or ""), str(condition.get("message") or "")
    return None


def _speaks_of(type: str, state: str) -> bool:
    """A condition that failed stays until it succeeds: only the one of the present state counts."""
    if type == states.COND_UPGRADED:
        return state in (states.UPGRADE_FAILED, states.UPGRADING)
    if type == states.COND_UNINSTALLED:
        return state in (states.UNINSTALL_FAILED, states.UNINSTALLING)
    return state in (states.INSTALL_FAILED, states.INSTALLING, states.PREPARING)


def _without_plan(picture: Picture) -> Iterator[Finding]:
    yield from _subscriptions(picture)
    ref = Ref("Extension", picture.extension)
    if not picture.extension or picture.one("extensions.kubesphere.io", picture.extension) is not None:
        return
    if picture.all("extensionversions.kubesphere.io") or not picture.has_read("extensions.kubesphere.io"):
        return
    proof = evidence(ref, "there is neither an Extension nor an InstallPlan of this name")
    yield Finding(UNKNOWN_EXTENSION, ref, (proof,), commands=("kubectl get extensions.kubesphere.io",))


def _failed(picture: Picture, plan: Object) -> Iterator[Finding]:
    told = failure(plan)
    if told is None:
        return
    type, reason, message = told
    ref, proof = ref_of(plan), evidence(f"{ref_of(plan)}, condition {type}", f"{reason}: {message}")
    commands = (show(ref), edit(ref))
    details = {"why": message, "reason": reason}
    if cause := _BY_REASON.get(reason):
        yield from _with_reason(picture, plan, cause, Finding(cause, ref, (proof,), details, commands=commands))
        return
    found = refusals.refused(picture, ref, message, proof)
    if found is not None:
        yield found
    yield Finding(OPERATION_FAILED, ref, (proof,), details, commands=commands)
    passed = found is None and refusals.is_known(message)
    yield from _exhausted(plan, proof, gone=passed or gone.is_gone(picture, message))


def _with_reason(picture: Picture, plan: Object, cause: Cause, finding: Finding) -> Iterator[Finding]:
    wanted = _wanted(plan)
    version = picture.one("extensionversions.kubesphere.io", wanted)
    if cause is VERSION_NOT_FOUND:
        commands = (f"kubectl get extensionversions.kubesphere.io -l {labels.EXTENSION_REF}={picture.extension}",)
        gives = labels_of(picture.one("extensions.kubesphere.io", picture.extension) or {}).get(labels.REPOSITORY_REF)
        extra = (again(Ref("Repository", gives)),) if gives else ()
        if version is None:
            yield Finding(cause, finding.subject, finding.evidence, finding.details, commands=(*commands, *extra))
        else:
            yield from _exhausted(plan, finding.evidence[0], gone=True)
    elif cause is DEPENDENCY_MISSING:
        yield finding
        yield from _dependencies(picture, version)
    elif cause is APPROVAL_REQUIRED or cause is PLAN_STALE:
        chosen = str(mapping(spec_of(plan).get("extension")).get("version") or "")
        look_at = f"dovetail extension plan {quote(picture.extension)} --version {quote(chosen)}"
        yield Finding(
            cause, finding.subject, finding.evidence, finding.details, commands=(look_at, f"{look_at} --approve")
        )
    elif cause is PACKAGE_UNAVAILABLE:
        back = gone.package_is_there(picture, version)
        if not back:
            yield finding
        yield from _exhausted(plan, finding.evidence[0], gone=back)
    else:
        yield finding


def _dependencies(picture: Picture, version: Object | None) -> Iterator[Finding]:
    """A dependency that is planned and does not come is nearer to the root than that it is missing."""
    for entry in items(spec_of(version or {}), "externalDependencies"):
        name = str(entry.get("name") or "")
        plan = picture.one("installplans.kubesphere.io", name)
        told = failure(plan) if plan is not None else None
        if plan is not None and told is not None:
            proof = evidence(f"{ref_of(plan)}, condition {told[0]}", f"{told[1]}: {told[2]}")
            look_at = (f"dovetail doctor {quote(name)}",)
            yield Finding(DEPENDENCY_BROKEN, ref_of(plan), (proof,), {}, (picture.plan_ref,), look_at)


def _exhausted(plan: Object, proof: Evidence, *, gone: bool) -> Iterator[Finding]:
    """An attempt that can be made again at once, because what stood in the way has gone or was never told."""
    attempt = progress.recorded_of(status_of(plan)).attempt
    count, limit = attempt.count, mapping(spec_of(plan).get("retry")).get("limit")
    if is_deleting(plan) or status_of(plan).get("state") not in states.FAILED:
        return
    exhausted = attempt.is_exhausted(limit if isinstance(limit, int) else None)
    cause = (ATTEMPTS_EXHAUSTED if gone else NO_MORE_ATTEMPTS) if exhausted else RETRY_WAITS
    if exhausted or gone:
        ref = ref_of(plan)
        noted = evidence(f"{ref}, status.operation", f"{count} attempts were made: {attempt.message}")
        yield Finding(
            cause,
            ref,
            (proof, noted),
            {"count": str(count)},
            commands=(again(ref),),
            action=Retry(ref) if gone else None,
        )


def _told_beside(picture: Picture, plan: Object) -> Iterator[Finding]:
    ref = ref_of(plan)
    for type, bad, cause in _BESIDE:
        condition = condition_of(plan, type)
        if condition.get("status") == bad:
            why = f"{condition.get('reason')}: {condition.get('message')}"
            proof = evidence(f"{ref}, condition {type}", why)
            yield Finding(cause, ref, (proof,), {"why": str(condition.get("message"))}, commands=(show(ref),))
    held = condition_of(plan, states.COND_DEPENDENCIES)
    if is_deleting(plan) and held.get("status") == "False":
        proof = evidence(f"{ref}, condition Dependencies", f"{held.get('reason')}: {held.get('message')}")
        yield Finding(DEPENDENTS_HOLD, ref, (proof,), {"why": str(held.get("message"))}, commands=(show(ref),))


def _clusters(plan: Object) -> Iterator[Finding]:
    slices = mapping(status_of(plan).get("clusterSchedulingStatuses"))
    for cluster, slice in slices.items():
        status = mapping(slice)
        bad = [c for c in conditions_of({"status": status}) if c.get("status") == "False"]
        if str(status.get("state")) in states.FAILED | {states.UNINSTALL_FAILED} or _is_unknown(bad):
            ref = ref_of(plan)
            why = "; ".join(f"{c.get('reason')}: {c.get('message')}" for c in bad) or str(status.get("state"))
            proof = evidence(f"{ref}, status.clusterSchedulingStatuses.{cluster}", why)
            subject = Ref("Cluster", str(cluster))
            yield Finding(
                CLUSTER_FAILED, subject, (proof,), {"cluster": str(cluster), "why": why}, commands=(show(ref),)
            )


def _is_unknown(conditions: list[Object]) -> bool:
    return any(each.get("reason") in ("ClusterUnknown", "ClusterUnreachable") for each in conditions)


def _held(plan: Object) -> Iterator[Finding]:
    others = [name for name in finalizers_of(plan) if name != labels.INSTALLPLAN_PROTECTION]
    if others and labels.INSTALLPLAN_PROTECTION not in finalizers_of(plan):
        proof = evidence(ref_of(plan), f"metadata.finalizers: {', '.join(others)}")
        details = {"finalizers": ", ".join(others)}
        yield Finding(FINALIZER_HOLDS, ref_of(plan), (proof,), details, commands=(show(ref_of(plan)),))


def _subscriptions(picture: Picture) -> Iterator[Finding]:
    for obj in picture.all("subscriptions.kubesphere.io"):
        if mapping(spec_of(obj).get("extension")).get("name") != picture.extension:
            continue
        for condition in conditions_of(obj):
            if condition.get("reason") in ("PlanTaken", "InvalidSubscription") and condition.get("status") == "False":
                why = str(condition.get("message") or "")
                proof = evidence(f"{ref_of(obj)}, condition {condition.get('type')}", why)
                yield Finding(SUBSCRIPTION_REFUSED, ref_of(obj), (proof,), {"why": why}, commands=(show(ref_of(obj)),))


def versions_that_say_why(picture: Picture) -> Iterator[Finding]:
    """Uploaded versions whose package cannot be used."""
    for obj in picture.all("extensionversions.kubesphere.io"):
        ready = condition_of(obj, "Ready")
        if ready.get("status") == "False" and is_ours(obj, picture.extension):
            why = str(ready.get("message") or "")
            cause = _BY_REASON.get(str(ready.get("reason")), NOT_PUBLISHED)
            breaks = (picture.plan_ref,) if ref_of(obj).name == _wanted(picture.plan or {}) else ()
            proof = evidence(f"{ref_of(obj)}, condition Ready", f"{ready.get('reason')}: {why}")
            yield Finding(cause, ref_of(obj), (proof,), {"why": why}, breaks, (show(ref_of(obj)),))


def _wanted(plan: Object) -> str:
    wanted = mapping(spec_of(plan).get("extension"))
    return f"{wanted.get('name')}-{wanted.get('version')}"
