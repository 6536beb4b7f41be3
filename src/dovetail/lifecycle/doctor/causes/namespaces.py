"""A namespace that is being deleted and does not go: what holds it, by the conditions that Kubernetes writes."""

import re
from collections.abc import Iterator
from typing import Final

from dovetail.kube import finalizers_of, is_deleting
from dovetail.lifecycle.doctor import refusals
from dovetail.lifecycle.doctor.commands import show
from dovetail.lifecycle.doctor.findings import Finding, Ref, cause, evidence
from dovetail.lifecycle.doctor.picture import Object, Picture, condition_of, ref_of
from dovetail.lifecycle.objects import mapping, status_of

HELD: Final = cause(
    "NamespaceHeld",
    (
        "{subject} cannot go, because finalizers in it are not removed: {finalizers} ({what})",
        "The controller that set the finalizer must run to remove it. Bring it back; take the finalizer off by hand "
        "only if that controller is gone for good and what it protects may stay behind.",
    ),
    (
        "{subject} 无法删除，其中的 finalizer 未被移除：{finalizers}（{what}）",
        "须由设置 finalizer 的控制器移除，请恢复该控制器；仅当其已永久不存在且所保护的内容可以遗留时，才手动移除。",
    ),
    depth=15,
)
HELD_ITSELF: Final = cause(
    "NamespaceFinalizer",
    ("{subject} itself carries a finalizer: {finalizers}", "Whoever set it must remove it."),
    ("{subject} 自身带有 finalizer：{finalizers}", "须由设置者移除。"),
    depth=15,
)
CONTENT: Final = cause(
    "NamespaceContent",
    ("Content of {subject} cannot be deleted: {why}", "Remove what refuses the deletion."),
    ("{subject} 的内容无法删除：{why}", "消除拒绝删除的原因。"),
    depth=20,
)
DISCOVERY: Final = cause(
    "NamespaceDiscovery",
    ("{subject} waits for an API that does not answer: {why}", "Bring that API back."),
    ("{subject} 在等待没有应答的 API：{why}", "恢复该 API。"),
    depth=30,
)
TERMINATING: Final = cause(
    "NamespaceTerminating",
    (
        "{subject} is being deleted; nothing new can be made in it",
        "Wait until it is gone; the plan then goes on by itself.",
    ),
    ("{subject} 正在删除，无法在其中创建新对象", "等待其删除完成，计划会自动继续。"),
    depth=40,
)

_KINDS: Final = re.compile(r"(\S+) has (\d+) resource instances")


def look(picture: Picture) -> Iterator[Finding]:
    for namespace in picture.all("namespaces"):
        if is_deleting(namespace):
            yield from _deleting(picture, namespace)


def _deleting(picture: Picture, namespace: Object) -> Iterator[Finding]:
    ref = ref_of(namespace)
    finalizers = condition_of(namespace, "NamespaceFinalizersRemaining")
    remaining = str(condition_of(namespace, "NamespaceContentRemaining").get("message") or "")
    if finalizers.get("status") == "True":
        yield _held(picture, ref, str(finalizers.get("message") or ""), remaining)
    for type, told in (("NamespaceDeletionContentFailure", CONTENT), ("NamespaceDeletionDiscoveryFailure", DISCOVERY)):
        condition = condition_of(namespace, type)
        if condition.get("status") == "True":
            why = str(condition.get("message") or "")
            proof = evidence(f"{ref}, condition {type}", why)
            if found := refusals.refused(picture, ref, why, proof):
                yield found
            yield Finding(told, ref, (proof,), {"why": why}, commands=(show(ref),))
    if own := finalizers_of(namespace):
        proof = evidence(ref, f"metadata.finalizers: {', '.join(own)}")
        yield Finding(HELD_ITSELF, ref, (proof,), {"finalizers": ", ".join(own)}, commands=(show(ref),))
    proof = evidence(ref, f"phase {status_of(namespace).get('phase')}, deleted at {_deleted_at(namespace)}")
    yield Finding(TERMINATING, ref, (proof,), commands=(show(ref),))


def _held(picture: Picture, ref: Ref, message: str, remaining: str) -> Finding:
    names = re.findall(r"(\S+) in \d+ resource instances", message)
    kinds = [match[0].rstrip(".") for match in _KINDS.findall(remaining)]
    holders = [str(ref_of(obj)) for obj in picture.all("heldobjects")]
    proofs = [evidence(f"{ref}, condition NamespaceFinalizersRemaining", message)]
    if remaining:
        proofs.append(evidence(f"{ref}, condition NamespaceContentRemaining", remaining))
    proofs += [
        evidence(ref_of(obj), f"metadata.finalizers: {', '.join(finalizers_of(obj))}")
        for obj in picture.all("heldobjects")
    ]
    commands = tuple(f"kubectl -n {ref.name} get {kind} -o yaml" for kind in kinds[:5]) or (show(ref),)
    details = {"finalizers": ", ".join(names) or "?", "what": ", ".join(holders[:5] or kinds[:5]) or "?"}
    return Finding(HELD, ref, tuple(proofs), details, commands=commands)


def held_kinds(namespace: Object) -> list[str]:
    """`plural.group` of what a namespace that is being deleted still holds; empty when nothing with finalizers does."""
    if not is_deleting(namespace) or condition_of(namespace, "NamespaceFinalizersRemaining").get("status") != "True":
        return []
    message = str(condition_of(namespace, "NamespaceContentRemaining").get("message") or "")
    return [match[0].rstrip(".") for match in _KINDS.findall(message)]


def _deleted_at(namespace: Object) -> object:
    return mapping(namespace.get("metadata")).get("deletionTimestamp")
