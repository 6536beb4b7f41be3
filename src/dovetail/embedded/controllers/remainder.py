"""What is left in a namespace that is being deleted, and the conditions that tell it. Pure.

The conditions' names, reasons and sentences are those of Kubernetes, because people and tools search for them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dovetail.kube import set_condition


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is left of one resource: how many objects, and which finalizers hold how many of them."""

    resource: str
    count: int
    finalizers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Question:
    """One condition: "True" with `problem` and the fact, or "False" with the sentence `well`."""

    type: str
    reason: str
    problem: str
    reason_well: str
    well: str


_CONTENT_FAILURE = _Question(
    "NamespaceDeletionContentFailure",
    "ContentDeletionFailed",
    "Failed to delete all resource types, {}",
    "ContentDeleted",
    "All content successfully deleted, may be waiting on finalization",
)
_CONTENT_REMAINING = _Question(
    "NamespaceContentRemaining",
    "SomeResourcesRemain",
    "Some resources are remaining: {}",
    "ContentRemoved",
    "All content successfully removed",
)
_FINALIZERS_REMAINING = _Question(
    "NamespaceFinalizersRemaining",
    "SomeFinalizersRemain",
    "Some content in the namespace has finalizers remaining: {}",
    "ContentHasNoFinalizers",
    "All content-preserving finalizers finished",
)


def deletion_conditions(
    present: Sequence[Mapping[str, Any]], left: Sequence[Remainder], errors: Sequence[Exception], moment: datetime
) -> list[dict[str, Any]]:
    """The namespace's conditions after a look at it; those that are present keep their times unless they change."""
    held: Counter[str] = Counter()
    for remainder in left:
        held.update(remainder.finalizers)
    facts = (
        (_CONTENT_FAILURE, [f"{len(errors)} remaining: {error}" for error in errors[:1]]),
        (_CONTENT_REMAINING, [f"{r.resource} has {r.count} resource instances" for r in left]),
        (_FINALIZERS_REMAINING, [f"{name} in {count} resource instances" for name, count in sorted(held.items())]),
    )
    conditions = [dict(condition) for condition in present]
    for question, fact in facts:
        conditions = _answered(conditions, question, ", ".join(fact), moment)
    return conditions


def _answered(
    conditions: list[dict[str, Any]], question: _Question, fact: str, moment: datetime
) -> list[dict[str, Any]]:
    if fact:
        message = question.problem.format(fact)
        return set_condition(conditions, question.type, "True", question.reason, message, 0, moment)
    return set_condition(conditions, question.type, "False", question.reason_well, question.well, 0, moment)
