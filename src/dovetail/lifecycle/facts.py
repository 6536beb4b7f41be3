"""What a decision about an InstallPlan is made from: values, no objects and no clocks.

`Plan` is what is wanted and what the plan's status remembers; `World` is what is there. A reconciler fills both from
one fresh look at the API, `planner.decide` reads them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dovetail.helm import storage

UNLIMITED = 0
"""As a patience: try again for ever, with growing waits."""
DEFAULT_PATIENCE = 5
"""Attempts at what Helm refused, before a change of the plan or its version is waited for."""
HOPELESS = 1
"""As a patience: the same input can only fail again."""
DEPENDENCY_MISSING = "DependencyMissing"
DEPENDENCY_REASONS = frozenset({DEPENDENCY_MISSING, "DependentsBroken"})
"""Reasons of problems that the condition Dependencies tells as well."""


@dataclass(frozen=True)
class Desired:
    """What the plan asks for. `target` identifies the inputs of a release: equal targets, equal releases."""

    extension: str
    version: str
    enabled: bool
    namespace: str
    target: str
    barred: "Problem | None" = None
    """Why it may only be kept, not made: a version that is published no more, an approval that is not given."""
    lacking: str = ""
    """What an extension that is in force needs and does not find any more; told, and nothing is undone for it."""


@dataclass(frozen=True)
class Problem:
    """Why what the plan asks for cannot even be tried."""

    reason: str
    message: str


@dataclass(frozen=True)
class Attempt:
    """The attempt that the status remembers. A `token` is the user's word to try again (an annotation)."""

    target: str = ""
    token: str = ""
    count: int = 0
    """Attempts of this target that failed or were interrupted."""
    base: int = 0
    """The newest revision when the attempt began: a failed revision above it is this attempt's."""
    patience: int = DEFAULT_PATIENCE
    message: str = ""
    back_to: int = 0
    """The revision that a roll-back is bringing back; 0 when none was begun."""
    back_failures: int = 0
    """Roll-backs after the last failure that failed or were interrupted."""

    @property
    def exhausted(self) -> bool:
        return self.is_exhausted(None)

    def is_exhausted(self, limit: int | None) -> bool:
        """Whether it is not tried again. `limit` is the plan's own patience with what Helm or the API refused."""
        patience = self.patience if limit is None or self.patience != DEFAULT_PATIENCE else limit
        return patience != UNLIMITED and self.count >= patience


@dataclass(frozen=True)
class Recorded:
    """What the status says."""

    state: str = ""
    version: str = ""
    enabled: bool | None = None
    generation: int = 0
    release: bool = False
    """A release was begun: its name and namespace are fixed from then on."""
    problem: str = ""
    """The problem that was told last."""
    paused: bool = False
    lacking: str = ""
    attempt: Attempt = Attempt()


@dataclass(frozen=True)
class Plan:
    name: str
    generation: int = 1
    deleting: bool = False
    force_delete: bool = False
    protected: bool = True
    """Our finalizer is on it."""
    token: str = ""
    paused: bool = False
    limit: int | None = None
    """Attempts at what Helm or the API refused; None: the room's patience, 0: for ever."""
    rolls_back: bool = False
    """A failed upgrade is followed by the last good revision."""
    ignore_dependents: bool = False
    enabled: bool = True
    """Asked for; it counts for what is in force also when nothing else of the plan can be done."""
    desired: Desired | Problem = Problem("Unknown", "")
    recorded: Recorded = Recorded()


class Namespace(Enum):
    ABSENT = "absent"
    ACTIVE = "active"
    TERMINATING = "terminating"


@dataclass(frozen=True)
class Release:
    """The newest revision; `ever_deployed` when any revision is or was in force."""

    revision: int
    status: str
    target: str = ""
    ever_deployed: bool = True
    description: str = ""
    good: int = 0
    """The revision before it that is still in force; 0 when there is none."""

    @property
    def pending(self) -> bool:
        return self.status in storage.PENDING


@dataclass(frozen=True)
class World:
    """What is there. The last two are only looked at during an uninstall, when no release is left."""

    release: Release | None = None
    namespace: Namespace = Namespace.ABSENT
    switched: bool = True
    """All API objects of the extension say what `enabled` asks for."""
    remains: int = 0
    """Objects that still carry the extension's label and are not being deleted."""
    vanishing: int = 0
    """Objects that are being deleted."""
    may_retry: bool = True
    """The wait after the last failure is over."""
    dependents: tuple[str, ...] = ()
    """Extensions that need this one. Only looked at before an uninstall."""
    members: tuple[str, ...] = ()
    """Member clusters whose agents are still being removed. Only looked at during an uninstall."""


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """A target from the inputs of a release; fits a label's value."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Inputs:
    """Everything a release is made from. A rebuilt package under an old version number is a new target (digest)."""

    extension: str
    version: str
    digest: str
    namespace: str
    config: str
    injected: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def target(self) -> str:
        return fingerprint(
            {
                "extension": self.extension,
                "version": self.version,
                "digest": self.digest,
                "namespace": self.namespace,
                "config": self.config,
                "injected": dict(self.injected),
            }
        )
