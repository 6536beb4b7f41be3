"""The room's errors, one tree. Each takes data, forms its own sentence, and says what to do next.

    PackagingError
    |- UnreadableTree      a directory that cannot be read as an extension
    |- BrokenArchive       bytes that are not a whole, well-formed .tgz
    |- UnsafeMember        a member that an archive or tree must not hold (links, devices, traversal, duplicates)
    |- TooLarge            a size limit is passed
    |- InvalidYaml         a YAML file that does not parse
    |- InvalidChart        a chart that Helm would refuse
    |- InvalidMetadata     extension.yaml breaks rules; carries the findings
    |- InvalidPermissions  permissions.yaml cannot be understood as a whole
    |- InvalidVersion      not a semantic version
    |- InvalidConstraint   not a version constraint

Nothing here knows the command line; `str(error)` is the sentence a person reads.
"""

from collections.abc import Sequence

from dovetail.packaging.findings import Finding


class PackagingError(Exception):
    """Anything that stops a package from being read or built."""


class UnreadableTree(PackagingError):
    """A directory that cannot be read as an extension."""

    def __init__(self, place: str, reason: str, fix: str) -> None:
        self.place, self.reason, self.fix = place, reason, fix
        super().__init__(f"{place}: {reason}. {fix}.")


class BrokenArchive(PackagingError):
    """Bytes that are not a whole, well-formed .tgz."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The archive cannot be read: {reason}. Build or download it again.")


class UnsafeMember(PackagingError):
    """A member that is refused because of its name or kind."""

    def __init__(self, member: str, reason: str) -> None:
        self.member, self.reason = member, reason
        super().__init__(f"{member!r} is refused: {reason}. Remove it from the package and build again.")


class TooLarge(PackagingError):
    """A size limit is passed. Sizes are in bytes."""

    def __init__(self, what: str, size: int, limit: int, fix: str) -> None:
        self.what, self.size, self.limit = what, size, limit
        super().__init__(f"{what} is larger than {limit:,} bytes (at least {size:,}). {fix}.")


class InvalidYaml(PackagingError):
    """A YAML file that does not parse; `place` is file:line."""

    def __init__(self, place: str, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(f"{place}: not valid YAML: {reason}. Correct the file.")


class InvalidChart(PackagingError):
    """A chart that Helm would refuse to load."""

    def __init__(self, place: str, reason: str, fix: str) -> None:
        self.place, self.reason, self.fix = place, reason, fix
        super().__init__(f"{place}: {reason}. {fix}.")


class InvalidMetadata(PackagingError):
    """The metadata breaks rules. `findings` has them all; the sentence tells the first and how many more there are."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        first, more = self.findings[0], len(self.findings) - 1
        rest = f" `ksbuilder validate` lists {more} more." if more else ""
        super().__init__(f"{first.place}: {first.message}. {first.fix}.{rest}")


class InvalidPermissions(PackagingError):
    """permissions.yaml cannot be understood as a whole; nothing of it counts."""

    def __init__(self, place: str, reason: str, fix: str) -> None:
        self.place, self.reason, self.fix = place, reason, fix
        super().__init__(f"{place}: {reason}. {fix}.")


class InvalidVersion(PackagingError):
    """Not a semantic version."""

    def __init__(self, text: str, reason: str = "") -> None:
        self.text = text
        why = f": {reason}" if reason else ""
        super().__init__(f"{text!r} is not a semantic version{why}. Write it as MAJOR.MINOR.PATCH, for example 1.2.0.")


class InvalidConstraint(PackagingError):
    """Not a version constraint."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"{text!r} is not a version constraint. Write it like '>=1.2.0-0', '^1.4' or '>=1.0.0 <2.0.0'."
        )
