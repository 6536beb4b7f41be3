"""Everything that can go wrong between us and a Kubernetes API, as one tree.

    KubeError
    ├── ConfigError              the kubeconfig, or a credential that it names, cannot be used
    ├── InvalidPath              a name, namespace or subresource that cannot stand in a URL
    ├── Unreachable              no answer: connection refused, cut, not trusted
    │   ├── RequestTimeout       no answer in time
    │   └── WatchBroken          a watch stream ended in the middle of an event
    ├── UnreadableAnswer         an answer that is not what the API promises, or larger than the limit
    ├── UnknownKind              discovery does not know apiVersion/kind
    ├── NotSynced                an informer did not get its first list in time
    ├── LeadershipLost           the lease went to somebody else
    └── ApiError                 the API answered with a metav1.Status
        ├── BadRequest 400, Unauthorized 401, Forbidden 403, NotFound 404, Gone 410, Invalid 422, TooManyRequests 429
        ├── AlreadyExists 409 and Conflict 409, told apart by the reason
        └── ServerError 5xx

Exceptions of aiohttp, ssl and orjson never leave this room; they are chained as causes.
"""

from collections.abc import Mapping
from typing import Any, cast


class KubeError(Exception):
    """The root: catch it to survive anything this room raises."""


class ConfigError(KubeError):
    """The kubeconfig cannot be used. `source` is the file (or place), `problem` a clause, `remedy` what to do."""

    def __init__(self, source: str, problem: str, remedy: str = "") -> None:
        self.source, self.problem, self.remedy = source, problem, remedy
        super().__init__(f"{source}: {problem}" + (f"; {remedy}" if remedy else ""))


class InvalidPath(KubeError, ValueError):
    """A URL cannot be formed from these parts; sending it anyway could reach another object."""

    def __init__(self, plural: str, part: str, value: str, problem: str) -> None:
        self.plural, self.part, self.value = plural, part, value
        super().__init__(f"cannot address {plural}: {part} {value!r} {problem}")


class Unreachable(KubeError):
    """The API did not answer. `server` is its URL, `problem` a clause."""

    def __init__(self, server: str, problem: str) -> None:
        self.server, self.problem = server, problem
        super().__init__(f"the Kubernetes API at {server} cannot be reached: {problem}")


class RequestTimeout(Unreachable):
    """No complete answer within `seconds`."""

    def __init__(self, server: str, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(server, f"no complete answer within {seconds:g} s")


class WatchBroken(Unreachable):
    """A watch ended in the middle of an event; resume from the last resourceVersion that was seen."""


class UnreadableAnswer(KubeError):
    """The API answered with something that cannot be used: not JSON, not an object, or over the size limit."""

    def __init__(self, what: str, problem: str) -> None:
        self.what, self.problem = what, problem
        super().__init__(f"unusable answer to {what}: {problem}")


class UnknownKind(KubeError):
    """Discovery has no such kind: its CRD is not installed, or the name is wrong."""

    def __init__(self, api_version: str, kind: str) -> None:
        self.api_version, self.kind = api_version, kind
        super().__init__(f"the cluster does not serve {kind} in {api_version}; install its CRD first")


class NotSynced(KubeError):
    """An informer has no first list yet; `cause` is the last problem it met."""

    def __init__(self, plural: str, seconds: float, cause: Exception | None) -> None:
        self.plural, self.seconds, self.cause = plural, seconds, cause
        why = f": {cause}" if cause else ""
        super().__init__(f"{plural} were not listed within {seconds:g} s{why}")


class LeadershipLost(KubeError):
    """Another replica holds the lease, or it could not be renewed in time; stop and start over."""

    def __init__(self, lease: str, holder: str) -> None:
        self.lease, self.holder = lease, holder
        super().__init__(f"leadership of {lease} was lost" + (f" to {holder}" if holder else ""))


class ApiError(KubeError):
    """The API refused: `code` (HTTP), `reason` (CamelCase word), `message`, `details` of its metav1.Status."""

    def __init__(self, status: Mapping[str, Any]) -> None:
        self.status = status
        self.code = _integer(status.get("code"))
        self.reason = str(status.get("reason") or "")
        self.message = str(status.get("message") or "")
        details = status.get("details")
        self.details: Mapping[str, Any] = cast("Mapping[str, Any]", details) if isinstance(details, Mapping) else {}
        super().__init__(f"{self.code} {self.reason}: {self.message}" if self.reason else f"{self.code} {self.message}")

    @property
    def retry_after(self) -> float:
        """Seconds the server asks to wait before the next try; 0 when it does not say."""
        return float(_integer(self.details.get("retryAfterSeconds")))

    @property
    def causes(self) -> list[Mapping[str, Any]]:
        """`details.causes`: mappings with reason, message, field."""
        causes = self.details.get("causes")
        return [c for c in cast("list[Any]", causes) if isinstance(c, Mapping)] if isinstance(causes, list) else []

    @staticmethod
    def of(status: Mapping[str, Any]) -> "ApiError":
        """The subclass that fits this Status: by reason where one is known, else by code."""
        kind = _BY_REASON.get(str(status.get("reason") or "")) or _by_code(_integer(status.get("code")))
        return kind(status)


class BadRequest(ApiError):
    """400: the request itself makes no sense."""


class Unauthorized(ApiError):
    """401: no credential, or one that is not accepted."""


class Forbidden(ApiError):
    """403: the user may not do this."""


class NotFound(ApiError):
    """404: no such object, or no such resource."""


class AlreadyExists(ApiError):
    """409 AlreadyExists: create found the name taken."""


class Conflict(ApiError):
    """409 Conflict: a stale resourceVersion, a failed precondition, or fields another manager owns."""


class Gone(ApiError):
    """410: the resourceVersion (or continue token) is no longer kept; list again."""


class Invalid(ApiError):
    """422: the object breaks its schema or rules; `causes` names the fields."""


class TooManyRequests(ApiError):
    """429: wait `retry_after` seconds."""


class ServerError(ApiError):
    """5xx: the server failed or is not ready; the outcome of a write is unknown."""


_BY_REASON: dict[str, type[ApiError]] = {
    "BadRequest": BadRequest,
    "Unauthorized": Unauthorized,
    "Forbidden": Forbidden,
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Gone": Gone,
    "Expired": Gone,
    "Invalid": Invalid,
    "TooManyRequests": TooManyRequests,
}
_BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def first_error(error: BaseException) -> BaseException:
    """What went wrong first, out of the groups in which task groups wrap it."""
    if isinstance(error, BaseExceptionGroup):
        return first_error(cast("BaseExceptionGroup[BaseException]", error).exceptions[0])
    return error


def _by_code(code: int) -> type[ApiError]:
    return ServerError if code >= 500 else _BY_CODE.get(code, ApiError)


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
