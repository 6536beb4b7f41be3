"""How an informer goes on after a list or a watch ended. Pure."""

from enum import Enum

from dovetail.kube.errors import (
    ApiError,
    ConfigError,
    Forbidden,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)


class Step(Enum):
    """What an informer does next."""

    WATCH = "watch again from the last version"
    LIST = "list again"
    ABSENT = "wait for the resource to exist"


_PASSING = (Unreachable, ServerError, TooManyRequests, Unauthorized, Forbidden, ConfigError)


def after(error: Exception | None, optional: bool) -> Step:
    """What to do when a list or watch ended with this error (None: the server ended the stream in good order).

    Errors that pass leave our version as good as it was. After any other (410, an event that cannot be read) the same
    watch would fail the same way, so only a new list leads on.
    """
    if error is None:
        return Step.WATCH
    if isinstance(error, NotFound) and optional:
        return Step.ABSENT
    return Step.WATCH if isinstance(error, _PASSING) and not _is_version_ahead(error) else Step.LIST


def went_back(ours: str, bookmark: str) -> bool:
    """Whether a bookmark is older than the version we follow: the server's data was replaced by an earlier state.

    resourceVersions are decimal numbers that grow (KEP-5504); anything else is not compared.
    """
    return ours.isdecimal() and bookmark.isdecimal() and int(bookmark) < int(ours)


def _is_version_ahead(error: Exception | None) -> bool:
    """Whether the server does not know our version yet: its data was restored or replaced."""
    if not isinstance(error, ApiError):
        return False
    return any(cause.get("reason") == "ResourceVersionTooLarge" for cause in error.causes)
