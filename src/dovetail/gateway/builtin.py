"""The lines of the route table that are always there: the platform's own processes and the Kubernetes API.

Pure. Extensions cannot take these paths (`dovetail.routing.reserved`); everything else that nobody claims goes to the
console's page, so that a link into the page can be reloaded.
"""

from dataclasses import dataclass

from dovetail.routing.model import Access, IdentityStyle, Match, Route, Upstream
from dovetail.routing.upstreams import with_key

_READING = ("GET", "HEAD")
_MAX_OAUTH_BODY = 64 << 10
_MAX_PLATFORM_BODY = 16 << 20
_MAX_CLUSTER_BODY = 64 << 20
_STREAM_SILENCE = 4 * 3600.0


@dataclass(frozen=True)
class BuiltIn:
    """Where the platform's own parts are reached."""

    control: Upstream
    console: Upstream
    cluster: Upstream

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """The three of them."""
        return (self.control, self.console, self.cluster)

    def routes(self) -> tuple[Route, ...]:
        """All built-in routes, in no particular order."""
        return (*self._control(), *self._cluster(), *self._console())

    def _control(self) -> tuple[Route, ...]:
        key = self.control.key
        return (
            _route("oauth", "/oauth", key, "public", max_body=_MAX_OAUTH_BODY),
            _route("oauth-discovery", "/.well-known", key, "public", max_body=_MAX_OAUTH_BODY),
            _route("kapis", "/kapis", key, max_body=_MAX_PLATFORM_BODY),
            _route("readyz", "/readyz", key, "public", methods=_READING),
            _route("metrics", "/metrics", key, methods=_READING),
            _route("openapi-v3", "/openapi/v3/kapis", key, methods=_READING),
            _route("openapi-v2", "/openapi/v2/kapis", key, methods=_READING),
            _route("kapis-version", "/kapis/version", key, "public", methods=_READING),
        )

    def _cluster(self) -> tuple[Route, ...]:
        paths = ("/api", "/apis", "/openapi", "/version")
        key = self.cluster.key
        return tuple(
            _route("cluster" + path.replace("/", "-"), path, key, identity="impersonate", max_body=_MAX_CLUSTER_BODY)
            for path in paths
        )

    def _console(self) -> tuple[Route, ...]:
        key = self.console.key
        return (
            _route("bundles", "/dist", key, "public", methods=_READING),
            _route("bundles-pstatic", "/pstatic/dist", key, "public", methods=_READING),
            _route("console-api", "/console/api", key, "authenticated", max_body=_MAX_PLATFORM_BODY),
            _route("console", "/", key, "public", methods=_READING),
        )


def internal(path: str) -> Upstream:
    """One of the platform's own processes behind a Unix socket, which only this user can reach."""
    return with_key(Upstream(key="", authority="dovetail.internal", unix_path=path, idle_timeout=_STREAM_SILENCE))


def _route(
    name: str, prefix: str, upstream: str, access: Access = "authorized", *,
    identity: IdentityStyle = "remote-headers", methods: tuple[str, ...] = (), max_body: int = 0,
) -> Route:  # fmt: skip
    return Route(
        id=f"builtin/{name}", match=Match("prefix", prefix, methods), upstream=upstream, access=access,
        identity=identity, max_body=max_body,
    )  # fmt: skip
