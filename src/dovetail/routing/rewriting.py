"""Rewriting: what a route does to the path, query and method of a request before it is sent on.

A program is a tuple of steps, run in order (reference/kubesphere-core.md 1.9). The `rewrite` step follows Caddy: its
pattern is compared with the path without regard to case (`*` alone takes all, `*x*` a part, `*x` an end, `x*` a
start, anything else is a shell pattern in which `*` stays within a segment), and if it fits, the target takes the
path's place. In the target Caddy's placeholders stand for parts of the request as it was (`placeholders`): `{path}` is
the whole path, so that

    '/old-prefix/* /new-prefix{path}'    turns /old-prefix/a into /new-prefix/old-prefix/a

which is what Caddy does; to exchange the prefix, strip it first. A target without `?` keeps the query. `strip-prefix`
and `strip-suffix` cut at segment borders only (a suffix that starts with a dot is a file extension and is cut from the
last segment). A path that becomes empty is `/`. What steps leave behind is cleaned of dot segments and doubled slashes,
so that no request can be bent into another part of the backend.
"""

import functools
import re
from typing import Final

from dovetail.routing import placeholders
from dovetail.routing.errors import BadStep
from dovetail.routing.model import RewriteStep
from dovetail.routing.regexps import Regexp, compile_regexp

_SHELL: Final = re.compile(r"\[\^?[^\[\]\\]+\]|\\.|.", re.DOTALL)
_WILD: Final = {"*": "[^/]*", "?": "[^/]"}
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}#]|[^\x00-\x7f]")
_DIRTY: Final = re.compile(r"/\.{1,2}(/|$)|//|%2[eE]")
_METHOD: Final = re.compile(r"[A-Z]{1,20}")

Request = tuple[str, str, str]
"""Path, query (without `?`), method."""


def apply(steps: tuple[RewriteStep, ...], path: str, query: str, method: str) -> Request:
    """The request after all steps. Path and query are raw (percent-encoded), in and out. Raises PathTooLong."""
    if not steps:
        return path, query, method
    for step in steps:
        path, query, method = _STEPS[step.op](step, path, query, method)
        if not path.startswith("/"):
            path = "/" + path
    return _clean(path), _escaped(query), method


def check(step: RewriteStep) -> None:
    """Raise BadStep, with what to change, when a step cannot be run."""
    if step.op == "rewrite":
        if unknown := placeholders.unknown_in(step.value):
            raise BadStep(step.value, f"uses {unknown}; known are {placeholders.KNOWN}")
        if not step.value.startswith(("/", "?", *placeholders.PATHS)):
            raise BadStep(step.value, "must start with a slash, {path} or a question mark")
        _pattern(step.argument)
    elif step.op == "regexp":
        compile_regexp(step.argument, step.value)
    elif step.op == "method" and not _METHOD.fullmatch(step.argument):
        raise BadStep(step.argument, "is no method; write GET, POST, ...")
    elif not step.argument:
        raise BadStep(step.argument, "is empty")


def check_pattern(pattern: str) -> None:
    """Raise BadStep when a path pattern (the first word of a `rewrite` or `redirect`) cannot be matched."""
    _pattern(pattern)


def fits(pattern: str, path: str) -> bool:
    """Whether a raw path fits a pattern. Raises PathTooLong."""
    return _pattern(pattern).matches(path)


def escaped(text: str) -> str:
    """Percent-encode what may not stand in a request line or a Location."""
    return _escaped(text)


def _method(step: RewriteStep, path: str, query: str, method: str) -> Request:
    return path, query, step.argument


def _strip_prefix(step: RewriteStep, path: str, query: str, method: str) -> Request:
    prefix = "/" + step.argument.strip("/")
    if path == prefix or path.startswith(prefix + "/"):
        path = path[len(prefix) :]
    return path, query, method


def _strip_suffix(step: RewriteStep, path: str, query: str, method: str) -> Request:
    suffix = step.argument
    if not suffix.startswith((".", "/")):
        suffix = "/" + suffix
    return path.removesuffix(suffix), query, method


def _replace(step: RewriteStep, path: str, query: str, method: str) -> Request:
    return path.replace(step.argument, step.value), query.replace(step.argument, step.value), method


def _regexp(step: RewriteStep, path: str, query: str, method: str) -> Request:
    return compile_regexp(step.argument, step.value).sub(path), query, method


def _rewrite(step: RewriteStep, path: str, query: str, method: str) -> Request:
    if not _pattern(step.argument).matches(path):
        return path, query, method
    target, has_query, wanted = step.value.partition("#")[0].partition("?")
    asked = placeholders.Asked(path, query, method)
    new_path = placeholders.in_path(target, asked) if target else path
    if has_query:
        query = placeholders.in_query(wanted, asked)
    return new_path, query, method


_STEPS: Final = {
    "method": _method,
    "strip-prefix": _strip_prefix,
    "strip-suffix": _strip_suffix,
    "replace": _replace,
    "regexp": _regexp,
    "rewrite": _rewrite,
}


class _Pattern:
    """A Caddy path matcher (reference/kubesphere-core.md 1.9, step 5)."""

    __slots__ = ("_kind", "_regexp", "_text")

    def __init__(self, pattern: str) -> None:
        low = pattern.lower()
        inner = low.strip("*")
        self._kind = "glob" if "*" in inner or not inner or set(low) & set("?[\\") else _shape(low)
        if set(low) == {"*"}:
            self._kind = "all"
        self._text = inner
        self._regexp = _shell_pattern(low) if self._kind == "glob" else None

    def matches(self, path: str) -> bool:
        low = path.lower()
        if self._regexp:
            return self._regexp.fits(low)
        match self._kind:
            case "all":
                return True
            case "part":
                return self._text in low
            case "end":
                return low.endswith(self._text)
            case "start":
                return low.startswith(self._text)
            case _:
                return low == self._text


def _shape(pattern: str) -> str:
    shapes = {(True, True): "part", (True, False): "end", (False, True): "start", (False, False): "same"}
    return shapes[pattern.startswith("*"), pattern.endswith("*")]


def _shell_pattern(pattern: str) -> Regexp:
    """Go's path.Match: `*` and `?` stay within a segment, `[a-z]` is a class, a backslash takes the meaning away."""
    pieces = (_WILD.get(piece) or _class_or_literal(piece) for piece in _SHELL.findall(pattern))
    return compile_regexp(f"^{''.join(pieces)}$")


def _class_or_literal(piece: str) -> str:
    if piece.startswith("[") and len(piece) > 1:
        return piece
    return re.escape(piece[-1])


@functools.lru_cache(maxsize=4096)
def _pattern(pattern: str) -> _Pattern:
    if not pattern.startswith(("/", "*")):
        raise BadStep(pattern, "must start with a slash or a star")
    return _Pattern(pattern)


def _escaped(text: str) -> str:
    """Percent-encode what may not stand in a request line, in case a step has put it there."""
    if not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def _clean(path: str) -> str:
    """A path that is safe on a request line: escaped, no query smuggled in, dot segments resolved, slashes single."""
    path = _escaped(path).replace("?", "%3F")
    if not _DIRTY.search(path):
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        decoded = segment.replace("%2E", ".").replace("%2e", ".")
        if decoded == "..":
            del kept[-1:]
        elif decoded not in ("", "."):
            kept.append(segment)
    trailing = "/" if segments[-1] in ("", ".", "..") and kept else ""
    return "/" + "/".join(kept) + trailing
