"""Placeholders of a rewrite's target, by Caddy's names: parts of the request as it was before this step.

    {path}        /a/b.js       {dir}          /a/        {file.base}  b        {method}  GET
    {query}       x=1&y=2       {file}         b.js       {file.ext}   .js
    {uri}         in a path the path; the query stays     {path.0}     a        {query.x} 1

Each may be written in full, too: `{http.request.uri.path}`. What a request does not have is empty. Caddy's others
(the environment, the host, headers, the time) are not known here: a target is for one backend, not for its secrets.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

KNOWN: Final = "{path}, {query}, {uri}, {dir}, {file}, {file.base}, {file.ext}, {method}, {path.0} and {query.name}"
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_JOINED: Final = re.compile(r"(&?)\{([^{}]*)\}")
_IN_FULL: Final = {
    "http.request.method": "method",
    "http.request.uri": "uri",
    "http.request.uri.path": "path",
    "http.request.uri.path.dir": "dir",
    "http.request.uri.path.file": "file",
    "http.request.uri.path.file.base": "file.base",
    "http.request.uri.path.file.ext": "file.ext",
    "http.request.uri.query": "query",
}
PATHS: Final = ("{path}", "{uri}", "{dir}", "{http.request.uri}", "{http.request.uri.path}")
"""What is a path by itself, so that a target may start with it."""


class Asked(NamedTuple):
    """The request as a step finds it. Path and query are raw."""

    path: str
    query: str
    method: str


def unknown_in(target: str) -> str:
    """The first placeholder of a target that is not known; empty when all are."""
    for found in _PLACEHOLDER.finditer(target):
        if _value(found[1], Asked("/", "", "GET")) is None:
            return found[0]
    return ""


def in_path(target: str, asked: Asked) -> str:
    """A target's path, its placeholders filled in."""
    return _PLACEHOLDER.sub(lambda found: _value(found[1], asked) or "", target)


def in_query(target: str, asked: Asked) -> str:
    """A target's query, its placeholders filled in; a part of the path cannot become a parameter of its own."""

    def fill(found: re.Match[str]) -> str:
        join, name = found.groups()
        if _short(name) == "query":
            return join + asked.query if asked.query else ""
        value = _value(name, asked) or ""
        return join + (value if _short(name).startswith("query.") else _as_parameter(value))

    filled = _JOINED.sub(fill, target)
    return filled if asked.query else filled.removeprefix("&")


def _as_parameter(value: str) -> str:
    return value.replace("&", "%26").replace("=", "%3D").replace("+", "%2B")


def _short(name: str) -> str:
    if name in _IN_FULL:
        return _IN_FULL[name]
    for part in ("path", "query"):
        if name.startswith(f"http.request.uri.{part}."):
            return name.removeprefix("http.request.uri.")
    return name


def _value(name: str, asked: Asked) -> str | None:
    """What a placeholder stands for; None for an unknown one."""
    short = _short(name)
    if short in _VALUES:
        return _VALUES[short](asked)
    kind, _, rest = short.partition(".")
    if kind == "path" and rest.isdecimal() and len(rest) < 4:
        segments = asked.path.strip("/").split("/")
        return segments[int(rest)] if int(rest) < len(segments) else ""
    if kind == "query" and rest:
        return _parameter(asked.query, rest)
    return None


def _parameter(query: str, name: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return next((value for key, _, value in pairs if key == name), "")


def _file(asked: Asked) -> str:
    return asked.path.rpartition("/")[2]


def _base(asked: Asked) -> str:
    base, dot, _ = _file(asked).rpartition(".")
    return base if dot else _file(asked)


_VALUES: Final[dict[str, Callable[[Asked], str]]] = {
    "path": lambda asked: asked.path,
    "uri": lambda asked: asked.path,
    "query": lambda asked: asked.query,
    "method": lambda asked: asked.method,
    "dir": lambda asked: asked.path.rpartition("/")[0] + "/",
    "file": _file,
    "file.base": _base,
    "file.ext": lambda asked: _file(asked).removeprefix(_base(asked)),
}
