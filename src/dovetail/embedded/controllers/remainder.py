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


_DISCOVERY_FAILURE = _Question(
    "NamespaceDeletionDiscoveryFailure",
    "DiscoveryFailed",
    "Discovery failed for some groups, {}",
    "ResourcesDiscovered",
    "All resources successfully discovered",
)
_PARSING_FAILURE = _Question(
    "NamespaceDeletionGroupVersionParsingFailure",
    "GroupVersionParsingFailed",
    "Group versions could not be read, {}",
    "ParsedGroupVersions",
    "All legacy kube types successfully parsed",
)
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
    present: Sequence[Mapping[str, Any]],
    left: Sequence[Remainder],
    errors: Sequence[Exception],
    moment: datetime,
    undiscovered: Exception | None = None,
) -> list[dict[str, Any]]:
    """The namespace's conditions after a look at it; those that are present keep their times unless they change.

    `undiscovered` is why the resources could not be found out. Names of groups that cannot be parsed do not occur: the
    condition is there because readers expect all five.
    """
    held: Counter[str] = Counter()
    for remainder in left:
        held.update(remainder.finalizers)
    facts = (
        (_DISCOVERY_FAILURE, [f"1 failing: {undiscovered}"] if undiscovered else []),
        (_PARSING_FAILURE, list[str]()),
        (_CONTENT_FAILURE, [f"{len(errors)} remaining: {_joined(errors)}"] if errors else []),
        (_CONTENT_REMAINING, [f"{r.resource} has {r.count} resource instances" for r in left]),
        (_FINALIZERS_REMAINING, [f"{name} in {count} resource instances" for name, count in sorted(held.items())]),
    )
    conditions = [dict(condition) for condition in present]
    for question, fact in facts:
        conditions = _answered(conditions, question, ", ".join(fact), moment)
    return conditions


def _joined(errors: Sequence[Exception]) -> str:
    """Several errors as Kubernetes shows them in one sentence."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _answered(
    conditions: list[dict[str, Any]], question: _Question, fact: str, moment: datetime
) -> list[dict[str, Any]]:
    if fact:
        message = question.problem.format(fact)
        return set_condition(conditions, question.type, "True", question.reason, message, 0, moment)
    return set_condition(conditions, question.type, "False", question.reason_well, question.well, 0, moment)
