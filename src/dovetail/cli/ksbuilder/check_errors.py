"""What the commands that check and render refuse beside a faulty package, each in one sentence with the way out.

CommandError
├── InvalidKubernetesVersion
├── FixturesUnreadable
├── FileUnreadable
├── NotRendered
├── NoSuchTemplate
├── NotInstalled
├── UnknownSchema
├── UnknownCode
└── SigningFailed
"""

from collections.abc import Iterable, Sequence

from dovetail.cli.errors import CommandError


class InvalidKubernetesVersion(CommandError):
    """--kube-version is no version."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a version of Kubernetes. Write it like 1.29 or v1.29.3.")


class FixturesUnreadable(CommandError):
    """A file given with --lookup holds no objects."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Give YAML documents with apiVersion, kind and metadata.")


class NotRendered(CommandError):
    """A package does not render."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(
            f"{place}: it does not render: {reason}. Correct the template, or give the value that it needs."
        )


class FileUnreadable(CommandError):
    """A file that an option names is no text."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: it is not UTF-8 text. Give another file, or write it again as UTF-8.")


class NoSuchTemplate(CommandError):
    """--show-only means none of the templates."""

    def __init__(self, glob: str, known: Sequence[str]) -> None:
        more = f", and {len(known) - 5} more" if len(known) > 5 else ""
        super().__init__(f"No template matches {glob!r}. There are: {', '.join(known[:5]) or 'none'}{more}.")


class NotInstalled(CommandError):
    """There is no release to compare with."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(
            f"{name} is not installed: the namespace {namespace} has no release of it. "
            "Install it, or compare with another package."
        )


class UnknownSchema(CommandError):
    """There is no schema of that name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no schema {name!r}. There are: {', '.join(known)}.")


class UnknownCode(CommandError):
    """There is no finding of that code."""

    def __init__(self, code: str, near: str) -> None:
        hint = f"The nearest is {near}" if near else "`ksbuilder explain` lists them all"
        super().__init__(f"There is no finding {code!r}. {hint}.")


class SigningFailed(CommandError):
    """GnuPG did not sign, or did not accept a signature."""

    def __init__(self, what: str, reason: str, remedy: str) -> None:
        super().__init__(f"{what}: {reason.rstrip('.')}. {remedy}")
