"""ReverseProxy: which requests go to which backend, and what is changed on the way.

Reads today's form (one matcher, `directives`) and the seed's (a list of matchers, `upstream.backend`, and `rewrite`,
`header` and the traffic directives beside it). Lists that both give are joined, directives first; of anything else the
one among the directives counts.
"""

import re
from collections.abc import Mapping
from typing import Final, cast

import msgspec

from dovetail.apis.dialects.backend import Backend, read_backend
from dovetail.apis.dialects.header_edits import HeaderEdit, read_edits
from dovetail.apis.dialects.meta import Meta, State, open_object, read_state
from dovetail.apis.dialects.reading import Fields, Foreign, finish
from dovetail.apis.dialects.resilience import (
    CircuitBreaker,
    HealthCheck,
    RateLimit,
    Retries,
    Timeouts,
    read_circuit_breaker,
    read_health_check,
    read_rate_limit,
    read_retries,
    read_size,
    read_timeouts,
)

_METHOD: Final = re.compile(r"[A-Za-z]{1,20}")
REDIRECTS: Final = ("301", "302", "303", "307", "308")
BALANCES: Final = ("RoundRobin", "LeastRequests")
MAX_STEPS: Final = 64
_REJECT: Final = "rejectForwardingRedirects"
_BALANCE: Final = "loadBalancing"


class Matcher(msgspec.Struct, frozen=True):
    """A path pattern and a method; an empty method takes all."""

    path: str
    method: str = ""


class Pair(msgspec.Struct, frozen=True):
    """Two words of an entry: pattern and target, find and replacement."""

    first: str
    second: str


class Redirect(msgspec.Struct, frozen=True):
    """Answer requests for `pattern` with a redirection to `target`."""

    pattern: str
    target: str
    status: int = 302


class ReverseProxy(msgspec.Struct, frozen=True, kw_only=True):
    """A reverse proxy; requests that any of `matchers` takes go to `backend`."""

    meta: Meta
    matchers: tuple[Matcher, ...]
    backend: Backend
    health_check: HealthCheck | None = None
    method: str = ""
    strip_prefix: str = ""
    strip_suffix: str = ""
    rewrites: tuple[Pair, ...] = ()
    replaces: tuple[Pair, ...] = ()
    path_regexps: tuple[Pair, ...] = ()
    redirects: tuple[Redirect, ...] = ()
    header_up: tuple[HeaderEdit, ...] = ()
    header_down: tuple[HeaderEdit, ...] = ()
    auth_proxy: bool = False
    wrap_transport: bool = False
    reject_forwarding_redirects: bool = False
    circuit_breaker: CircuitBreaker | None = None
    rate_limit: RateLimit | None = None
    retries: Retries | None = None
    timeouts: Timeouts = Timeouts()
    load_balancing: str = "RoundRobin"
    max_body: int | None = None
    status: State = State()


def reverse_proxy(obj: Foreign) -> ReverseProxy:
    """Read a ReverseProxy of either group. Raises InvalidObject."""
    opened = open_object(obj, "ReverseProxy")
    spec, directives = opened.spec, opened.spec.child("directives")
    header, upstream = spec.child("header"), spec.child("upstream")
    if not upstream.present:
        spec.fail("upstream", "is needed: a url, or a service with namespace and name")
    model = ReverseProxy(
        meta=opened.meta,
        matchers=_matchers(spec),
        backend=(read_backend(upstream) if upstream.present else None) or Backend(),
        health_check=read_health_check(upstream.child("healthCheck")),
        method=_method(directives),
        strip_prefix=directives.text("stripPathPrefix"),
        strip_suffix=directives.text("stripPathSuffix"),
        rewrites=_pairs(directives, "rewrite") + _pairs(spec, "rewrite"),
        replaces=_pairs(directives, "replace"),
        path_regexps=_pairs(directives, "pathRegexp"),
        redirects=_redirects(directives) + _redirects(spec),
        header_up=read_edits(directives, "headerUp") + read_edits(header, "up"),
        header_down=read_edits(directives, "headerDown") + read_edits(header, "down"),
        auth_proxy=directives.flag("authProxy"),
        wrap_transport=_either(directives, spec, "wrapTransport").flag("wrapTransport"),
        reject_forwarding_redirects=_either(directives, spec, _REJECT).flag(_REJECT),
        circuit_breaker=read_circuit_breaker(_either(directives, spec, "circuitBreaker").child("circuitBreaker")),
        rate_limit=read_rate_limit(_either(directives, spec, "rateLimit").child("rateLimit")),
        retries=read_retries(_either(directives, spec, "retries").child("retries")),
        timeouts=read_timeouts(_either(directives, spec, "timeouts").child("timeouts")),
        load_balancing=_either(directives, spec, _BALANCE).choice(_BALANCE, BALANCES, BALANCES[0]),
        max_body=read_size(_either(directives, spec, "maxBody"), "maxBody"),
        status=read_state(opened.status),
    )
    return finish(model, "ReverseProxy", opened.meta.name, opened.errors)


def _either(directives: Fields, spec: Fields, name: str) -> Fields:
    """Where a directive stands: among the directives, or in the seed's manner beside them."""
    return directives if directives.raw(name) is not None else spec


def _matchers(spec: Fields) -> tuple[Matcher, ...]:
    value = spec.raw("matcher")
    entries = [spec.child("matcher")] if isinstance(value, Mapping) else spec.children("matcher")
    if not entries and (value is None or value == cast("object", [])):
        spec.fail("matcher", "is needed: {path, method}, or a list of them")
    if len(entries) > MAX_STEPS:
        spec.fail("matcher", f"has more than {MAX_STEPS} entries")
        return ()
    return tuple(_matcher(entry) for entry in entries)


def _matcher(entry: Fields) -> Matcher:
    path = entry.text("path")
    if not path:
        entry.fail("path", "is needed, such as /proxy/name/*")
    return Matcher(path, _method(entry))


def _method(fields: Fields) -> str:
    method = fields.text("method")
    if method in ("", "*"):
        return ""
    if not _METHOD.fullmatch(method):
        fields.fail("method", "must be a method such as GET, or * for all")
        return ""
    return method.upper()


def _entries(fields: Fields, name: str) -> list[tuple[int, list[str]]]:
    entries = fields.texts(name)
    if len(entries) > MAX_STEPS:
        fields.fail(name, f"has more than {MAX_STEPS} entries")
        return []
    return [(index, entry.split()) for index, entry in enumerate(entries)]


def _pairs(fields: Fields, name: str) -> tuple[Pair, ...]:
    pairs: list[Pair] = []
    for index, words in _entries(fields, name):
        if len(words) == 2:
            pairs.append(Pair(words[0], words[1]))
        elif len(words) == 1 and name != "rewrite":
            pairs.append(Pair(words[0], ""))
        else:
            fields.fail(f"{name}[{index}]", "must be two words with a space between: what to look for, and its target")
    return tuple(pairs)


def _redirects(fields: Fields) -> tuple[Redirect, ...]:
    redirects: list[Redirect] = []
    for index, words in _entries(fields, "redirect"):
        if len(words) == 2:
            words = [*words, "302"]
        if len(words) == 3 and words[2] in REDIRECTS:
            redirects.append(Redirect(words[0], words[1], int(words[2])))
        else:
            fields.fail(f"redirect[{index}]", f"must be '<pattern> <target> [{'|'.join(REDIRECTS)}]'")
    return tuple(redirects)
