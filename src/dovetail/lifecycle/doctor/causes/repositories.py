"""Repositories: why what they list cannot be read."""

import re
from collections.abc import Iterator
from shlex import quote
from typing import Final

from dovetail.apis import labels
from dovetail.kube import key_of, labels_of
from dovetail.lifecycle.doctor.commands import again, edit, show
from dovetail.lifecycle.doctor.findings import Cause, Finding, Ref, Retry, Severity, cause, evidence
from dovetail.lifecycle.doctor.picture import Object, Picture, condition_of, ref_of
from dovetail.lifecycle.image_repositories import name_of
from dovetail.lifecycle.objects import spec_of, status_of

CREDENTIALS: Final = cause(
    "RepositoryRefusesLogin",
    ("The repository does not accept the login: {why}", "Correct the Secret that spec.basicAuth.secretRef names."),
    ("仓库拒绝了登录：{why}", "更正 spec.basicAuth.secretRef 所指的 Secret。"),
    depth=15,
)
CERTIFICATE: Final = cause(
    "RepositoryCertificate",
    ("The repository's certificate is not trusted: {why}", "Put the authority's certificate into spec.caBundle."),
    ("仓库的证书不受信任：{why}", "将其 CA 证书填入 spec.caBundle。"),
    depth=15,
)
UNREACHABLE: Final = cause(
    "RepositoryUnreachable",
    ("The repository does not answer: {why}", "Correct spec.url, or bring the server back; then read it again."),
    ("仓库无法访问：{why}", "更正 spec.url 或恢复服务器，然后重新同步。"),
    depth=15,
)
UNREADABLE: Final = cause(
    "RepositoryUnreadable",
    ("What the repository lists cannot be used: {why}", "Mend its index; what is known of it stays meanwhile."),
    ("仓库的索引不可用：{why}", "修复其索引；已知内容会保留。"),
    depth=15,
)
SECRET: Final = cause(
    "RepositorySecret",
    ("A Secret that the repository names cannot be used: {why}", "Make the Secret with the keys that it needs."),
    ("仓库所引用的 Secret 不可用：{why}", "创建包含所需键的 Secret。"),
    depth=15,
)
INVALID: Final = cause(
    "RepositoryInvalid",
    ("The repository is not written correctly: {why}", "Correct the fields that it names."),
    ("仓库配置有误：{why}", "更正其中指出的字段。"),
    depth=15,
)
POD: Final = cause(
    "RepositoryPodNotReady",
    ("The repository is an image, and no pod of it is ready: {why}", "See its pods; they are in kubesphere-system."),
    ("该仓库是一个镜像，但没有就绪的 Pod：{why}", "查看 kubesphere-system 中对应的 Pod。"),
    depth=30,
)
PARTLY: Final = cause(
    "PackagesRefused",
    (
        "Some packages of the repository cannot be used: {why}",
        "Mend them at their source; the others are not concerned.",
    ),
    ("仓库中的部分软件包不可用：{why}", "在源头修复；其他软件包不受影响。"),
    severity=Severity.WARNING,
    depth=40,
)
CONFLICT: Final = cause(
    "RepositoriesConflict",
    ("Several repositories offer the same extension: {why}", "Give one of them a higher spec.priority."),
    ("多个仓库提供同一扩展组件：{why}", "提高其中一个的 spec.priority。"),
    severity=Severity.WARNING,
    depth=40,
)

_LOGIN: Final = re.compile(r"answers 40[13]\b|authentication|denied|unauthorized", re.I)
_TRUST: Final = re.compile(r"[Cc]ertificate|SSL|TLS")
_MOST_FAILURES: Final = 5


def look(picture: Picture) -> Iterator[Finding]:
    for obj in picture.all("repositories.kubesphere.io"):
        yield from _repository(obj)


def _repository(obj: Object) -> Iterator[Finding]:
    ref, synced, conflict = ref_of(obj), condition_of(obj, "Synced"), condition_of(obj, "Conflict")
    if synced.get("status") == "False":
        why, reason = str(synced.get("message") or ""), str(synced.get("reason") or "")
        proof = evidence(f"{ref}, condition Synced", f"{reason}: {why}")
        found = _cause(reason, why)
        # Reading it once more costs nothing, and is the fix when its server is back already.
        action = Retry(ref) if found is not INVALID else None
        yield Finding(found, ref, (proof,), {"why": why}, commands=(*_commands(obj, found), again(ref)), action=action)
    elif failures := status_of(obj).get("failures"):
        shown = [
            f"{each.get('name')} {each.get('version')}: {each.get('message')}" for each in failures[:_MOST_FAILURES]
        ]
        more = f" (and {len(failures) - _MOST_FAILURES} more)" if len(failures) > _MOST_FAILURES else ""
        why = "; ".join(shown) + more
        yield Finding(PARTLY, ref, (evidence(f"{ref}, status.failures", why),), {"why": why}, commands=(show(ref),))
    if conflict.get("status") == "True":
        why = str(conflict.get("message") or "")
        proof = evidence(f"{ref}, condition Conflict", why)
        yield Finding(CONFLICT, ref, (proof,), {"why": why}, commands=(edit(ref),))


def _cause(reason: str, why: str) -> Cause:
    if reason == "SecretUnusable":
        return SECRET
    if reason in ("WaitingForPod", "NoNodes"):
        return POD
    if reason in ("InvalidRepository", "UnknownScheme", "NameTaken"):
        return INVALID
    if reason in ("InvalidIndex", "EmptyIndex", "TooLarge"):
        return UNREADABLE
    if reason != "IndexUnavailable":
        return INVALID if reason.startswith("No") else UNREACHABLE
    said = why.rpartition("cannot be read:")[2]
    return CREDENTIALS if _LOGIN.search(said) else CERTIFICATE if _TRUST.search(said) else UNREACHABLE


def _commands(obj: Object, found: Cause) -> tuple[str, ...]:
    url = str(spec_of(obj).get("url") or "")
    if found is POD:
        return (show(Ref("Deployment", name_of(key_of(obj).name), labels.SYSTEM_NAMESPACE)),)
    if found in (SECRET, CREDENTIALS):
        return (f"kubectl -n {labels.SYSTEM_NAMESPACE} get secrets", edit(ref_of(obj)))
    if found is UNREACHABLE and url.startswith("http"):
        return (f"curl -sSI {quote(url.rstrip('/') + '/index.yaml')}", edit(ref_of(obj)))
    return (edit(ref_of(obj)),)


def relevant(picture: Picture, obj: Object) -> bool:
    """Whether a repository gives the extension, or might: one that never could be read may list anything."""
    name = key_of(obj).name
    extension = picture.one("extensions.kubesphere.io", picture.extension)
    sources = {str(spec_of(each).get("repository") or "") for each in picture.all("extensionversions.kubesphere.io")}
    giver = labels_of(extension or {}).get(labels.REPOSITORY_REF, "")
    if name in sources or name == giver:
        return True
    known = bool(sources - {""} or giver or picture.all("extensionversions.kubesphere.io"))
    return not known and condition_of(obj, "Synced").get("status") == "False"
