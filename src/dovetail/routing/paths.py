"""Paths and path patterns: one canonical form, so that what is compared, authorized and forwarded is the same text.

A canonical path starts with a slash, has no empty, `.` or `..` segments (a trailing slash is kept), no encoded slash,
backslash or control character, no `;`, percent-escapes in upper case, only where they are needed, and of UTF-8: there
is no second spelling of a character for a lenient backend to find (`%C0%AF` is a slash to some). Case counts.

A pattern is exact (`/a/b`), a prefix (`/a/b/*` or `/a/b*`: at segment borders, so it takes `/a/b` and `/a/b/c` but
not `/a/bc`), or a glob (`*` elsewhere: any run of characters, slashes too). Its first segment is literal, so that no
pattern can reach into a reserved tree.
"""

import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from dovetail.routing.errors import BadPattern
from dovetail.routing.model import Match

MAX_PATTERN: Final = 1024
MAX_SEGMENTS: Final = 64
MAX_STARS: Final = 8
MAX_GLOB: Final = 256
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_FORBIDDEN_ESCAPES: Final = frozenset({"2F", "5C", "7F", *(f"{code:02X}" for code in range(0x20))})
_CLEAN: Final = re.compile(r"(/[A-Za-z0-9\-_~!$&'()*+,=:@][A-Za-z0-9\-._~!$&'()*+,=:@]*)+/?|/")
"""What most paths look like: nothing to decide. (A segment that starts with a dot takes the long way.)"""
_ALLOWED: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,=:@%/]*")


def canonical(path: str) -> str:
    """The canonical form of a raw path. Raises BadPattern when it has none and the request is to be refused (400)."""
    if _CLEAN.fullmatch(path):
        return path
    if not path.startswith("/"):
        raise BadPattern(path, "must start with a slash")
    normal = _ESCAPE.sub(lambda found: _escape(path, found[1]), path)
    if not _ALLOWED.fullmatch(normal):
        raise BadPattern(path, "has characters that must be percent-encoded, or are not allowed (;, backslash)")
    segments = normal.split("/")
    if "" in segments[1:-1] or "." in segments or ".." in segments:
        raise BadPattern(path, "has empty, '.' or '..' segments; write the path they lead to")
    if "%" in normal:
        _demand_utf8(path, normal)
    return normal


def _demand_utf8(path: str, normal: str) -> None:
    try:
        unquote_to_bytes(normal).decode()
    except UnicodeDecodeError:
        raise BadPattern(path, "has escapes that are not UTF-8 in its shortest form") from None


def _escape(path: str, digits: str | None) -> str:
    if digits is None:
        raise BadPattern(path, "has a percent sign that starts no escape; write %25")
    code = digits.upper()
    if code in _FORBIDDEN_ESCAPES:
        raise BadPattern(path, "has an encoded slash, backslash or control character")
    char = chr(int(code, 16))
    return char if char in _UNRESERVED else f"%{code}"


def parse_pattern(pattern: str, methods: tuple[str, ...] = ()) -> Match:
    """The Match of a pattern as authors write it. Raises BadPattern."""
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(pattern, f"is longer than {MAX_PATTERN} characters")
    if "?" in pattern or "#" in pattern:
        raise BadPattern(pattern, "must be a path alone, without a query or fragment")
    body = pattern.rstrip("*")
    is_prefix = body != pattern
    path = canonical(quote(body, safe="/%*!$&'()+,;=:@~\\") if body else body)
    if path.count("/") > MAX_SEGMENTS:
        raise BadPattern(pattern, f"has more than {MAX_SEGMENTS} segments")
    if "*" in path:
        return _glob(pattern, path + "*" if is_prefix else path, methods)
    if is_prefix:
        return Match("prefix", path.rstrip("/") or "/", methods)
    return Match("exact", path, methods)


def _glob(pattern: str, path: str, methods: tuple[str, ...]) -> Match:
    path = re.sub(r"\*+", "*", path)
    if path.count("*") > MAX_STARS or len(path) > MAX_GLOB:
        raise BadPattern(pattern, f"has more than {MAX_STARS} stars, or more than {MAX_GLOB} characters beside one")
    if "*" in path.split("/")[1]:
        raise BadPattern(pattern, "must have a first segment without '*', such as /proxy/name/*.js")
    return Match("glob", path, methods)


def is_below(path: str, prefix: str) -> bool:
    """Whether `path` is `prefix` or lies below it, at a segment border."""
    prefix = prefix.rstrip("/")
    return path.startswith(prefix) and (len(path) == len(prefix) or path[len(prefix)] == "/")
