"""What can go wrong: answers of the API (``StatusError``) and reasons not to start (``StartError``).

::

    ApiServerError
    |-- StartError            the server cannot run
    |   |-- StateLocked       another process has the database open
    |   |-- StateDamaged      the database is not ours or is broken
    |   |-- StateUnusable     the data directory cannot be read or written
    |   `-- AddressInUse      the port is taken
    `-- StatusError           a metav1.Status answer: code, reason, details
        |-- BadRequest, Unauthorized, Forbidden, NotFound, NoSuchPath, MethodNotAllowed, NotAcceptable
        |-- AlreadyExists, Conflict, Expired, Invalid, TooLarge, UnsupportedMediaType
        `-- InternalError, Unavailable

Codes, reasons and sentences are those of Kubernetes (apimachinery ``api/errors``): clients match on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from .fielderrors import FieldError


class ApiServerError(Exception):
    """Everything that this room raises on purpose."""


class StartError(ApiServerError):
    """The server cannot run; the message says what to do."""


class StateLocked(StartError):
    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(
            f"{path} is in use by another process. Stop the other instance, or choose another data directory."
        )


class StateDamaged(StartError):
    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(
            f"{path} cannot be used: {problem}. Restore it from a backup, or move it away to start with an empty "
            "cluster."
        )


class StateUnusable(StartError):
    """The files cannot be read or written; nothing is known to be wrong with their contents."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path} cannot be read or written: {problem}. Check its directory, permissions and disk.")


class AddressInUse(StartError):
    def __init__(self, host: str, port: int, problem: str) -> None:
        self.host, self.port = host, port
        super().__init__(
            f"cannot listen on {host}:{port}: {problem}. Stop the program that uses it, or choose another port."
        )


class StatusError(ApiServerError):
    """An answer other than success. ``body()`` is its ``metav1.Status``."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        self.message, self.details = message, details
        super().__init__(message)

    def status(self) -> dict[str, Any]:
        body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        body["message"] = self.message
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = dict(self.details)
        body["code"] = self.code
        return body

    def body(self) -> bytes:
        return orjson.dumps(self.status())


def qualified(plural: str, group: str) -> str:
    """``deployments.apps``; only ``pods`` in the core group."""
    return f"{plural}.{group}" if group else plural


def _details(name: str, group: str, kind: str, **extra: Any) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name, "group": group, "kind": kind, **extra}
    return {key: value for key, value in details.items() if value}


class BadRequest(StatusError):
    code, reason = 400, "BadRequest"


class Unauthorized(StatusError):
    code, reason = 401, "Unauthorized"

    def __init__(self, message: str = "Unauthorized") -> None:
        super().__init__(message)


class Forbidden(StatusError):
    code, reason = 403, "Forbidden"

    def __init__(self, group: str, plural: str, name: str, why: str) -> None:
        what = f'{qualified(plural, group)} "{name}"' if name else qualified(plural, group)
        message = f"{what} is forbidden: {why}" if plural else f"forbidden: {why}"
        super().__init__(message, _details(name, group, plural))


class NotFound(StatusError):
    code, reason = 404, "NotFound"

    def __init__(self, group: str, plural: str, name: str) -> None:
        super().__init__(f'{qualified(plural, group)} "{name}" not found', _details(name, group, plural))


class NoSuchPath(StatusError):
    """No resource of that name: the answer from which clients learn that a kind is not served."""

    code, reason = 404, "NotFound"

    def __init__(self) -> None:
        super().__init__("the server could not find the requested resource", {})

    def status(self) -> dict[str, Any]:
        return super().status() | {"details": {}}


class MethodNotAllowed(StatusError):
    code, reason = 405, "MethodNotAllowed"

    def __init__(self, group: str, plural: str, verb: str) -> None:
        super().__init__("the server does not allow this method on the requested resource", _details("", group, plural))
        self.verb = verb


class NotAcceptable(StatusError):
    code, reason = 406, "NotAcceptable"

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__(f"only the following media types are accepted: {', '.join(offered)}")


class AlreadyExists(StatusError):
    code, reason = 409, "AlreadyExists"

    def __init__(self, group: str, plural: str, name: str) -> None:
        super().__init__(f'{qualified(plural, group)} "{name}" already exists', _details(name, group, plural))


class Conflict(StatusError):
    code, reason = 409, "Conflict"

    MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"

    def __init__(self, group: str, plural: str, name: str, why: str = MODIFIED, **extra: Any) -> None:
        message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
        super().__init__(message, _details(name, group, plural, **extra))


class ApplyConflict(StatusError):
    """Server-side apply met fields of other managers; ``causes`` name them."""

    code, reason = 409, "Conflict"

    def __init__(self, message: str, causes: Sequence[Mapping[str, str]]) -> None:
        super().__init__(message, {"causes": list(causes)})


class Expired(StatusError):
    """410: the resource version or continue token is older than what is kept. Clients list again.

    ``continue_token`` lets a client that was paging go on with an inconsistent list.
    """

    code, reason = 410, "Expired"
    continue_token = ""

    def status(self) -> dict[str, Any]:
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        return super().status() | {"metadata": metadata}


class VersionTooLarge(StatusError):
    """504: the client knows a resource version that does not exist yet (it may have talked to another server)."""

    code, reason = 504, "Timeout"

    def __init__(self, asked: int, current: int) -> None:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        message = f"Timeout: Too large resource version: {asked}, current: {current}"
        super().__init__(message, {"causes": [cause], "retryAfterSeconds": 1})


class TooLarge(StatusError):
    code, reason = 413, "RequestEntityTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request entity too large: limit is {limit}")


class UnsupportedMediaType(StatusError):
    code, reason = 415, "UnsupportedMediaType"

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__(
            "the body of the request was in an unknown format - accepted media types include: " + ", ".join(offered)
        )


class Invalid(StatusError):
    code, reason = 422, "Invalid"

    def __init__(self, group: str, kind: str, name: str, errors: Sequence[FieldError]) -> None:
        texts = list(dict.fromkeys(str(error) for error in errors))
        listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        causes = [error.cause() for error in errors]
        super().__init__(
            f'{qualified(kind, group)} "{name}" is invalid: {listed}', _details(name, group, kind, causes=causes)
        )
        self.errors = tuple(errors)


class InternalError(StatusError):
    code, reason = 500, "InternalError"

    def __init__(self, problem: str) -> None:
        super().__init__(f"Internal error occurred: {problem}", {"causes": [{"message": problem}]})


class Unavailable(StatusError):
    code, reason = 503, "ServiceUnavailable"
