"""`proxy` (version 1) and `reverse_proxy` (version 2) with their blocks, as the parts of a ReverseProxy. Pure.

Always on here, so taken over without a word: WebSockets, streaming, X-Forwarded headers, pooled connections.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from dovetail.gateway.caddyfile.grammar import Directive
from dovetail.gateway.caddyfile.header_edits import edit_header
from dovetail.gateway.caddyfile.matchers import Matcher
from dovetail.gateway.caddyfile.notes import Notes
from dovetail.routing.paths import is_below


@dataclass(slots=True)
class Proxied:
    """One route on its way to becoming a ReverseProxy."""

    line: int
    matcher: Matcher
    url: str = ""
    insecure: bool = False
    health: dict[str, str] = field(default_factory=dict[str, str])
    directives: dict[str, Any] = field(default_factory=dict[str, Any])

    def add(self, name: str, entry: str) -> None:
        """One more entry of a directive that is a list."""
        self.directives.setdefault(name, []).append(entry)


def read_proxy(directive: Directive, matcher: Matcher, targets: tuple[str, ...], notes: Notes) -> Proxied | None:
    """The route of a proxy directive; None, with a note, when it has no target that can be dialled."""
    route = Proxied(directive.line, matcher)
    path = _target(directive, targets, route, notes)
    if path is None:
        return None
    without = ""
    for option in directive.block:
        if option.name == "without" and option.args:
            without = option.args[0]
        elif option.name != "to":
            _read_option(option, route, notes)
    _strip(route, without, path)
    return route


def _target(directive: Directive, targets: tuple[str, ...], route: Proxied, notes: Notes) -> str | None:
    """Put the address of the first target into the route; the path that it has, or None without a target."""
    targets += tuple(word for option in directive.block if option.name == "to" for word in option.args)
    if not targets:
        notes.left_out(directive.line, str(directive), "names no backend")
        return None
    first, *others = targets
    netloc, path, scheme = _address(first)
    if not netloc:
        notes.left_out(directive.line, str(directive), f"{first} is no http or https address of a backend")
        return None
    if others:
        notes.left_out(directive.line, " ".join(others), _WHY["upstream"])
    route.url = f"{scheme}://{netloc}"
    return path


def _address(target: str) -> tuple[str, str, str]:
    """Host and port, path and scheme of a target; no host for what cannot be dialled."""
    if target.startswith("unix") or "{" in target:
        return "", "", ""
    target = f"localhost{target}" if target.startswith(":") else target
    try:
        parts = urlsplit(target if "://" in target else f"http://{target}")
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "", "", ""
    if parts.scheme not in ("http", "https") or not host:
        return "", "", ""
    return parts.netloc, parts.path.rstrip("/"), parts.scheme


def _strip(route: Proxied, without: str, path: str) -> None:
    """`without` cuts the front of the path, the target's path is put there."""
    prefix = "/" + without.strip("/") if without.strip("/") else ""
    if prefix and path and all(is_below(base, prefix) for base in route.matcher.bases):
        # an expression, not a strip and a url with a path: what is asked for at the prefix itself gets no slash more
        route.add("pathRegexp", f"^{re.escape(prefix)} {path}")
        return
    route.url += path
    if prefix:
        route.directives["stripPathPrefix"] = prefix


_Reader = Callable[[Directive, Proxied, Notes], None]


def _read_option(option: Directive, route: Proxied, notes: Notes) -> None:
    reader = _READERS.get(option.name)
    if reader is None or not (option.args or option.block or option.name in _BARE):
        notes.left_out(option.line, str(option), _WHY.get(option.name, "there is nothing like it here"))
    else:
        reader(option, route, notes)


def _always(option: Directive, route: Proxied, notes: Notes) -> None:
    """What the gateway does without being asked."""


def _insecure(option: Directive, route: Proxied, notes: Notes) -> None:
    route.insecure = True


def _transparent(option: Directive, route: Proxied, notes: Notes) -> None:
    why = "the backend finds its own name in Host; the client's is in X-Forwarded-Host"
    notes.differs(option.line, option.name, why)


def _transport(option: Directive, route: Proxied, notes: Notes) -> None:
    for inner in option.block:
        if inner.name != "tls":
            _read_option(inner, route, notes)
    if any(inner.name.startswith("tls") for inner in option.block):
        route.url = route.url.replace("http://", "https://", 1)


def _header(name: str) -> _Reader:
    def read(option: Directive, route: Proxied, notes: Notes) -> None:
        if entry := edit_header(option, option.args, notes):
            route.add(name, entry)

    return read


def _health(name: str) -> _Reader:
    def read(option: Directive, route: Proxied, notes: Notes) -> None:
        value = option.args[0]
        route.health[name] = "/" + value if name == "url" and not value.startswith(("/", "http")) else value

    return read


def _timeout(name: str) -> _Reader:
    def read(option: Directive, route: Proxied, notes: Notes) -> None:
        route.directives.setdefault("timeouts", {})[name] = option.args[0]

    return read


_BARE: Final = frozenset(
    ("websocket", "insecure_skip_verify", "tls_insecure_skip_verify", "transparent", "keepalive", "transport")
)
"""Options that need no argument."""
_READERS: Final[dict[str, _Reader]] = {
    "websocket": _always,
    "keepalive": _always,
    "flush_interval": _always,
    "insecure_skip_verify": _insecure,
    "tls_insecure_skip_verify": _insecure,
    "transparent": _transparent,
    "transport": _transport,
    "header_upstream": _header("headerUp"),
    "header_up": _header("headerUp"),
    "header_downstream": _header("headerDown"),
    "header_down": _header("headerDown"),
    "health_check": _health("url"),
    "health_uri": _health("url"),
    "health_path": _health("url"),
    "health_check_interval": _health("interval"),
    "health_interval": _health("interval"),
    "health_check_timeout": _health("timeout"),
    "health_timeout": _health("timeout"),
    "health_status": _health("status"),
    "timeout": _timeout("firstByte"),
    "response_header_timeout": _timeout("firstByte"),
    "dial_timeout": _timeout("connect"),
    "read_timeout": _timeout("idle"),
}
_SERVICE: Final = "give the url of a Service: its endpoints are balanced"
_WHY: Final = {
    "policy": _SERVICE,
    "lb_policy": _SERVICE,
    "upstream": "a ReverseProxy has one backend; give the url of a Service for several",
    "max_fails": "write directives.circuitBreaker.consecutiveFailures",
    "fail_timeout": "write directives.circuitBreaker.ejectionTime",
    "fail_duration": "write directives.circuitBreaker.ejectionTime",
    "max_conns": "write directives.circuitBreaker.maxConnections",
    "try_duration": "write directives.retries",
    "lb_try_duration": "write directives.retries",
    "lb_retries": "write directives.retries",
    "ca_certificates": "put the certificate itself into upstream.caBundle",
    "tls_trusted_ca_certs": "put the certificate itself into upstream.caBundle",
    "tls_client": "the gateway shows every backend its own client certificate",
    "tls_client_auth": "the gateway shows every backend its own client certificate",
    "except": "give the excepted paths a ReverseProxy of their own",
}
