"""Objects of the release that somebody changed or deleted by hand, as the drift controller tells them."""

from collections.abc import Iterator
from typing import Final

from dovetail.lifecycle.doctor.commands import patch_plan
from dovetail.lifecycle.doctor.findings import Finding, Ref, Severity, cause, evidence
from dovetail.lifecycle.doctor.picture import Object, Picture, items
from dovetail.lifecycle.objects import status_of

MISSING: Final = cause(
    "ObjectDeleted",
    ("{subject} belongs to the release and was deleted by hand", "Let the drift be healed; that makes it anew."),
    ("属于该发布的 {subject} 被手动删除", "启用偏差修复，会重新创建它。"),
    depth=15,
)
CHANGED: Final = cause(
    "ObjectChanged",
    (
        "{subject} was changed by hand: {paths}",
        "Let the drift be healed, which undoes the change, or put the change into the plan's config.",
    ),
    ("{subject} 被手动修改：{paths}", "启用偏差修复以撤销修改，或将其写入计划的 config。"),
    severity=Severity.WARNING,
    depth=35,
)


def look(picture: Picture) -> Iterator[Finding]:
    plan = picture.plan
    for entry in items(status_of(plan or {}), "drift"):
        yield _drifted(picture, entry)


def _drifted(picture: Picture, entry: Object) -> Finding:
    ref = Ref(str(entry.get("kind")), str(entry.get("name")), str(entry.get("namespace") or ""))
    what, paths = str(entry.get("what")), ", ".join(map(str, entry.get("paths") or ()))
    proof = evidence(f"{picture.plan_ref}, status.drift", f"{what} {ref} {paths}")
    heal = patch_plan(picture.extension, '{"spec":{"drift":{"mode":"Heal"}}}')
    return Finding(MISSING if what == "Missing" else CHANGED, ref, (proof,), {"paths": paths}, (), (heal,))
