"""Claims: the routes that one object asks for, before they meet those of others.

An APIService claims `/kapis/<group>/<version>` and its nonResourceURLs; a ReverseProxy claims its matchers. What is
reserved is refused here, path by path, so that one bad matcher costs that matcher only.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from dovetail.apis import labels
from dovetail.apis.dialects import APIService, Backend, HeaderEdit, Meta, ReverseProxy, State
from dovetail.apis.dialects.reverse_proxy import Pair
from dovetail.routing.directives import balance_of, breaker_of, traffic_of
from dovetail.routing.errors import BadPattern, RoutingError
from dovetail.routing.model import HeaderEdit as Edit
from dovetail.routing.model import Match, RewriteStep, Route, Upstream
from dovetail.routing.paths import parse_pattern
from dovetail.routing.problems import Problem, problem
from dovetail.routing.regexps import compile_regexp
from dovetail.routing.reserved import Reserved
from dovetail.routing.rewriting import check
from dovetail.routing.services import Resolution
from dovetail.routing.upstreams import ClientCertificate, build_upstream

MAX_CLAIMS: Final = 64
"""Routes of one object at most."""
_HOST: Final = re.compile(r"[A-Za-z0-9.\[\]:_-]{1,255}")


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """The routes of one object with the upstream they share, and what is wrong with the rest."""

    meta: Meta
    routes: tuple[Route, ...] = ()
    upstream: Upstream | None = None
    problems: tuple[Problem, ...] = ()


def claims_of_api_service(
    item: APIService, resolution: Resolution | None, reserved: Reserved, certificate: ClientCertificate
) -> Claims:
    """The claims of an APIService. Its backend sees the original path, behind the path of its own address."""
    if gone := _gone(item.meta, item.status):
        return gone
    problems = _remarks(item.meta, item.backend)
    matches, refused = _matches(item.meta, [(url, ()) for url in item.non_resource_urls], "nonResourceURLs", reserved)
    problems += refused
    if item.group in reserved.groups:
        problems.append(problem(item.meta, "Reserved", _belongs(item.group), field="spec.group"))
    elif item.group:
        matches.insert(0, Match("prefix", f"/kapis/{item.group}/{item.version}"))
    upstream = build_upstream(item.backend, resolution, certificate=certificate)
    template = Route(
        id="", match=Match("exact", ""), upstream=upstream.key, unavailable=_unavailable(item.status, resolution)
    )
    routes = _routes(item.meta, template, matches)
    return Claims(meta=item.meta, routes=routes, upstream=upstream if routes else None, problems=tuple(problems))


def _belongs(group: str) -> str:
    return f"{group} belongs to the platform; name the group after a domain of your own"


def claims_of_reverse_proxy(
    item: ReverseProxy, resolution: Resolution | None, reserved: Reserved, certificate: ClientCertificate
) -> Claims:
    """The claims of a ReverseProxy."""
    if gone := _gone(item.meta, item.status):
        return gone
    problems = _remarks(item.meta, item.backend)
    wanted = [(matcher.path, (matcher.method,) if matcher.method else ()) for matcher in item.matchers]
    matches, refused = _matches(item.meta, wanted, "matcher", reserved)
    steps, bad_steps = _steps(item)
    up, host, bad_up = _edits(item.meta, item.header_up, "headerUp")
    down, _, bad_down = _edits(item.meta, item.header_down, "headerDown")
    traffic, bad_redirects = traffic_of(item)
    invalid = bad_steps + bad_up + bad_down + bad_redirects
    if invalid:  # half a program may not run: what was to be cut off might be a secret part of the path
        return Claims(meta=item.meta, problems=tuple(problems + refused + invalid))
    upstream = build_upstream(
        item.backend, resolution, timeouts=item.timeouts, certificate=certificate, host=host,
        balance=balance_of(item), breaker=breaker_of(item),
    )  # fmt: skip
    template = Route(
        id="",
        match=Match("exact", ""),
        upstream=upstream.key,
        identity="remote-headers" if item.auth_proxy else "none",
        rewrite=steps,
        header_up=up,
        header_down=down,
        max_body=1 << 30 if item.max_body is None else item.max_body,
        unavailable=_unavailable(item.status, resolution),
        traffic=traffic,
    )
    routes = _routes(item.meta, template, matches)
    return Claims(
        meta=item.meta, routes=routes, upstream=upstream if routes else None, problems=tuple(problems + refused)
    )


def _gone(meta: Meta, status: State) -> Claims | None:
    return Claims(meta=meta) if meta.deleting or status.state == labels.STATE_DISABLED else None


def _unavailable(status: State, resolution: Resolution | None) -> str:
    if resolution and not resolution.addresses:
        return f"{resolution.reason or 'MissingEndpoints'}: {resolution.message or 'the Service has no address'}"
    if status.state == labels.STATE_UNAVAILABLE and not status.healthy:
        # an object that is Unavailable for another reason, such as one bad matcher, still serves its other routes
        return status.message or "the backend is not available"
    return ""


def _remarks(meta: Meta, backend: Backend) -> list[Problem]:
    return [problem(meta, "Remark", backend.note)] if backend.note else []


def _matches(
    meta: Meta, wanted: Iterable[tuple[str, tuple[str, ...]]], field: str, reserved: Reserved
) -> tuple[list[Match], list[Problem]]:
    matches: list[Match] = []
    problems: list[Problem] = []
    for index, (pattern, methods) in enumerate(wanted):
        at = f"spec.{field}[{index}]"
        if index >= MAX_CLAIMS:
            problems.append(problem(meta, "Invalid", f"has more than {MAX_CLAIMS} entries", field=f"spec.{field}"))
            break
        try:
            match = parse_pattern(pattern, methods)
        except BadPattern as error:
            problems.append(problem(meta, "Invalid", str(error), field=at))
            continue
        if why := reserved.why_not(match):
            problems.append(problem(meta, "Reserved", f"{pattern}: {why}", field=at))
        elif match not in matches:
            matches.append(match)
    return matches, problems


def _routes(meta: Meta, template: Route, matches: list[Match]) -> tuple[Route, ...]:
    return tuple(
        msgspec.structs.replace(template, id=f"{meta.id}#{index}" if index else meta.id, match=match)
        for index, match in enumerate(matches)
    )


def _steps(item: ReverseProxy) -> tuple[tuple[RewriteStep, ...], list[Problem]]:
    """The rewrite program, in the order of reference/kubesphere-core.md 1.9."""
    steps: list[RewriteStep] = []
    if item.method:
        steps.append(RewriteStep("method", item.method))
    if item.strip_prefix.strip("/"):
        steps.append(RewriteStep("strip-prefix", item.strip_prefix))
    if item.strip_suffix.strip("/"):
        steps.append(RewriteStep("strip-suffix", item.strip_suffix))
    steps += [RewriteStep("rewrite", *_words(pair)) for pair in item.rewrites]
    steps += [RewriteStep("replace", *_words(pair)) for pair in item.replaces]
    steps += [RewriteStep("regexp", *_words(pair)) for pair in item.path_regexps]
    problems: list[Problem] = []
    for step in steps:
        try:
            check(step)
        except RoutingError as error:
            problems.append(problem(item.meta, "Invalid", str(error), field=f"spec.directives.{_FIELDS[step.op]}"))
    return tuple(steps), problems


_FIELDS: Final = {
    "method": "method",
    "strip-prefix": "stripPathPrefix",
    "strip-suffix": "stripPathSuffix",
    "rewrite": "rewrite",
    "replace": "replace",
    "regexp": "pathRegexp",
}


def _words(pair: Pair) -> tuple[str, str]:
    return pair.first, pair.second


def _edits(meta: Meta, edits: tuple[HeaderEdit, ...], field: str) -> tuple[tuple[Edit, ...], str, list[Problem]]:
    """Edits for the route. The Host header is the upstream's: a `set` of it names its authority instead."""
    kept: list[Edit] = []
    problems: list[Problem] = []
    host = ""
    for edit in edits:
        if edit.name.lower() == "host" and field == "headerUp":
            host = edit.value
            if edit.op != "set" or not _HOST.fullmatch(host):
                problems.append(problem(meta, "Invalid", "Host can only be set, to host or host:port", field=field))
            continue
        if edit.op == "replace":
            try:
                compile_regexp(edit.find, edit.value)
            except RoutingError as error:
                problems.append(problem(meta, "Invalid", str(error), field=field))
        kept.append(Edit(op=edit.op, name=edit.name, value=edit.value, find=edit.find))
    return tuple(kept), host, problems
