"""From findings to root causes: what another finding explains is its symptom. Pure.

A finding explains another if what it is about breaks what the other is about (`links`), or if both are about the same
object and its cause is nearer to the root (`depth`). What nobody explains is a root. Roots come worst first: problems
before warnings before notes, those that reach the extension's plan before the others, the deepest before the rest.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dovetail.lifecycle.doctor.findings import Finding, Ref, Severity
from dovetail.lifecycle.doctor.links import Edges, edges_of, reachable
from dovetail.lifecycle.doctor.picture import Picture, Unread


@dataclass(frozen=True)
class Root:
    """A root cause and everything that follows from it."""

    finding: Finding
    symptoms: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Of one extension, or of the platform (`extension` empty). `state` is one line about where things stand."""

    extension: str
    state: str
    roots: tuple[Root, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def problems(self) -> tuple[Root, ...]:
        return tuple(root for root in self.roots if root.finding.cause.severity is not Severity.NOTE)


def ranked(picture: Picture, findings: Iterable[Finding]) -> tuple[Root, ...]:
    """The root causes with their symptoms."""
    found = [known.finding for known in dict.fromkeys(_Known(finding) for finding in findings)]
    edges = _with_breaks(edges_of(picture), found)
    reach = [reachable((finding.subject,), edges) for finding in found]
    explained = [
        [
            other
            for other in range(len(found))
            if other != at and _explains(found[at], reach[at], found[other], reach[other])
        ]
        for at in range(len(found))
    ]
    roots = [at for at in range(len(found)) if not any(at in others for others in explained)]
    result = [Root(found[at], tuple(found[other] for other in _closure(at, explained))) for at in roots]
    plan = picture.plan_ref
    ordered = sorted(zip(result, (reach[at] for at in roots), strict=True), key=lambda pair: _order(*pair, plan))
    return tuple(root for root, _ in ordered)


def _with_breaks(edges: Edges, found: Iterable[Finding]) -> Edges:
    result = dict(edges)
    for finding in found:
        result[finding.subject] = result.get(finding.subject, frozenset()) | frozenset(finding.breaks)
    return result


def _closure(start: int, explained: list[list[int]]) -> list[int]:
    """Whatever follows, also by way of another symptom; in the order of the findings."""
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        for other in explained[waiting.pop()]:
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return sorted(seen)


def _explains(one: Finding, reach: frozenset[Ref], other: Finding, back: frozenset[Ref]) -> bool:
    if one.cause.severity > other.cause.severity and one.cause.severity is not Severity.NOTE:
        return False  # a warning is no reason for a problem
    if one.subject == other.subject:
        return one.cause.depth < other.cause.depth
    if other.subject not in reach:
        return False
    return one.subject not in back or one.cause.depth < other.cause.depth


def _order(root: Root, reach: frozenset[Ref], plan: Ref) -> tuple[int, bool, int, int, str, str]:
    cause = root.finding.cause
    return (cause.severity, plan not in reach, cause.depth, -len(root.symptoms), str(root.finding.subject), cause.code)


@dataclass(frozen=True)
class _Known:
    """A finding by what makes it one: the same cause at the same object is one finding."""

    finding: Finding

    def __hash__(self) -> int:
        return hash((self.finding.cause.code, self.finding.subject))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and (self.finding.cause.code, self.finding.subject) == (
            other.finding.cause.code, other.finding.subject,
        )  # fmt: skip
