"""What the commands refuse, each in one sentence that says the way out.

CommandError
├── DataDirectoryUnusable
│   └── DataDirectoryLocked
├── PortTaken
├── PageNotBuilt
├── UnsafeBind
├── CertificateUnusable
├── ProcessFailed
├── CaddyfileUnreadable
├── ObjectsUnreadable
├── ClusterUnreachable
└── UnknownUser
"""

from pathlib import Path
from typing import cast


class CommandError(Exception):
    """A command cannot go on. Its text is shown as it is; the exit code is 1."""


class DataDirectoryUnusable(CommandError):
    """The data directory cannot be made or written."""

    def __init__(self, root: Path, reason: str) -> None:
        super().__init__(f"The data directory {root} cannot be used: {reason}. Choose another one with --data-dir.")


class DataDirectoryLocked(DataDirectoryUnusable):
    """Another platform runs on the same data."""

    def __init__(self, root: Path, holder: str) -> None:
        who = f"process {holder}" if holder else "another process"
        CommandError.__init__(
            self,
            f"The data directory {root} is in use by {who}. Stop it, or start this one with another --data-dir.",
        )


class PortTaken(CommandError):
    """Something else listens where the platform should."""

    def __init__(self, host: str, port: int, option: str) -> None:
        super().__init__(
            f"Port {port} on {host} is taken by another program. Stop it, or choose another port with {option}."
        )


class CaddyfileUnreadable(CommandError):
    """The file to import is no Caddyfile."""

    def __init__(self, name: str, why: Exception) -> None:
        text = f"{name}: it is not UTF-8 text" if isinstance(why, UnicodeDecodeError) else str(why)
        super().__init__(f"{text}. Nothing was written.")


class ObjectsUnreadable(CommandError):
    """A file of objects is no YAML."""

    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(f"{path} is no YAML or JSON file: {' '.join(str(why).split())}. Nothing was checked.")


class PageNotBuilt(CommandError):
    """The console's page has not been built."""

    def __init__(self) -> None:
        super().__init__("The console's page is not built. Run `make web` in the checkout, then start again.")


class UnsafeBind(CommandError):
    """Passwords would cross a network in the clear."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Binding to {host} without TLS would send passwords in the clear. Give --tls-cert and --tls-key, "
            "or stay on 127.0.0.1."
        )


class CertificateUnusable(CommandError):
    """The files do not make a server certificate."""

    def __init__(self, cert: Path, key: Path, reason: str) -> None:
        super().__init__(
            f"The certificate {cert} with the key {key} cannot be used: {reason}. Give --tls-cert the chain and "
            "--tls-key its key, both as PEM and the key without a passphrase."
        )


class ProcessFailed(CommandError):
    """A process ended before it was ready."""

    def __init__(self, name: str, reason: str, log: Path, tail: str) -> None:
        detail = f"\n{tail}" if tail else ""
        super().__init__(f"{name} did not start ({reason}). Its log is {log}.{detail}")


class ClusterUnreachable(CommandError):
    """The Kubernetes API that a kubeconfig names does not answer."""

    def __init__(self, kubeconfig: Path | None, reason: str) -> None:
        source = f"the kubeconfig {kubeconfig}" if kubeconfig else "the current kubeconfig"
        super().__init__(
            f"The cluster of {source} cannot be used: {reason}. Check it with `kubectl cluster-info`, "
            "or leave --kubeconfig out to start the embedded cluster."
        )


class UnknownUser(CommandError):
    """There is no such user."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no user {name}. `kubectl get users.iam.kubesphere.io` lists them.")


def first_of(error: BaseException) -> BaseException:
    """The first cause inside nested exception groups; an exception that is no group is its own."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
