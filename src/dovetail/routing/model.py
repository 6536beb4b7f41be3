"""The route table as values: what control compiles and a worker serves.

A `Route` is one line of the table: which requests it takes (`Match`), who may pass (`Access`), where they go
(`Upstream`), and what is changed on the way (`Rewrite` steps and `HeaderEdit`s). Everything is frozen and made of
plain scalars and tuples, so that a table can be encoded with msgspec, compared, and swapped as one value.

Nothing here does I/O and nothing here knows Kubernetes objects; `dovetail.routing.compiler` makes these from them.
"""

from typing import Literal

import msgspec

from dovetail.routing.traffic import Balance, Breaker, Traffic

Scheme = Literal["http", "https"]

Access = Literal["public", "authenticated", "authorized"]
"""Who may pass: anybody; any user with a valid token; users the policy allows (the default)."""

IdentityStyle = Literal["remote-headers", "impersonate", "none"]
"""How the user is told to the backend: X-Remote-*; Impersonate-* (a Kubernetes API); not at all."""

MatchKind = Literal["exact", "prefix", "glob"]


class Address(msgspec.Struct, frozen=True):
    """Where to dial: an IP address or a host name, and a TCP port."""

    host: str
    port: int


class UpstreamTLS(msgspec.Struct, frozen=True):
    """How the backend is verified and how the gateway shows who it is. Without `ca_pem` the system's roots count."""

    server_name: str
    ca_pem: str = ""
    insecure_skip_verify: bool = False
    client_cert_file: str = ""
    client_key_file: str = ""


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A backend. `key` is a digest of all other fields: equal keys may share connections, a changed one may not.

    Either `unix_path` (the platform's own processes) or `addresses` (dialled in turn). Times are in seconds.
    """

    key: str
    scheme: Scheme = "http"
    authority: str = ""
    """The Host header, as the backend knows itself: `greeter.extension-greeter.svc:8080`."""
    base_path: str = ""
    """Put before the request's path; starts with a slash, does not end with one; empty for none."""
    addresses: tuple[Address, ...] = ()
    unix_path: str = ""
    tls: UpstreamTLS | None = None
    bearer_token_file: str = ""
    """A file holding the gateway's own credential for this upstream (a Kubernetes API), re-read when it changes."""
    connect_timeout: float = 5.0
    response_timeout: float = 60.0
    """Longest wait from the end of the request to the first byte of the response."""
    idle_timeout: float = 3600.0
    """Longest silence inside a response or a tunnel."""
    balance: Balance = "RoundRobin"
    breaker: Breaker | None = None


class Match(msgspec.Struct, frozen=True):
    """Which requests a route takes. `methods` empty means every method.

    `exact` and `prefix` compare whole path segments of the raw (still percent-encoded) path: the prefix `/a/b` takes
    `/a/b` and `/a/b/c`, never `/a/bc`. `glob` is a full-path pattern in which `*` stands for any run of characters.
    """

    kind: MatchKind
    path: str
    methods: tuple[str, ...] = ()


class RewriteStep(msgspec.Struct, frozen=True):
    """One step of a rewrite program, applied to (path, query) in order.

    op                argument  value
    rewrite           pattern   target with placeholders `{path}`, `{query}`
    strip-prefix      prefix    -
    strip-suffix      suffix    -
    replace           find      replacement
    regexp            pattern   replacement with `$1` groups
    method            method    -
    """

    op: Literal["rewrite", "strip-prefix", "strip-suffix", "replace", "regexp", "method"]
    argument: str
    value: str = ""


class HeaderEdit(msgspec.Struct, frozen=True):
    """One edit of a header block: `set`, `add`, `delete` (a trailing `*` in `name` deletes by prefix), `replace`."""

    op: Literal["set", "add", "delete", "replace"]
    name: str
    value: str = ""
    find: str = ""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `id` names the object it came from, for logs, metrics and conflicts."""

    id: str
    match: Match
    upstream: str
    """The `key` of an Upstream of the same table."""
    access: Access = "authorized"
    identity: IdentityStyle = "remote-headers"
    rewrite: tuple[RewriteStep, ...] = ()
    header_up: tuple[HeaderEdit, ...] = ()
    header_down: tuple[HeaderEdit, ...] = ()
    max_body: int = 1 << 30
    """Largest request body in bytes; a larger one is answered 413."""
    unavailable: str = ""
    """Not empty: the backend is known to be down and requests are answered 503 with this reason."""
    traffic: Traffic | None = None
    """Redirects, limits and retries (`dovetail.routing.traffic`); None for a route without any."""


class RouteTable(msgspec.Struct, frozen=True, kw_only=True):
    """Routes in order of precedence (the first match is the right one) with their upstreams by key."""

    routes: tuple[Route, ...] = ()
    upstreams: dict[str, Upstream] = msgspec.field(default_factory=dict[str, Upstream])
