"""What becomes of a request: refused, or sent on by a route as a user. Pure, given a snapshot in force and the time.

The order is: path, route, credential, access. A cookie counts like a bearer token, but a browser sends it by itself, so
with a cookie anything that could do harm (unsafe methods, upgrades) must come from our own pages.
"""

from dataclasses import dataclass

from dovetail.gateway.proxy.credentials import Unchecked, User
from dovetail.gateway.proxy.identity_headers import NOBODY, identity_headers
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Head
from dovetail.gateway.proxy.serving import Serving
from dovetail.iam.attributes import Attributes, parse
from dovetail.iam.rules import PRE_REGISTRATION
from dovetail.routing.clusters import LOCAL, local_path
from dovetail.routing.errors import BadPattern
from dovetail.routing.model import Route
from dovetail.routing.paths import canonical

TOKEN_COOKIE = b"dovetail-token"
SECURE_TOKEN_COOKIE = b"__Host-dovetail-token"
"""The same over TLS: no other host and no plain page can set a cookie of this name (RFC 6265bis 4.1.3)."""
LOGIN_ROUTES = "builtin/oauth"
"""Our own log-in and log-out, which read the credentials themselves."""
_LONGEST_KEPT = 256
"""Longer targets are looked up each time: what strangers can make us remember is bounded."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_NEVER = frozenset(
    ("CONNECT", "TRACE", "PRI", "SOURCE", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN",
     "GET_PARAMETER", "SET_PARAMETER", "REDIRECT", "RECORD", "FLUSH")
)  # fmt: skip
"""TRACE would show a client what we tell the backend of it; the others are of protocols that llhttp knows too."""
_NOBODY = identity_headers(NOBODY, "impersonate")
_LOG_IN = Refusal(401, "Unauthorized: log in, or send a bearer token")


@dataclass(frozen=True, slots=True)
class Onward:
    """How a request is sent on whoever makes it: its method, and the start of its head, up to the Host line."""

    method: str
    start: bytes


@dataclass(slots=True, eq=False)
class Place:
    """Where a method and a target lead, for every user. Equal only to itself. `onward` is for `outgoing` to keep."""

    route: Route
    path: str
    query: str
    asks: Attributes | None
    """What the policy is asked; None where it need not be."""
    audience: str = ""
    """The backend that an assertion is for; empty where none is sent."""
    onward: Onward | None = None


@dataclass(slots=True)
class Admitted:
    """A request that goes on: where, as whom, and with which header lines that say so."""

    place: Place
    user: User | None
    identity: bytes = b""

    @property
    def route(self) -> Route:
        return self.place.route


def admit(head: Head, serving: Serving, now: float, *, secure: bool) -> Admitted | Refusal | Unchecked:
    """Decide about a request. `now` in seconds of the epoch; `secure` says that the client came over TLS.

    `Unchecked` when control has to look at a password first; ask again when it has.
    """
    if head.refusal is not None:
        return head.refusal
    key = (head.method, head.target)
    place = serving.places.get(key)
    if place is None:
        place = _place(head, serving)
        if isinstance(place, Refusal):
            return place
        if head.target.startswith(b"/") and len(head.target) <= _LONGEST_KEPT:
            serving.places.put(key, place)
    user = _user(head, serving, now, secure)
    route = place.route
    if isinstance(user, Unchecked):
        if not route.id.startswith(LOGIN_ROUTES):
            return user
        user = None  # a client's own name and password (RFC 6749 2.3.1), which no user has
    if route.access != "public":
        refusal = _access(serving, place, user)
        if refusal is not None:
            return refusal
    if route.unavailable and (route.traffic is None or not route.traffic.redirects):  # a redirect needs no backend
        return Refusal(503, f"the backend of {route.id} is not available: {route.unavailable}")
    if head.length is not None and head.length > route.max_body:
        return Refusal(413, f"the body is larger than the {route.max_body} bytes allowed here", close=True)
    caller = user if isinstance(user, User) else None
    return Admitted(place, caller, _identity(place, caller, serving, now))


def still_admitted(admitted: Admitted, serving: Serving) -> Refusal | None:
    """Why a request that was admitted under another snapshot would not be under this one; None when it would."""
    place, user = admitted.place, admitted.user
    identity = serving.credentials.again(user) if user is not None else NOBODY
    if isinstance(identity, str):
        return Refusal(401, f"Unauthorized: {identity}", close=True)
    if place.asks is None:
        return _unready(serving, user) if user is not None and admitted.route.access == "authenticated" else None
    decision = serving.authorizer.decide(identity, place.asks)
    return None if decision.allowed else Refusal(403, decision.reason, close=True)


def _identity(place: Place, user: User | None, serving: Serving, now: float) -> bytes:
    """The lines that tell the backend who calls."""
    style = place.route.identity
    if style == "remote-headers":
        if user is None:
            return b""
        signer = serving.credentials.signer
        return user.vouched(signer, place.audience, now) if place.audience and signer else user.remote
    if style == "impersonate":
        return user.impersonate if user is not None else _NOBODY
    return b""


def _place(head: Head, serving: Serving) -> Place | Refusal:
    if head.method in _NEVER:
        return Refusal(405, f"{head.method} is not supported", close=True)
    split = split_target(head.target, head.host)
    if isinstance(split, Refusal):
        return split
    path, query = split
    local = local_path(path)
    if local is None:
        return Refusal(404, f"there is no cluster of the name in {path}; this one is {LOCAL}")
    path = local
    route = serving.matcher.find(head.method, path)
    if route is None:
        return Refusal(404, f"there is nothing at {path} for {head.method}")
    asks = parse(head.method, path, query) if route.access == "authorized" else None
    return Place(route, path, query, asks, _audience(route, serving))


def _audience(route: Route, serving: Serving) -> str:
    """The platform's own processes need no assertion: nobody else can reach their sockets."""
    upstream = serving.snapshot.table.upstreams.get(route.upstream)
    if route.identity != "remote-headers" or upstream is None or upstream.unix_path:
        return ""
    return upstream.authority


def caller_of(head: Head, serving: Serving, now: float, *, secure: bool) -> User | None:
    """Who makes a request, as far as that is known: for the record of one that was refused."""
    user = _user(head, serving, now, secure)
    return user if isinstance(user, User) else None


def split_target(target: bytes, host: bytes) -> tuple[str, str] | Refusal:
    """The canonical path and the raw query of a request target in origin or absolute form (RFC 9112 3.2).

    An absolute one must name the same host as the Host header: who disagrees with itself is up to no good.
    """
    text = target.decode("latin-1")
    if "#" in text:
        return Refusal(400, "a request target has no fragment", close=True)
    if not text.startswith("/"):
        scheme, _, rest = text.partition("://")
        if scheme.lower() not in ("http", "https") or not rest:
            return Refusal(400, "the request target must be a path", close=True)
        slash, mark = rest.find("/"), rest.find("?")
        authority = rest[: min(at for at in (slash, mark, len(rest)) if at >= 0)]
        if authority.lower().encode("latin-1") != host.lower():
            return Refusal(400, "the request target and the Host header name different hosts", close=True)
        if slash < 0 or 0 <= mark < slash:
            text = "/" + (rest[mark:] if mark >= 0 else "")
        else:
            text = rest[slash:]
    path, _, query = text.partition("?")
    try:
        return canonical(path), query
    except BadPattern as error:
        return Refusal(400, str(error))


def _user(head: Head, serving: Serving, now: float, secure: bool) -> User | Unchecked | str | None:
    """The caller; a sentence for a credential that is not good; None without one."""
    credentials, authorization = serving.credentials, head.authorization
    if authorization is not None:
        return credentials.lately(authorization, now) or credentials.read(authorization, now)
    if not head.cookies:
        return None
    token = _cookie(head.cookies, SECURE_TOKEN_COOKIE if secure else TOKEN_COOKIE)
    if token is None:
        return None
    if (head.method not in _SAFE or head.upgrade) and not _from_our_page(head, secure):
        return "a request with the console's cookie must come from the console's own pages"
    return credentials.verify(token, now)


def _cookie(cookies: list[bytes], wanted: bytes) -> bytes | None:
    for line in cookies:
        for pair in line.split(b";"):
            name, _, value = pair.strip().partition(b"=")
            if name == wanted and value:
                return value
    return None


def _from_our_page(head: Head, secure: bool) -> bool:
    """By what a browser says and a page cannot change. Without TLS here it may still have ended in front of us."""
    if head.fetch_site:
        return head.fetch_site == b"same-origin"
    scheme, _, host = head.origin.partition(b"://")
    return scheme in ((b"https",) if secure else (b"https", b"http")) and host == head.host


def _unready(serving: Serving, user: User) -> Refusal | None:
    """Who still has the password that somebody else chose may change it (`authorizer.decide`), and nothing else."""
    if user.identity.name == PRE_REGISTRATION:
        return _LOG_IN
    account = serving.snapshot.policy.accounts.get(user.identity.name)
    if account is None or not account.uninitialized:
        return None
    return Refusal(403, "the password has to be changed first: PUT .../users/<name>/password")


def _access(serving: Serving, place: Place, user: User | str | None) -> Refusal | None:
    """Who brings no credential is `system:anonymous`, and may do what that user's group may."""
    if isinstance(user, str):
        return Refusal(401, f"Unauthorized: {user}")
    if place.asks is None:
        return _LOG_IN if user is None else _unready(serving, user)
    if serving.allowed.get((user, place)):
        return None
    decision = serving.authorizer.decide(user.identity if user is not None else NOBODY, place.asks)
    if not decision.allowed:
        return Refusal(403, decision.reason) if user is not None else _LOG_IN
    serving.allowed.put((user, place), True)
    return None
