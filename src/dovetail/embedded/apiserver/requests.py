"""A request as the API understands it: verb, resource, namespace, name, subresource, options.

``parse`` follows kube-apiserver's RequestInfo: the path alone says what is asked for; ``watch`` and a name given by a
field selector refine the verb. Query values come from ``Query``, which knows Kubernetes' booleans and numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from .errors import BadRequest

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NAMESPACE_SUBRESOURCES = ("status", "finalize")


class Query:
    """The query string, read as Go reads it: the first value of a name counts, ``all`` gives every one."""

    def __init__(self, raw: bytes) -> None:
        self._pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True) if raw else []
        self._first = dict(reversed(self._pairs))

    def get(self, name: str, default: str = "") -> str:
        return self._first.get(name, default)

    def has(self, name: str) -> bool:
        return name in self._first

    def all(self, name: str) -> list[str]:
        return [value for key, value in self._pairs if key == name]

    def flag(self, name: str) -> bool:
        """Anything but "0" and "false" is true, as in apimachinery's conversion."""
        return self.has(name) and self.get(name).lower() not in ("0", "false")

    def number(self, name: str, default: int = 0) -> int:
        text = self.get(name)
        if not text:
            return default
        try:
            return int(text)
        except ValueError as error:
            raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


REQUEST_SECONDS = 60.0
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def timeout_seconds(query: Query) -> float:
    """How long the request may take: its ``timeout`` (a Go duration), at most and by default a minute."""
    text = query.get("timeout")
    if not text:
        return REQUEST_SECONDS
    if _DURATION.sub("", text):
        raise BadRequest(f'invalid timeout specified in the request URL - time: invalid duration "{text}"')
    terms = [re.match(r"([\d.]+)(.+)", term) for term in _DURATION.findall(text)]
    seconds = sum(float(term[1]) * _UNITS[term[2]] for term in terms if term is not None)
    return min(seconds, REQUEST_SECONDS) or REQUEST_SECONDS


@dataclass(frozen=True)
class RequestInfo:
    """``is_resource`` False means a path such as /healthz or /apis; then only ``path`` and ``verb`` mean something."""

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""

    @cached_property
    def dotted(self) -> str:
        """``pods/log`` as in RBAC rules."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def parse(method: str, path: str, query: Query) -> RequestInfo:
    verb = _VERBS.get(method, method.lower())
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return RequestInfo(method.lower() if verb != "get" else "get", path)
    if parts[0] == "watch" and len(parts) > 1:
        verb, parts = "watch", parts[1:]
    return _resource_info(verb, path, group, version, parts, query)


def _resource_info(verb: str, path: str, group: str, version: str, parts: list[str], query: Query) -> RequestInfo:
    namespace = ""
    if parts[0] == "namespaces":
        namespace = parts[1] if len(parts) > 1 else ""
        if len(parts) > 2 and parts[2] not in _NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    plural, name, subresource, rest = [*parts, "", "", "", ""][:4]
    if not name and verb in ("get", "watch"):
        verb = "watch" if query.flag("watch") or verb == "watch" else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    elif name and verb == "get" and not subresource and query.flag("watch"):
        verb = "watch"
    return RequestInfo(verb, path, True, group, version, namespace, plural, name, subresource, rest)
