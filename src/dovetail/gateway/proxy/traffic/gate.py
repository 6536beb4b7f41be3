"""What the traffic rules of a route say before a request goes anywhere: too many, elsewhere, or go on. Pure but for the
buckets that are counted in.

A limit comes before a redirect: it is there to bound what a client may ask for at all. What was counted is told in
`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), on every answer.
"""

import ipaddress
import math
from dataclasses import dataclass
from http import HTTPStatus

from dovetail.gateway.proxy.admission import Admitted
from dovetail.gateway.proxy.outgoing import Client
from dovetail.gateway.proxy.refusal import Refusal
from dovetail.gateway.proxy.request_headers import Head
from dovetail.gateway.proxy.traffic.buckets import Verdict
from dovetail.gateway.proxy.traffic.limiter import Limiter
from dovetail.routing import redirects
from dovetail.routing.errors import RoutingError
from dovetail.routing.traffic import RateLimit, RedirectRule, Traffic


@dataclass(frozen=True, slots=True)
class Redirection(Refusal):
    """An answer that sends the client elsewhere."""

    def render(self, *, keep_alive: bool, head_only: bool = False) -> bytes:
        """The response on the wire; `message` is the Location."""
        lines = [
            f"HTTP/1.1 {self.code} {HTTPStatus(self.code).phrase}",
            f"Location: {self.message}",
            "Content-Length: 0",
            *self.headers,
        ]
        if not keep_alive:
            lines.append("Connection: close")
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def enter(rules: Traffic, admitted: Admitted, head: Head, client: Client, limiter: Limiter) -> Refusal | list[str]:
    """The answer to a request that goes no further; for one that does, the header lines that its answer gets."""
    lines: list[str] = []
    if rules.rate_limit is not None:
        verdict = limiter.take(rules.rate_limit, limited(rules.rate_limit, admitted, client))
        lines = limit_headers(rules.rate_limit, verdict)
        if not verdict.allowed:
            return _too_many(rules.rate_limit, admitted, verdict, lines)
    if rules.redirects:
        try:
            rule = redirects.find(rules.redirects, admitted.place.path)
        except RoutingError as error:
            return Refusal(414, str(error))
        if rule is not None:
            return _elsewhere(rule, admitted, head, client, lines)
    if admitted.route.unavailable:
        return Refusal(503, f"the backend of {admitted.route.id} is not available: {admitted.route.unavailable}")
    return lines


def limited(rule: RateLimit, admitted: Admitted, client: Client) -> str:
    """What has the bucket: a user, an address (the network of a site, for IPv6: one host has all of it), or all."""
    if rule.by == "Global":
        return "all"
    if rule.by == "User" and admitted.user is not None:
        return f"user {admitted.user.identity.name}"
    text = client.address.decode("latin-1")
    if ":" not in text:
        return f"address {text}"
    try:
        address = ipaddress.IPv6Address(text.partition("%")[0])
    except ValueError:
        return f"address {text}"
    mapped = address.ipv4_mapped
    return f"address {mapped}" if mapped else f"address {int(address) >> 64:x}::/64"


def limit_headers(rule: RateLimit, verdict: Verdict) -> list[str]:
    """What a client is told of its bucket."""
    return [
        f'RateLimit-Policy: "default";q={rule.requests};w={rule.per_seconds}',
        f'RateLimit: "default";r={verdict.remaining};t={_whole(verdict.reset)}',
    ]


def _whole(seconds: float) -> int:
    """Rounded up, but not for what is rounding itself."""
    return math.ceil(seconds - 1e-6)


def _too_many(rule: RateLimit, admitted: Admitted, verdict: Verdict, lines: list[str]) -> Refusal:
    unit = {1: "second", 60: "minute", 3600: "hour"}.get(rule.per_seconds, f"{rule.per_seconds} s")
    seconds = max(_whole(verdict.retry_after), 1)
    text = f"rate limit of {admitted.route.id}: {rule.requests} requests a {unit}; try again in {seconds} s"
    return Refusal(429, text, headers=(*lines, f"Retry-After: {seconds}"))


def _elsewhere(rule: RedirectRule, admitted: Admitted, head: Head, client: Client, lines: list[str]) -> Redirection:
    place = admitted.place
    target = redirects.location(
        rule, place.path, place.query, host=head.host.decode("latin-1"), scheme="https" if client.secure else "http"
    )
    return Redirection(rule.status, target, headers=tuple(lines))
