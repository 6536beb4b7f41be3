"""What the gateway answers by itself: a Kubernetes Status, as every other error on the API."""

from dataclasses import dataclass
from http import HTTPStatus

from dovetail.kube.status import status_body

_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    408: "Timeout", 413: "RequestEntityTooLarge", 414: "URITooLong", 417: "ExpectationFailed",
    429: "TooManyRequests", 431: "RequestHeaderFieldsTooLarge", 500: "InternalError", 501: "NotImplemented",
    502: "BadGateway", 503: "ServiceUnavailable", 504: "Timeout", 505: "HTTPVersionNotSupported",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer without a backend. `close` ends the connection: what follows on it cannot be trusted."""

    code: int
    message: str
    close: bool = False
    headers: tuple[str, ...] = ()
    """Further lines of the head."""
    quiet: bool = False
    """It is counted where it is made, and one of many: the log is not told of each."""

    def render(self, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """The response on the wire."""
        body = status_body(self.code, _REASONS.get(self.code, "InternalError"), self.message)
        lines = [
            f"HTTP/1.1 {self.code} {HTTPStatus(self.code).phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
        ]
        if self.code == 401:
            lines.append('WWW-Authenticate: Bearer realm="dovetail"')
        if self.code == 405:
            lines.append("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        lines += self.headers
        if self.code in (429, 503) and not any(line.startswith("Retry-After:") for line in self.headers):
            lines.append("Retry-After: 1")
        if self.close or not keep_alive:
            lines.append("Connection: close")
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return head if head_only else head + body
