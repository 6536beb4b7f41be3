"""What can go wrong between us and Helm, as one tree.

    HelmError
    +-- HelmRefused            Helm answered, and the answer is no; `.reason` tells which kind of no
    +-- HelmWorkerDied         the worker process ended while it owed an answer; asking again starts a new one
    +-- HelmTimeout            no answer within the given time; the operation was cancelled
    +-- HelmProtocolError      bytes that are not a frame of ours
    +-- StaleRendering         a rendering for another revision than the next one
    +-- InvalidAssignment      a `--set...` that Helm does not understand
    +-- UnlabellableDocument   a rendered document that is not a Kubernetes object
    +-- UnfoldsTooFar          YAML that unfolds, or is nested, further than can be held

`HelmRefused` repeats Helm's own words and adds only what was being done to which release.
"""

from typing import Final

INVALID: Final = "Invalid"
"""The chart, its values or the rendered objects are wrong: trying again changes nothing."""
NOT_FOUND: Final = "NotFound"
CANCELLED: Final = "Cancelled"
UNREACHABLE: Final = "Unreachable"
"""The Kubernetes API did not answer: trying again may help."""
STORAGE: Final = "Storage"
RELEASE: Final = "Release"
"""The API refused an object, or a hook failed."""
STALE: Final = "Stale"
"""What was to be installed was rendered for another state of the release."""
INTERNAL: Final = "Internal"


class HelmError(Exception):
    """Anything that this room raises."""


class HelmRefused(HelmError):
    """Helm did not do it. `reason` is one of this module's constants, `detail` Helm's own words."""

    def __init__(self, operation: str, release: str, reason: str, detail: str) -> None:
        self.operation = operation
        self.release = release
        self.reason = reason
        self.detail = detail
        super().__init__(f"helm {operation} of {release!r} failed: {detail}")


class HelmWorkerDied(HelmError):
    """The worker ended (`exit_code` as asyncio reports it, None when it closed its pipe first)."""

    def __init__(self, operation: str, exit_code: int | None) -> None:
        self.operation = operation
        self.exit_code = exit_code
        how = "closed its pipe" if exit_code is None else f"ended with {exit_code}"
        super().__init__(f"the helm worker {how} during {operation}; try again, a new one is started")


class HelmTimeout(HelmError):
    """No answer within `seconds`."""

    def __init__(self, operation: str, release: str, seconds: float) -> None:
        self.operation = operation
        self.release = release
        self.seconds = seconds
        super().__init__(
            f"helm {operation} of {release!r} gave no answer within {seconds:g} s and was cancelled; "
            "look at the hooks of the chart, or allow it more time"
        )


class HelmProtocolError(HelmError):
    """The two ends of the pipe disagree; this is a defect of ours or a foreign process on the pipe."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"the helm worker's pipe carries something that is not a frame: {what}")


class StaleRendering(HelmError):
    """The release has moved on since it was rendered."""

    def __init__(self, rendered_for: int, next_revision: int) -> None:
        super().__init__(
            f"it was rendered as revision {rendered_for}, but the next one is {next_revision} by now; render it again"
        )


class InvalidAssignment(HelmError):
    """One `--set...`. Its value is not told: it may be a secret."""

    def __init__(self, flag: str, text: str, why: str) -> None:
        super().__init__(f"--{flag} {text.partition('=')[0]}=...: {why}")


class UnlabellableDocument(HelmError):
    """A document of `source` (a template's path) that cannot carry a label."""

    def __init__(self, source: str, why: str) -> None:
        self.source = source
        self.why = why
        super().__init__(f"{source} renders to something that is not a Kubernetes object: {why}; correct the template")


class UnfoldsTooFar(HelmError):
    """A text whose YAML aliases multiply, or that is nested without measure."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(f"{source}: {why}; write out what is meant")
