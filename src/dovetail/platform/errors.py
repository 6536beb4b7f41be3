"""How the platform's API says no: one tree of errors, each a code, a Kubernetes reason and a sentence.

    PlatformError                 answered as metav1.Status
    +-- Unauthenticated     401
    +-- AccessDenied        403
    +-- Missing             404
    +-- Clash               409
    +-- BadRequest          400
    +-- TooLarge            413
    +-- UnknownMediaType    415
    +-- Unacceptable        422   (details.causes: field, message)
    +-- SlowDown            429   (Retry-After)
    +-- BadPeer             502
    OAuthError                    answered as RFC 6749 5.2 says, on /oauth/token only

Errors of the rooms below are turned into these at the edge (`dovetail.platform.answers`).
"""

from collections.abc import Mapping, Sequence
from typing import Any


class PlatformError(Exception):
    """The root: answered as a metav1.Status with this class's code and reason."""

    code = 500
    reason = "InternalError"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def details(self) -> Mapping[str, Any] | None:
        return None

    @property
    def headers(self) -> dict[str, str]:
        return {}


class Unauthenticated(PlatformError):
    """Nobody is logged in, or the credentials are wrong."""

    code = 401
    reason = "Unauthorized"


class AccessDenied(PlatformError):
    """Somebody is logged in and may not do this."""

    code = 403
    reason = "Forbidden"


class Missing(PlatformError):
    """There is no such object or path."""

    code = 404
    reason = "NotFound"


class Clash(PlatformError):
    """The request does not go with what is there."""

    code = 409
    reason = "Conflict"

    def __init__(self, message: str, *, exists: bool = False) -> None:
        super().__init__(message)
        self.reason = "AlreadyExists" if exists else "Conflict"


class BadRequest(PlatformError):
    """The request cannot be read."""

    code = 400
    reason = "BadRequest"


class TooLarge(PlatformError):
    """The body is larger than this endpoint takes."""

    code = 413
    reason = "RequestEntityTooLarge"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes")


class UnknownMediaType(PlatformError):
    """The body is of a kind that this endpoint does not read."""

    code = 415
    reason = "UnsupportedMediaType"

    def __init__(self, given: str, known: Sequence[str]) -> None:
        super().__init__(f"the Content-Type {given!r} is not read here; send {', '.join(known)}")


class Unacceptable(PlatformError):
    """The request can be read and breaks rules: (field, message) each."""

    code = 422
    reason = "Invalid"

    def __init__(self, what: str, causes: Sequence[tuple[str, str]]) -> None:
        self.causes = tuple(causes)
        super().__init__(f"{what} is not valid: " + "; ".join(f"{field}: {message}" for field, message in causes))

    @property
    def details(self) -> Mapping[str, Any] | None:
        causes = [{"reason": "FieldValueInvalid", "field": field, "message": text} for field, text in self.causes]
        return {"causes": causes}


class SlowDown(PlatformError):
    """Too many tries; the answer says when the next one makes sense."""

    code = 429
    reason = "TooManyRequests"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def details(self) -> Mapping[str, Any] | None:
        return {"retryAfterSeconds": self.retry_after}

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class BadPeer(PlatformError):
    """Another system that is needed for this does not answer as it should."""

    code = 502
    reason = "BadGateway"


class OAuthError(Exception):
    """An error of the token endpoint (RFC 6749 5.2)."""

    def __init__(self, error: str, description: str, code: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.error, self.description, self.code = error, description, code
        self.headers = dict(headers or {})
