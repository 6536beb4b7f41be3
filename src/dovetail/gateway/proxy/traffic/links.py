"""Backends that do not know below which path they are published (`wrapTransport`): their links get that path. Pure.

The path is what the route has cut from the front of the request's: `/proxy/shop/cart` sent on as `/cart` makes
`/proxy/shop`. Edited are `Location` and `Content-Location`, the path of cookies, and in HTML the attributes that hold
addresses, when they are absolute paths or name the backend itself; relative links work by themselves, and scripts are
left alone. The backend is told the path in `X-Forwarded-Prefix`, and is not asked for a compressed answer.
"""

import re
from typing import TYPE_CHECKING, Final

from dovetail.routing.model import Upstream

if TYPE_CHECKING:
    from dovetail.gateway.proxy.answer_headers import AnswerHead
    from dovetail.gateway.proxy.outgoing import Outgoing

_ACCEPT_ENCODING: Final = re.compile(rb"\r\naccept-encoding:[^\r]*", re.IGNORECASE)
_COOKIE_PATH: Final = re.compile(rb"(;[ \t]*path[ \t]*=[ \t]*)(/[^;]*)", re.IGNORECASE)
_TAG: Final = re.compile(rb"<(?:[A-Za-z](?:[^\"'<>]|\"[^\"]*\"|'[^']*')*|/[A-Za-z][^<>]*|!--.*?--)>", re.DOTALL)
_LINK: Final = re.compile(
    rb"(\s(?:href|src|action|formaction|poster|data|codebase|background|cite|longdesc|manifest)\s*=\s*[\"']?)"
    rb"((?:https?:/)?/[^\s\"'>]*)",
    re.IGNORECASE,
)
_UNFINISHED: Final = re.compile(
    rb"<(?:[A-Za-z](?:[^\"'<>]|\"[^\"]*\"|'[^']*')*(?:\"[^\"]*|'[^']*)?|/[^<>]*|!(?:-(?:-.*)?)?)?", re.DOTALL
)
"""What more could make a tag."""
_RAW: Final = re.compile(rb"<(script|style|textarea|title)\b", re.IGNORECASE)
_LONGEST_TAG: Final = 16 << 10


def prefix_of(public: str, sent: str) -> str | None:
    """What was cut from the front of the public path; None when the path was changed in another way."""
    if sent == "/":
        return public.removesuffix("/")
    return public.removesuffix(sent) if public.endswith(sent) else None


def wrapped(public: str, upstream: Upstream, out: "Outgoing") -> "tuple[Links | None, Outgoing]":
    """How to edit the answer, and the request that makes it one that can be edited."""
    target = out.head.split(b" ", 2)[1].partition(b"?")[0].decode("latin-1")
    prefix = prefix_of(public, target.removeprefix(upstream.base_path) or "/")
    if prefix is None:
        return None, out
    head = _ACCEPT_ENCODING.sub(b"", out.head)
    told = b"X-Forwarded-Prefix: %b\r\n\r\n" % (prefix or "/").encode("latin-1")
    return Links(prefix, upstream), out._replace(head=head[:-2] + told)


class Links:
    """How links of one answer are edited."""

    def __init__(self, prefix: str, upstream: Upstream) -> None:
        self._prefix = prefix.encode("latin-1")
        self._base = upstream.base_path.encode("latin-1")
        self._origins = tuple(f"{scheme}://{upstream.authority}".encode("latin-1") for scheme in ("http", "https"))

    def edited(self, head: "AnswerHead") -> "HtmlLinks | None":
        """Edit a head. What is to edit its body, if that is HTML."""
        html, plain = False, True
        for index, line in enumerate(head.lines):
            name, _, value = line.partition(b":")
            lower, value = name.lower(), value.strip(b" \t")
            if lower in (b"location", b"content-location"):
                head.lines[index] = b"%b: %b" % (name, self.published(value))
            elif lower == b"set-cookie":
                path = _COOKIE_PATH.sub(lambda found: found[1] + self.published(found[2]), value)
                head.lines[index] = b"%b: %b" % (name, path)
            elif lower == b"content-type":
                html = value.lower().startswith(b"text/html")
            elif lower == b"content-encoding":
                plain = value.lower() == b"identity"
        if not html or not plain or head.status == 206:
            return None
        dropped = (b"etag:", b"content-md5:", b"digest:", b"accept-ranges:")
        head.lines = [line for line in head.lines if not line.lower().startswith(dropped)]
        head.length = None
        return HtmlLinks(self)

    def published(self, link: bytes) -> bytes:
        """A link as the client can follow it."""
        for origin in self._origins:
            if link.startswith(origin) and link[len(origin) : len(origin) + 1] in (b"", b"/", b"?", b"#"):
                link = link[len(origin) :]
                link = link if link.startswith(b"/") else b"/" + link
                break
        if not link.startswith(b"/") or link.startswith((b"//", b"/\\")) or self._is_published(link):
            return link
        if self._base and (link == self._base or link.startswith(self._base + b"/")):
            link = link[len(self._base) :] or b"/"
        return self._prefix + link

    def _is_published(self, link: bytes) -> bool:
        """A backend that does mind X-Forwarded-Prefix has written it itself."""
        prefix = self._prefix
        return (
            bool(prefix) and link.startswith(prefix) and link[len(prefix) : len(prefix) + 1] in (b"", b"/", b"?", b"#")
        )


class HtmlLinks:
    """Edits a stream of HTML. Holds back at most one unfinished tag."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._held = b""
        self._raw = b""
        """Inside an element whose text is no markup: what ends it."""

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is certain."""
        data = self._held + data
        done: list[bytes] = []
        at = 0
        while True:
            at = self._skip_raw(data, at, done)
            start = -1 if self._raw else data.find(b"<", at)
            if start < 0:
                break
            tag = _TAG.match(data, start)
            if tag is not None:
                done += (data[at:start], self._tag(tag[0]))
                at = tag.end()
            elif len(data) - start < _LONGEST_TAG and _UNFINISHED.fullmatch(data, start):
                done.append(data[at:start])
                self._held = data[start:]
                return b"".join(done)
            else:
                done.append(data[at : start + 1])
                at = start + 1
        rest = b"" if self._raw else data[at:]
        self._held = data[at:] if self._raw else b""
        return b"".join((*done, rest))

    def end(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b""
        return held

    def _skip_raw(self, data: bytes, at: int, done: list[bytes]) -> int:
        if not self._raw:
            return at
        end = data.lower().find(self._raw, at)
        if end >= 0:
            self._raw = b""
            done.append(data[at:end])
            return end
        keep = max(at, len(data) - len(self._raw) + 1)
        done.append(data[at:keep])
        return keep

    def _tag(self, tag: bytes) -> bytes:
        if tag.startswith(b"<!"):
            return tag
        raw = _RAW.match(tag)
        if raw is not None:
            self._raw = b"</" + raw[1].lower()
        return _LINK.sub(self._link, tag)

    def _link(self, found: re.Match[bytes]) -> bytes:
        return found[1] + self._links.published(found[2])
