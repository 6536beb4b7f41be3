"""Who calls: the identity and the address that the gateway's worker vouches for.

The socket is private to the platform's processes, and the worker strips these headers from every client's request
before it writes its own; so they are taken as they are, percent-decoded. Nobody logged in means no `X-Remote-User`.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request

from dovetail.iam.policy import Identity
from dovetail.iam.rules import ANONYMOUS, UNAUTHENTICATED
from dovetail.platform.errors import Unauthenticated

_LONGEST_AGENT = 256
_EXTRA = "x-remote-extra-"
NOBODY = Identity(name=ANONYMOUS, groups=(UNAUTHENTICATED,))


def identity_of(request: Request) -> Identity:
    """The caller; `NOBODY` when nobody is logged in."""
    headers = request.headers
    name = unquote(headers.get("x-remote-user", ""))
    if not name:
        return NOBODY
    extra: dict[str, tuple[str, ...]] = {}
    for key, value in headers.items():
        if key.startswith(_EXTRA):
            field = unquote(key.removeprefix(_EXTRA))
            extra[field] = (*extra.get(field, ()), unquote(value))
    groups = tuple(map(unquote, headers.getlist("x-remote-group")))
    return Identity(name=name, uid=headers.get("x-remote-uid", ""), groups=groups, extra=extra)


def caller(request: Request) -> Identity:
    """The caller. Raises Unauthenticated when nobody is logged in."""
    identity = identity_of(request)
    if identity is NOBODY:
        raise Unauthenticated("nobody is logged in; send a bearer token or log in")
    return identity


def address_of(request: Request) -> str:
    """The client's address as the worker saw it; empty when it did not say."""
    return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request comes from: the address, as the worker saw it, and what the program calls itself."""

    address: str
    agent: str = ""


def origin_of(request: Request) -> Origin:
    """Where it comes from."""
    return Origin(address_of(request), request.headers.get("user-agent", "")[:_LONGEST_AGENT])


def over_tls(request: Request) -> bool:
    """Whether the client's own connection is encrypted."""
    return request.headers.get("x-forwarded-proto", "").lower() == "https"


def same_origin(request: Request) -> bool:
    """Whether a request with cookies comes from a page of ours, or from no page at all (curl).

    Browsers say so in Sec-Fetch-Site; on plain HTTP they send only Origin, which then has to name our own host.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    if origin is None:
        return True
    own = {request.headers.get("host", ""), request.headers.get("x-forwarded-host", "")} - {""}
    return origin.partition("://")[2] in own
