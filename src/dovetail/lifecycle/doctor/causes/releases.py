"""Helm's release: locked, lost, or held up by a hook."""

from collections.abc import Iterator
from typing import Final

from dovetail.helm import storage
from dovetail.kube import annotations_of, is_deleting
from dovetail.lifecycle import states
from dovetail.lifecycle.doctor import refusals
from dovetail.lifecycle.doctor.commands import again
from dovetail.lifecycle.doctor.findings import Evidence, Finding, Ref, Retry, Severity, cause, evidence
from dovetail.lifecycle.doctor.picture import (
    Object,
    Picture,
    Unmoved,
    condition_of,
    event_text,
    is_hook,
    last,
    ref_of,
)
from dovetail.lifecycle.objects import conditions_of, mapping, spec_of, status_of

LOCKED: Final = cause(
    "ReleaseLocked",
    (
        "Revision {revision} of the release is {status}, and nobody works on it",
        "Ask the controllers to try again; they unlock it and go on from it.",
    ),
    ("发布的第 {revision} 版处于 {status}，且无人处理", "请控制器重试，控制器会解锁并继续。"),
    depth=35,
)
LOST: Final = cause(
    "ReleaseLost",
    ("The plan says Installed, but Helm's records of the release are gone", "Ask the controllers to install it again."),
    ("计划显示已安装，但 Helm 的发布记录不存在", "请控制器重新安装。"),
    depth=30,
)
HOOK_FAILED: Final = cause(
    "HookFailed",
    (
        "The hook {subject} failed: {why}",
        "Read its logs and mend what it found; then ask the controllers to try again.",
    ),
    ("Hook {subject} 失败：{why}", "查看日志并解决其中的问题，然后请控制器重试。"),
    depth=40,
)
HOOK_SUSPENDED: Final = cause(
    "HookSuspended",
    ("The hook {subject} is suspended, and Helm waits for it", "Let it run, or ask why its author suspends it."),
    ("Hook {subject} 被挂起，Helm 正在等待", "让其运行，或询问作者为何挂起。"),
    depth=30,
)
HOOK_WITHOUT_NODES: Final = cause(
    "NoNodesForHook",
    (
        "The release waits for the hook {subject}, and this cluster has no node to run it",
        "Use a cluster with nodes, or a version of the extension (or values) without hooks.",
    ),
    ("发布在等待 Hook {subject}，但该集群没有可运行它的节点", "使用有节点的集群，或使用不含 Hook 的版本或配置。"),
    depth=20,
)
JOB_FAILED: Final = cause(
    "JobFailed",
    ("{subject} failed: {why}", "Read its logs."),
    ("{subject} 失败：{why}", "查看日志。"),
    severity=Severity.WARNING,
    depth=40,
)

_TAIL: Final = 500


def look(picture: Picture) -> Iterator[Finding]:
    plan = picture.plan
    latest = storage.latest(picture.records)
    if plan is not None and latest is not None and latest.status in storage.PENDING:
        stuck = next(
            (each for each in picture.unmoved if each.of == Ref("Release", latest.name, latest.namespace)), None
        )
        if stuck is not None:
            yield _locked(picture, stuck, latest.revision, latest.status)
    if plan is not None and latest is None and _should_be_there(picture, plan):
        ref = picture.plan_ref
        proof = evidence(ref, f"status.state is Installed; no Secret of Helm's is in namespace {picture.namespace}")
        yield Finding(LOST, ref, (proof,), commands=(again(ref),), action=Retry(ref))
    for job in picture.all("jobs"):
        yield from _job(picture, job)


def _should_be_there(picture: Picture, plan: Object) -> bool:
    settled = status_of(plan).get("state") == states.INSTALLED and not is_deleting(plan)
    return settled and picture.has_read("secrets") and spec_of(plan).get("paused") is not True


def _locked(picture: Picture, stuck: Unmoved, revision: int, status: str) -> Finding:
    ref = picture.plan_ref
    proof = evidence(str(stuck.of), f"revision {revision} was {status} for {stuck.seconds:g} s and no hook of it runs")
    details = {"revision": str(revision), "status": status}
    return Finding(LOCKED, ref, (proof,), details, commands=(again(ref),), action=Retry(ref))


def _job(picture: Picture, job: Object) -> Iterator[Finding]:
    ref = ref_of(job)
    failed = condition_of(job, "Failed")
    if failed.get("status") == "True":
        why = f"{failed.get('reason')}: {failed.get('message')}"
        found = HOOK_FAILED if is_hook(job) else JOB_FAILED
        logs = f"kubectl -n {ref.namespace} logs job/{ref.name} --all-containers --tail=100"
        commands = (logs, again(picture.plan_ref)) if is_hook(job) else (logs,)
        breaks = (picture.plan_ref,) if is_hook(job) and _is_waited_for(picture) else ()
        proof = evidence(f"{ref}, condition Failed", why)
        yield Finding(found, ref, (proof, *_kept_logs(picture, ref)), {"why": why}, breaks, commands)
    elif is_hook(job) and spec_of(job).get("suspend") is True and _is_waited_for(picture) and not _done(job):
        proof = evidence(ref, f"spec.suspend is true; hook {annotations_of(job).get('helm.sh/hook')}")
        resume = f'kubectl -n {ref.namespace} patch job {ref.name} -p \'{{"spec":{{"suspend":false}}}}\''
        yield Finding(HOOK_SUSPENDED, ref, (proof,), {}, (picture.plan_ref,), (resume,))
    stays = picture.has_read("nodes") and not picture.all("nodes")
    if is_hook(job) and not _done(job) and _is_waited_for(picture) and stays:
        proof = evidence("nodes", "the list is empty")
        yield Finding(HOOK_WITHOUT_NODES, ref, (proof,), {}, (picture.plan_ref,))
    if not _done(job):
        yield from refused_pods(picture, ref)


def _kept_logs(picture: Picture, hook: Ref) -> Iterator[Evidence]:
    """The last lines that a hook's pods wrote, where they were kept (`lifecycle.hook_logs`)."""
    for obj in picture.all("hooklogs"):
        for key, text in mapping(obj.get("data")).items():
            if key.startswith(f"{hook.kind}.{hook.name}.".lower()):
                yield evidence(f"{ref_of(obj)}, {key}", str(text)[-_TAIL:])


def _is_waited_for(picture: Picture) -> bool:
    state = str(status_of(picture.plan or {}).get("state") or "")
    return state in states.WORKING | states.FAILED | {states.UNINSTALLING, states.UNINSTALL_FAILED}


def refused_pods(picture: Picture, owner: Ref) -> Iterator[Finding]:
    """What keeps a controller from making pods, by the event that it leaves."""
    event = last(picture.events_about(owner), "FailedCreate")
    if event is not None:
        text = event_text(event)
        proof = evidence(f"Event FailedCreate about {owner}", text)
        if found := refusals.refused(picture, owner, text, proof):
            yield found


def _done(job: Object) -> bool:
    return any(
        each.get("type") in ("Complete", "Failed") and each.get("status") == "True" for each in conditions_of(job)
    )
