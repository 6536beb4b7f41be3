"""What ksbuilder refuses beside a faulty package, each in one sentence that says the way out.

CommandError
├── InvalidEpoch
├── NotAPackage
├── DirectoryTaken
├── CredentialsUnusable
├── RepositoryRefused
├── DirectoryUnusable
├── NoSuchPackage
├── NotLoggedIn
├── PlatformRefused
├── UnsafeServe
├── UnusableAddress
├── NotSigned
├── DevelopmentFailed
├── NoBrowser
├── BrowserFailed
├── NoPlatform
├── ClusterRefused
├── PublishFailed
├── FromRepository
├── NotPublished
└── StillInstalled
"""

from collections.abc import Sequence

from dovetail.cli.errors import CommandError


class InvalidEpoch(CommandError):
    """SOURCE_DATE_EPOCH is not a time that an archive can hold."""

    def __init__(self, text: str) -> None:
        super().__init__(f"SOURCE_DATE_EPOCH is {text!r}. Set it to seconds since 1970, 0 or more, or unset it.")


class NotAPackage(CommandError):
    """The path is neither a directory nor an archive."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}. Give an extension's directory, or a .tgz that `ksbuilder package` wrote.")


class DirectoryTaken(CommandError):
    """A new project would overwrite something."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is there already and not empty. Give another DIRECTORY, or remove it first.")


class CredentialsUnusable(CommandError):
    """A file of a login is not safe, or not readable."""

    def __init__(self, path: str, reason: str, remedy: str) -> None:
        super().__init__(f"{path} is not used: {reason}. {remedy}.")


class RepositoryRefused(CommandError):
    """A Helm repository does not give, or does not take."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason.rstrip('.')}. Check the address and the login.")


class DirectoryUnusable(CommandError):
    """A directory is no place for packages, or has a file that is none. The reason says the way out."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class NoSuchPackage(CommandError):
    """A source has no such package, or not in that version."""

    def __init__(self, what: str, where: str, known: Sequence[str]) -> None:
        there = f"It has {', '.join(known[:10])}" if known else "It has none"
        super().__init__(f"{what} is not in {where}. {there}; `ksbuilder list {where}` shows all.")


class NotLoggedIn(CommandError):
    """There is no login to use or to forget."""

    def __init__(self, place: str) -> None:
        super().__init__(f"There is no login for {place}. Log in with `ksbuilder login {place}`.")


class PlatformRefused(CommandError):
    """A platform does not answer (`status` is 0), or does not let anybody in."""

    def __init__(self, url: str, reason: str, status: int = 0) -> None:
        self.status = status
        super().__init__(f"{url}: {reason.rstrip('.')}. Check the address, the user name and the password.")


class UnsafeServe(CommandError):
    """Anybody on the network could replace packages."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Uploads at {host} without a password would let anybody replace packages. "
            "Give --password-file, or listen on 127.0.0.1."
        )


class UnusableAddress(CommandError):
    """A server cannot listen there."""

    def __init__(self, host: str, why: OSError) -> None:
        super().__init__(
            f"Nothing can listen on {host}: {why.strerror or why}. Give another --host, or another --port."
        )


class NotSigned(CommandError):
    """A package's provenance is missing, or not its own."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} is not used: {reason}. Get the package and its .prov file from its author again.")


class DevelopmentFailed(CommandError):
    """A change could not be brought into force."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason.rstrip('.')}. {remedy}.")


class NoBrowser(CommandError):
    """There is nothing to look at pages with."""

    def __init__(self) -> None:
        super().__init__("No Chromium starts here. Install one (apt-get install chromium), or name it in $CHROMIUM.")


class BrowserFailed(CommandError):
    """The browser does not do what it is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"Chromium did not do it: {reason.rstrip('.')}. Try again, or name another one in $CHROMIUM.")


class NoPlatform(CommandError):
    """The cluster has no platform in it."""

    def __init__(self, server: str) -> None:
        super().__init__(
            f"The cluster at {server} does not know extensions. Start the platform on it with `dovetail up`, "
            "or choose another cluster with --kubeconfig."
        )


class ClusterRefused(CommandError):
    """The cluster cannot be used, or says no."""

    def __init__(self, what: str, reason: str, remedy: str) -> None:
        super().__init__(f"{what}: {reason.rstrip('.')}. {remedy}")


class PublishFailed(CommandError):
    """Publishing stopped half-way; what it had made was taken back."""

    def __init__(self, what: str, reason: str, left: Sequence[str]) -> None:
        rest = f"These could not be removed again: {', '.join(left)}." if left else "Nothing was left behind."
        super().__init__(
            f"{what} was not published: {reason.rstrip('.')}. {rest} Put the cause right and publish again."
        )


class FromRepository(CommandError):
    """A version belongs to a repository, which would overwrite what is published by hand."""

    def __init__(self, version: str, repository: str) -> None:
        super().__init__(
            f"{version} is already there, from the repository {repository}. Publish it under another version, "
            "or remove it from the repository."
        )


class NotPublished(CommandError):
    """There is no such extension."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No extension {name} is published. `kubectl get extensions` lists those that are.")


class StillInstalled(CommandError):
    """An extension that is in use is not taken away."""

    def __init__(self, name: str, plan: str, state: str) -> None:
        how = f" ({state})" if state else ""
        super().__init__(
            f"{name} is installed{how} and stays published. Uninstall it first, in the console or with "
            f"`kubectl delete installplan {plan}`, then unpublish it."
        )
