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
_TAG: Final = re.compile(rb"<(?:[A-Za-z](?:[^\"'<>]|\"[^\"]*\"|'[^']*')*|/[A-Za-z][^<>]*)>")
_LINK: Final = re.compile(
    rb"(\s(?:href|src|action|formaction|poster|data|codebase|background|cite|longdesc|manifest)\s*=\s*[\"']?)"
    rb"((?:https?:/)?/[^\s\"'>]*)",
    re.IGNORECASE,
)
_UNFINISHED: Final = re.compile(rb"<(?:[A-Za-z](?:[^\"'<>]|\"[^\"]*\"|'[^']*')*(?:\"[^\"]*|'[^']*)?|/[^<>]*|!-?)?")
"""What more could make a tag."""
_RAW: Final = re.compile(rb"<(script|style|textarea|title)\b", re.IGNORECASE)
_ENDS: Final = {name: re.compile(b"</" + name, re.IGNORECASE) for name in (b"script", b"style", b"textarea", b"title")}
_COMMENT: Final = b"<!--"
_COMMENT_ENDS: Final = re.compile(b"-->")
_LONGEST_END: Final = len(b"</textarea")
_OTHER_HOST: Final = re.compile(rb"/[\t\r\n]*[/\\]")
"""What looks like a path and is the address of another host (WHATWG URL 4.4)."""
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
        """A link as the client can follow it. What would lead to another host without its front is left alone."""
        path = self._path(link)
        if not path.startswith(b"/") or _OTHER_HOST.match(path):
            return link
        if self._is_published(path):
            return path
        if self._base and (path == self._base or path.startswith(self._base + b"/")):
            path = path[len(self._base) :] or b"/"
        return link if not self._prefix and _OTHER_HOST.match(path) else self._prefix + path

    def _path(self, link: bytes) -> bytes:
        """A link without the backend's own origin."""
        for origin in self._origins:
            if link.startswith(origin) and link[len(origin) : len(origin) + 1] in (b"", b"/", b"?", b"#"):
                path = link[len(origin) :]
                return path if path.startswith(b"/") else b"/" + path
        return link

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
        self._raw: re.Pattern[bytes] | None = None
        """Inside a comment, or an element whose text is no markup: what ends it."""

    def feed(self, data: bytes) -> bytes:
        """The next piece, as far as it is certain."""
        data = self._held + data
        done: list[bytes] = []
        at = 0
        while True:
            at = self._skip_raw(data, at, done)
            start = -1 if self._raw is not None else data.find(b"<", at)
            if start < 0:
                break
            if data.startswith(_COMMENT, start):
                done.append(data[at : start + 2])
                self._raw, at = _COMMENT_ENDS, start + 2  # the hyphens of `<!-->` are those of its end, too
                continue
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
        raw = self._raw is not None
        rest = b"" if raw else data[at:]
        self._held = data[at:] if raw else b""
        return b"".join((*done, rest))

    def end(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b""
        return held

    def _skip_raw(self, data: bytes, at: int, done: list[bytes]) -> int:
        if self._raw is None:
            return at
        end = self._raw.search(data, at)
        if end is not None:
            self._raw = None
            done.append(data[at : end.start()])
            return end.start()
        keep = max(at, len(data) - _LONGEST_END + 1)
        done.append(data[at:keep])
        return keep

    def _tag(self, tag: bytes) -> bytes:
        raw = _RAW.match(tag)
        if raw is not None:
            self._raw = _ENDS[raw[1].lower()]
        return _LINK.sub(self._link, tag)

    def _link(self, found: re.Match[bytes]) -> bytes:
        return found[1] + self._links.published(found[2])
