"""The directives of a site as routes: what proxies, and what changes requests and answers on their way. Pure.

A directive that changes something (`rewrite`, `header`, `redir`, ...) has no backend of its own: it becomes part of the
routes that it concerns, by its path. One that concerns no route is told.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dovetail.gateway.caddyfile import access
from dovetail.gateway.caddyfile.grammar import Directive
from dovetail.gateway.caddyfile.header_edits import edit_header
from dovetail.gateway.caddyfile.matchers import ALL, Matcher, named, prefix, take
from dovetail.gateway.caddyfile.notes import Notes
from dovetail.gateway.caddyfile.objects import mistake_in_directive
from dovetail.gateway.caddyfile.proxies import Proxied, read_proxy

_VERSION1: Final = ("proxy", "authenticate", "authentication")
_CONTAINERS: Final = ("handle", "handle_path", "route")
_CODES: Final = {
    "": "302",
    "temporary": "302",
    "permanent": "301",
    **{code: code for code in ("301", "302", "303", "307", "308")},
}
_WHY: Final = {
    "swagger": "the gateway serves the page itself, at /swagger-ui/, for the APIs that are there now",
    "log": "the gateway writes an access log and an audit log of its own",
    "gzip": "bundles and pages are compressed; answers of backends pass as they are",
    "encode": "bundles and pages are compressed; answers of backends pass as they are",
    "tls": "give the gateway its certificate with --tls-cert and --tls-key",
    "bind": "give the gateway its address with --host and --port",
    "root": "files of an extension are served as a JSBundle",
    "file_server": "files of an extension are served as a JSBundle",
    "browse": "files of an extension are served as a JSBundle",
    "basicauth": "users of the platform sign in with the platform",
    "basic_auth": "users of the platform sign in with the platform",
    "import": "there is no snippet of this name, and other files are not read; import them one by one",
    "errors": "errors are answered with a Status object",
    "timeouts": "write directives.timeouts into the object",
    "limits": "write directives.maxBody into the object",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a directive stands: for which requests, and what names matchers have there."""

    matcher: Matcher
    names: dict[str, Matcher | None]
    version: int


class WhyNot(Protocol):
    """Why a path, for all methods or for one, is not an import's to route; empty when it is."""

    def __call__(self, path: str, method: str = "") -> str: ...


class SiteReader:
    """Reads directives into `routes` and the two lists of rules."""

    def __init__(self, why_not: WhyNot, notes: Notes) -> None:
        self._why_not, self._notes = why_not, notes
        self.routes: list[Proxied] = []
        self.anybody: list[access.Rule] = []
        self.any_user: list[access.Rule] = []
        self.any_user_line = 0

    def read(self, directives: tuple[Directive, ...]) -> None:
        """One site."""
        first = next((directive for directive in directives if directive.name in _VERSION1), None)
        proxy = next((directive for directive in directives if directive.name == "proxy"), None)
        if proxy is not None:
            why = "a path's prefix ends at a segment border and case counts: /api does not take /apixyz, nor /API"
            self._notes.differs(proxy.line, str(proxy), why)
        self._body(directives, _Scope(ALL, {}, 1 if first else 2))

    def _body(self, directives: tuple[Directive, ...], scope: _Scope) -> None:
        scope = replace(scope, names=scope.names | named(directives))
        first = len(self.routes)
        changes: list[Directive] = []
        for directive in directives:
            if directive.name in _CHANGES:
                changes.append(directive)
            elif not directive.name.startswith("@"):
                self._directive(directive, scope)
        concerned = self.routes[first:]
        for directive in changes:
            inside = directive.name == "rewrite" and bool(scope.matcher.patterns)
            matcher, args = self._matched(directive, replace(scope, matcher=ALL) if inside else scope)
            if matcher is not None:
                change = SiteReader.rewrite_inside if inside else _CHANGES[directive.name]
                change(self, directive, matcher, args, concerned)

    def _directive(self, directive: Directive, scope: _Scope) -> None:
        name = directive.name
        if name == "authenticate":
            why = "backends find the user in X-Remote-User, not in X-Token-Username, and never the user's token"
            self._notes.differs(directive.line, name, why)
            self.anybody += access.read_exceptions(directive, self._why_not, self._notes)
        elif name == "authentication":
            self.any_user_line = directive.line
            self.any_user += access.read_exceptions(directive, self._why_not, self._notes)
        elif name in ("proxy", "reverse_proxy", *_CONTAINERS):
            self._with_matcher(directive, scope)
        else:
            self._notes.left_out(directive.line, str(directive), _WHY.get(name, "there is nothing like it here"))

    def _with_matcher(self, directive: Directive, scope: _Scope) -> None:
        matcher, args = self._matched(directive, scope)
        if matcher is None:
            return
        if directive.name in _CONTAINERS:
            first = len(self.routes)
            self._body(directive.block, replace(scope, matcher=matcher))
            if directive.name == "handle_path":
                for route in self.routes[first:]:
                    route.directives.setdefault("stripPathPrefix", matcher.bases[0])
            return
        why = self._any_why_not(matcher)
        if why:
            self._notes.left_out(directive.line, str(directive), why)
        elif route := read_proxy(directive, matcher, args, self._notes):
            self.routes.append(route)
            if any("*" in pattern.rstrip("*") for pattern in matcher.patterns):
                why = "a star in the middle of a path takes slashes, too"
                self._notes.differs(directive.line, str(directive), why)

    def _any_why_not(self, matcher: Matcher) -> str:
        found = (self._why_not(pattern, matcher.method) for pattern in matcher.patterns or ("/",))
        return next((why for why in found if why), "")

    def _matched(self, directive: Directive, scope: _Scope) -> tuple[Matcher | None, tuple[str, ...]]:
        """For which requests a directive is, and its other arguments; None, with a note, when that cannot be said."""
        if scope.version == 1 and directive.name not in ("reverse_proxy", *_CONTAINERS):
            return _version1(directive)
        matcher, args = take(directive.args, scope.names)
        if matcher is None:
            why = "its matcher asks for more than path and method"
            self._notes.left_out(directive.line, str(directive), why)
            return None, ()
        if not matcher.patterns:
            matcher = Matcher(scope.matcher.patterns, matcher.method or scope.matcher.method)
        return matcher, args

    def rewrite_inside(
        self, directive: Directive, matcher: Matcher, args: tuple[str, ...], routes: list[Proxied]
    ) -> None:
        """Inside a block the backend is the block's, whatever the new path, and the front may be cut off already."""
        if self._is_target(directive, args):
            for pattern in matcher.patterns or ("*",):
                entry = f"{pattern} {args[0]}"
                self._concerned(directive, matcher, routes, lambda route, entry=entry: route.add("rewrite", entry))

    def _is_target(self, directive: Directive, args: tuple[str, ...]) -> bool:
        if len(args) == 1 and not directive.block:
            return self._is_sound(directive, "rewrite", [f"* {args[0]}"])
        why = "write it as directives.rewrite or directives.pathRegexp by hand"
        self._notes.left_out(directive.line, str(directive), why)
        return False

    def _is_sound(self, directive: Directive, name: str, value: object) -> bool:
        """Whether the gateway takes this; a note when it does not."""
        if why := mistake_in_directive(name, value):
            self._notes.left_out(directive.line, str(directive), why)
        return not why

    def rewrite(self, directive: Directive, matcher: Matcher, args: tuple[str, ...], routes: list[Proxied]) -> None:
        """Outside of blocks the new path decides about the backend."""
        if not self._is_target(directive, args):
            return
        target = Matcher((args[0].partition("{")[0].partition("?")[0] or matcher.bases[0],))
        taker = max((route for route in routes if route.matcher.covers(target)), key=_length, default=None)
        if taker is None:
            self._notes.left_out(directive.line, str(directive), "no backend of this file takes the new path")
            return
        entries = [f"{pattern} {args[0]}" for pattern in matcher.patterns or ("*",)]
        if not taker.matcher.covers(matcher):
            if "stripPathPrefix" in taker.directives or "pathRegexp" in taker.directives:
                why = "the route of the new path cuts its front off; write the object by hand"
                self._notes.left_out(directive.line, str(directive), why)
                return
            if why := self._any_why_not(matcher):
                self._notes.left_out(directive.line, str(directive), why)
                return
            taker = replace(taker, line=directive.line, matcher=matcher, directives=dict(taker.directives))
            self.routes.append(taker)
        taker.directives["rewrite"] = [*taker.directives.get("rewrite", ()), *entries]

    def header(self, directive: Directive, matcher: Matcher, args: tuple[str, ...], routes: list[Proxied]) -> None:
        name = "headerUp" if directive.name == "request_header" else "headerDown"
        lines = [(inner, (inner.name, *inner.args)) for inner in directive.block] or [(directive, args)]
        for line, words in lines:
            if entry := edit_header(line, words, self._notes):
                self._concerned(line, matcher, routes, lambda route, entry=entry: route.add(name, entry))

    def uri(self, directive: Directive, matcher: Matcher, args: tuple[str, ...], routes: list[Proxied]) -> None:
        kind, *values = args or ("",)
        field = {"strip_prefix": "stripPathPrefix", "strip_suffix": "stripPathSuffix"}.get(kind)
        many = {"replace": "replace", "path_regexp": "pathRegexp"}.get(kind)
        if field and any("rewrite" in route.directives for route in routes):
            why = "the gateway strips before it rewrites; say both in one directives.rewrite"
            self._notes.left_out(directive.line, str(directive), why)
        elif field and len(values) == 1:
            if self._is_sound(directive, field, values[0]):
                self._concerned(directive, matcher, routes, lambda route: route.directives.setdefault(field, values[0]))
        elif many and len(values) == 2 and not any(" " in value for value in values):
            if self._is_sound(directive, many, [" ".join(values)]):
                self._concerned(directive, matcher, routes, lambda route: route.add(many, " ".join(values)))
        else:
            self._notes.left_out(directive.line, str(directive), "there is nothing like it here")

    def method(self, directive: Directive, matcher: Matcher, args: tuple[str, ...], routes: list[Proxied]) -> None:
        if self._is_sound(directive, "method", " ".join(args)):
            self._concerned(directive, matcher, routes, lambda route: route.directives.update(method=args[0]))

    def redirect(self, directive: Directive, matcher: Matcher, args: tuple[str, ...], routes: list[Proxied]) -> None:
        target, code = (*args, "", "")[:2]
        if not target or code not in _CODES or directive.block:
            self._notes.left_out(directive.line, str(directive), "is no redirection with one of the codes 301 to 308")
            return
        entries = [f"{pattern} {target} {_CODES[code]}" for pattern in matcher.patterns or ("*",)]
        for entry in entries if self._is_sound(directive, "redirect", entries) else ():
            self._concerned(directive, matcher, routes, lambda route, entry=entry: route.add("redirect", entry))

    def _concerned(
        self, directive: Directive, matcher: Matcher, routes: list[Proxied], change: Callable[[Proxied], object]
    ) -> None:
        """Change the routes all of whose requests the matcher takes; tell those that it takes a part of."""
        narrow = directive.name in ("redir", "rewrite")
        found = [r for r in routes if matcher.covers(r.matcher) or (narrow and r.matcher.covers(matcher))]
        for route in found:
            change(route)
        if not found:
            parts = any(route.matcher.covers(matcher) for route in routes)
            why = (
                "it is for a part of a route only; give that part a ReverseProxy"
                if parts
                else "no backend is behind it"
            )
            self._notes.left_out(directive.line, str(directive), why)


def _length(route: Proxied) -> int:
    return max(len(base) for base in route.matcher.bases)


def _version1(directive: Directive) -> tuple[Matcher, tuple[str, ...]]:
    """Version 1 names a path first. A rewrite or a redirection is of that very path, all else of what is below it."""
    args = directive.args
    if directive.name == "redir":
        place, rest = (ALL, args) if len(args) < 2 or args[1] in _CODES else (Matcher(args[:1]), args[1:])
        return place, rest if len(rest) > 1 else (*rest, "301")
    if directive.name == "rewrite" and args:
        return Matcher(args[:1]) if args[0].startswith("/") else ALL, args[1:]
    if args and args[0].startswith("/"):
        return prefix(args[0]), args[1:]
    return ALL, args


_Change = Callable[[SiteReader, Directive, Matcher, tuple[str, ...], list[Proxied]], None]
_CHANGES: Final[dict[str, _Change]] = {
    "rewrite": SiteReader.rewrite,
    "header": SiteReader.header,
    "request_header": SiteReader.header,
    "uri": SiteReader.uri,
    "method": SiteReader.method,
    "redir": SiteReader.redirect,
}
