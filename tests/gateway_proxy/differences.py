"""Where a backend sees something else behind us than behind another proxy, and why. Any other difference is a bug.

`aspects` compares two pictures; a rule of `DIFFERENCES` explains an aspect for some peers where its pattern is found in
the request. `refused` says that we refuse what the peer forwards, `forwarded` the opposite.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.gateway_proxy.backend import Seen

ALL = "nginx haproxy caddy envoy"
_OWN = re.compile(r"x-forwarded-.*|host|x-envoy-.*|x-request-id|content-length|transfer-encoding")
"""Headers that each proxy makes itself. The host is the backend's own name with all of them; `framing` and `body` say
what lengths mean."""


@dataclass(frozen=True)
class Difference:
    aspect: str
    peers: str
    found: bytes
    """In the request, anywhere; `^` is the start of a line."""
    why: str

    def explains(self, aspect: str, peer: str, raw: bytes) -> bool:
        return (
            bool(re.fullmatch(self.aspect, aspect))
            and peer in self.peers
            and bool(re.search(self.found, raw, re.IGNORECASE | re.MULTILINE))
        )


_LINE = rb"\A(?:\r\n)*[A-Za-z]+[ \t]+"
_PATH = _LINE + rb"(?:[a-z]+:/*[^/? ]*)?[^ ?]*"
_HEAD = rb"\A(?:\r\n)?(?:[^\r\n]+\r\n)*?"
_CHUNKED = _HEAD + rb"Transfer-Encoding:[ \t]*chunked[ \t]*\r\n(?s:.*?\r\n\r\n(?s:.*?))"
DIFFERENCES: tuple[Difference, ...] = (
    # refused by us: lines and names
    Difference("refused", ALL, rb"(?<!\r)\n", "a line ends with CR LF; others take a LF, too (RFC 9112 2.2 allows it)"),
    Difference("refused", "envoy caddy", rb"\r(?!\n)", "a CR stands before a LF and nowhere else"),
    Difference("refused", ALL, rb"\r\n[ \t]+\S?", "a folded line, or one that begins with a space, is no header line"),
    Difference(
        "refused",
        "nginx haproxy",
        rb"^[\w-]+:[^\r\n]*[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]",
        "values have no control characters; others pass them on",
    ),
    Difference(
        "refused",
        "nginx",
        rb"^[^\r\n: ]*[^\r\n:!#$%&'*+.^_`|~\w-][^\r\n:]*:",
        "a name that is no token: nginx drops the line and goes on",
    ),
    Difference("refused", "nginx", rb"^nonsense\r\n", "a line without a colon: nginx drops it and goes on"),
    Difference("refused", "caddy", rb"^: ", "a line without a name: Caddy drops it and goes on"),
    Difference("refused", "nginx haproxy caddy", rb"^[\w-]+[ \t]+:", "a space before the colon, here in a trailer"),
    # start lines
    Difference("refused", "haproxy envoy", _LINE + rb"[^ ]*\t", "one space separates the parts of the start line"),
    Difference("refused", "nginx envoy", _LINE + rb"[^ ]+ +HTTP/1\.1[ \t]+\r", "nothing stands behind the version"),
    Difference("refused", "nginx caddy", _LINE + rb"[^ \r]*[\x80-\xff]", "a target is ASCII"),
    Difference("refused", "nginx caddy", _LINE + rb"[^ \r]*#", "a target has no fragment"),
    Difference("refused", "nginx haproxy caddy", rb"\A(?:FROB|GE) ", "a method that llhttp does not know"),
    Difference("refused", "haproxy caddy", rb"\A(?-i:[a-z])+ ", "methods are in capitals"),
    Difference("refused", "haproxy caddy envoy", rb"\ATRACE ", "TRACE would show the client what we tell the backend"),
    Difference("refused", "haproxy caddy", rb"\ACONNECT ", "we are no forward proxy"),
    Difference("refused", "caddy", rb"\APRI ", "the preface of HTTP/2 is no request"),
    Difference(
        "refused", "nginx haproxy caddy", _LINE + rb"[^ ]+ HTTP/(?!1\.[01]\r)", "HTTP/1.1 and 1.0, nothing else"
    ),
    Difference("refused", "nginx", _LINE + rb"[^ ]+\r\n", "HTTP/0.9 is not understood"),
    # targets
    Difference(
        "refused", "haproxy caddy", _LINE + rb"(?:\*|a|gateway:80|http:///a)[ ?]", "a target is a path, or absolute"
    ),
    Difference("refused", "haproxy caddy", _LINE + rb"http:\\", "a target is a path, or absolute"),
    Difference(
        "refused", "nginx haproxy caddy", _LINE + rb"(?!https?:)[a-z]+://", "absolute form is for http and https"
    ),
    Difference(
        "refused",
        ALL,
        _LINE + rb"https?://(?:evil|x@gateway|gateway:80)(?=[/? ])",
        "the target and the Host header name the same host, to the letter",
    ),
    Difference(
        "refused",
        ALL,
        _PATH + rb"(?:/\.|%2e|//|\\|%2f|%5c|%[01][0-9a-f]|%7f|%[89a-f][0-9a-f])",
        "a path that needs resolving means one thing to the policy and another to a backend",
    ),
    Difference("refused", ALL, _PATH + rb";", "path parameters: some servers cut them off before they compare"),
    Difference("refused", "haproxy envoy", _PATH + rb"%(?![0-9a-f]{2})", "an escape that is none"),
    # hosts
    Difference("refused", "haproxy envoy", rb"^Host:[^\r]*\r\n(?s:.*?)^Host:", "exactly one Host header"),
    Difference("refused", "haproxy envoy", rb"\A(?!(?s:.*?)^Host:(?s:.*?)\r\n\r\n)", "HTTP/1.1 has a Host header"),
    Difference(
        "refused", "nginx haproxy envoy", rb"^Host: [\w.:\[\]-]*[^\w.:\[\]\r-]", "a Host header that is no host"
    ),
    Difference("refused", ALL, rb"^Authorization:[^\r]*\r\n(?s:.*?)^Authorization:", "two credentials, one caller"),
    # framing
    Difference(
        "refused",
        "haproxy caddy",
        _HEAD + rb"(?:Content-Length|Transfer-Encoding):[^\r]*\r\n"
        rb"(?:[^\r\n]+\r\n)*?(?:Content-Length|Transfer-Encoding):",
        "two framings, or one told twice; others pick one",
    ),
    Difference("refused", "haproxy", rb"^Content-Length: *\d+ *,", "a list of lengths; HAProxy takes equal ones"),
    Difference("refused", "caddy", rb"^Content-Length: *\r", "an empty length; Caddy takes it for 0"),
    Difference("refused", "caddy", rb"\APOST /a HTTP/1\.0\r\n(?s:.*?)^Transfer-Encoding:", "HTTP/1.0 has no chunks"),
    Difference(
        "refused", "haproxy caddy envoy", rb"^Transfer-Encoding:\tchunked", "llhttp wants a space there, no tab"
    ),
    Difference("refused", "haproxy", rb"^Transfer-Encoding: chunked,\r", "a list with an empty element"),
    Difference("refused", ALL, rb"^Expect:(?! *100-continue *\r)", "an expectation that we do not understand: 417"),
    Difference(
        "refused",
        "nginx haproxy caddy",
        rb"^Upgrade: websocket\r\n(?:Content-Length|Transfer-Encoding):",
        "an upgrade has no body",
    ),
    # chunks
    Difference(
        "refused", ALL, rb"\r\n[0-9a-f]+[ \t]+(?:;[^\r]*)?\r\n", "a chunk size is hexadecimal digits and no space"
    ),
    Difference("refused", ALL, rb"\r\n[0-9a-f]+;(?:[^\r]*\x00[^\r]*)?\r\n", "an extension has a name, and no NUL"),
    Difference("refused", "nginx haproxy envoy", rb"\r\n4\r\nabc\r\n", "a chunk is as long as it says; CR LF follows"),
    Difference("refused", "envoy", rb"\r\n3\r\nabcd\r\n", "a chunk is as long as it says; CR LF follows"),
    Difference("refused", ALL, rb"\r\n0\r\n(?:Content-Length|Transfer-Encoding):", "framing is no trailer"),
    Difference("refused", "nginx", rb"\r\n0\r\nGET ", "a trailer has a colon; nginx reads trailers without looking"),
    # forwarded by us
    Difference("forwarded", "caddy", rb"\A\r\n", "empty lines before a request are skipped (RFC 9112 2.2); Go refuses"),
    Difference("forwarded", "caddy", _LINE + rb"(?: |[^ ]+  )", "llhttp skips spaces; the line is written anew"),
    Difference("forwarded", "envoy", rb"\A[^\r]* HTTP/1\.0\r", "Envoy wants to be told to accept HTTP/1.0"),
    Difference(
        "forwarded",
        "haproxy envoy",
        rb"^Upgrade: (?:h2c, )?websocket",
        "a WebSocket without a key: HAProxy refuses; Envoy wants to be told to accept upgrades",
    ),
    Difference("forwarded", "haproxy envoy", _LINE + rb"http://gateway\?", "absolute form with a query and no path"),
    Difference(
        "forwarded", "envoy", rb"^Connection: host\r", "a Connection that names Host: Envoy refuses, we read on"
    ),
    Difference("forwarded", "nginx", rb"^Content-Length:\t", "a tab is white space, too (RFC 9110 5.5)"),
    Difference("forwarded", "nginx", rb"^Host:\r\n", "a Host may be empty (RFC 9110 7.2)"),
    Difference("forwarded", "nginx", rb"^Expect:[^\r]*\r\nExpect:", "the same expectation twice does no harm"),
    Difference(
        "forwarded", "nginx", rb"^([\w-]+):[^\r]*\r\n(?s:.*?)^\1:", "nginx refuses some headers that come twice"
    ),
    Difference("count", "caddy", rb"^PRI \* HTTP/2\.0", "the preface of HTTP/2 is no request"),
    # what requests look like
    Difference(
        "target",
        ALL,
        _PATH + rb"%(?:2d|2e|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])",
        "we compare, authorize and forward one canonical text; others forward what came",
    ),
    Difference(
        "target",
        ALL,
        _PATH + rb"(?:%[0-9A-F]?(?-i:[a-f])|[\"<>^`{|}])",
        "escapes are written in one way: in capitals, where they are needed",
    ),
    Difference("target", ALL, _LINE + rb"[^ ]*\? ", "an empty query is no query"),
    Difference("target", "haproxy", _LINE + rb"https?://", "HAProxy passes absolute targets on"),
    Difference("framing", "nginx", rb"^Transfer-Encoding:", "nginx reads a short body to its end and sends its length"),
    Difference(
        "framing", "envoy", rb"^Connection: content-length", "framing is not up to Connection; Envoy sends chunks"
    ),
    Difference("header accept-encoding", "caddy", rb"\A(?!(?s:.*?)^Accept-Encoding:)", "Caddy asks for gzip by itself"),
    Difference(
        "header (?:authorization|cookie)", ALL, rb"^(?:Authorization|Cookie):", "a credential for us goes nowhere else"
    ),
    Difference(
        "header (?:x-remote-|impersonate-|x-forwarded-|forwarded|x-real-ip|x-client-ip).*",
        ALL,
        rb"^(?:X-Remote-|Impersonate-|Forwarded|X-Real-IP|X-Client-IP)",
        "nobody says by himself who, or where, he is",
    ),
    Difference(
        "header x-(?:http-method-override|original-url)",
        ALL,
        rb"^X-(?:HTTP-Method-Override|Original-URL):",
        "what was allowed is this method and this path, no other",
    ),
    Difference(
        "header .*_.*",
        "haproxy caddy envoy",
        rb"^[^\r\n:]*_[^\r\n:]*:",
        "a name with an underscore is a name with a hyphen to many servers; nginx drops it, too",
    ),
    Difference("header expect", "haproxy caddy envoy", rb"^Expect:", "we answer 100 ourselves; see docs/http.md"),
    Difference(
        "header (?:connection|upgrade|keep-alive|proxy-(?:connection|authorization)|http2-settings|x-hop|x-a|te)",
        ALL,
        rb"^(?:Connection|Upgrade|Keep-Alive|Proxy-Connection|Proxy-Authorization|TE):",
        "RFC 9110 7.6.1: for this connection only",
    ),
    Difference("header connection", "haproxy", rb"\A[^\r]* HTTP/1\.0\r", "HAProxy speaks HTTP/1.0 to the backend, too"),
    Difference("header trailer", ALL, rb"^Trailer:", "declared where there are chunks, and only what may be a trailer"),
)


def aspects(ours: list[Seen], theirs: list[Seen]) -> Iterator[str]:
    """In what two pictures of the same bytes differ."""
    if not ours and theirs:
        yield "refused"
    elif ours and not theirs:
        yield "forwarded"
    elif len(ours) != len(theirs):
        yield "count"
    else:
        for mine, other in zip(ours, theirs, strict=True):
            yield from _of_one(mine, other)


def _of_one(mine: Seen, other: Seen) -> Iterator[str]:
    for name in ("method", "target", "body"):
        if getattr(mine, name) != getattr(other, name):
            yield name
    if framing(mine) != framing(other):
        yield "framing"
    names = {name for name in mine.names | other.names if not _OWN.fullmatch(name)}
    yield from (f"header {name}" for name in sorted(names) if _joined(mine, name) != _joined(other, name))


def _joined(seen: Seen, name: str) -> str:
    """Lines of one name may be joined (RFC 9110 5.3), and some of us do."""
    return ",".join(value.strip() for line in seen.all(name) for value in line.split(","))


def framing(seen: Seen) -> str:
    """How the body is delimited; a length of 0 is no body."""
    if seen.get("transfer-encoding"):
        return "chunked"
    return "length" if seen.get("content-length") not in (None, "0") else "none"


def unexplained(peer: str, raw: bytes, ours: list[Seen], theirs: list[Seen]) -> tuple[list[str], list[Difference]]:
    """The aspects that no rule explains, and the rules that explained the others."""
    used: list[Difference] = []
    open_: list[str] = []
    for aspect in aspects(ours, theirs):
        rule = next((each for each in DIFFERENCES if each.explains(aspect, peer, raw)), None)
        if rule is None:
            open_.append(aspect)
        else:
            used.append(rule)
    return open_, used
