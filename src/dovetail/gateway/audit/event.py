"""From an entry to an event of audit.k8s.io/v1, as one line of JSON.

What Kubernetes' event has no field for (route, workspace, cluster, sizes, duration) stands in its annotations. An
event is put together from pieces of JSON, of which most repeat (who, from where, what was asked, what came of it):
each is encoded once and kept for a while, which is what lets control write one event in a few microseconds.
"""

import os
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import orjson

from dovetail.gateway.audit.entry import Entry
from dovetail.gateway.audit.redaction import redacted_body, redacted_uri
from dovetail.iam.attributes import Attributes, parse
from dovetail.iam.policy import Identity
from dovetail.iam.rules import ANONYMOUS, UNAUTHENTICATED

API_VERSION: Final = "audit.k8s.io/v1"
PREFIX: Final = "dovetail.dev/"
_MOST_KEPT = 4096
_LONGEST_KEPT = 1024
_REASONS: Final = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
    408: "Timeout", 409: "Conflict", 410: "Gone", 413: "RequestEntityTooLarge", 422: "Invalid",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_Key = TypeVar("_Key")
_Piece = TypeVar("_Piece")
_NOBODY: Final = Identity(name=ANONYMOUS, groups=(UNAUTHENTICATED,))


class EventWriter:
    """Writes events; remembers the pieces that repeat."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, bytes, str], tuple[str, str]] = {}
        self._from: dict[tuple[bytes, bytes], str] = {}
        self._users: dict[tuple[str, str, tuple[str, ...]], str] = {}
        self._answers: dict[tuple[int, str], str] = {}
        self._series = new_id()[:-12]
        self._number = 0
        self._second = -1
        self._prefix = ""

    def line(self, entry: Entry) -> bytes:
        """The event as JSON, without the end of the line."""
        target = (entry.method, entry.target, entry.route)
        asked, notes = self._asked.get(target) or _keep(self._asked, target, _asked, len(entry.target))
        origin = (entry.address, entry.agent)
        client = self._from.get(origin) or _keep(self._from, origin, _client, len(entry.agent))
        user = self._user(entry.who or _NOBODY)
        answer = (entry.code, entry.reason)
        status = self._answers.get(answer) or _keep(self._answers, answer, _status, len(entry.reason))
        stage = "ResponseStarted" if entry.started else "ResponseComplete"
        return (
            f'{{"kind":"Event","apiVersion":"{API_VERSION}","level":"{entry.level}"'
            f',"auditID":"{entry.id or self._id()}","stage":"{stage}",{asked},"user":{user},{client}'
            f',"responseStatus":{status}'
            f',"requestReceivedTimestamp":"{self._time(entry.at)}"'
            f',"stageTimestamp":"{self._time(entry.at + entry.seconds)}"'
            f'{_objects(entry)},"annotations":{{{notes}{_refused(entry)}'
            f'"{PREFIX}duration-ms":"{round(entry.seconds * 1000, 3):g}"'
            f',"{PREFIX}request-bytes":"{entry.received}","{PREFIX}response-bytes":"{entry.sent}"}}}}'
        ).encode()

    def _id(self) -> str:
        """Random in its first twenty digits, which are this writer's own."""
        self._number += 1
        return f"{self._series}{self._number:012x}"

    def _user(self, who: Identity) -> str:
        if who.extra:
            return _user(who)
        key = (who.name, who.uid, who.groups)
        return self._users.get(key) or _keep(self._users, key, lambda _: _user(who), 0)

    def _time(self, at: float) -> str:
        second = int(at)
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((at - second) * 1_000_000):06d}Z"


def new_id() -> str:
    """A random id in the form of a UUID."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _keep(kept: dict[_Key, _Piece], key: _Key, make: Callable[[_Key], _Piece], length: int) -> _Piece:
    """Make a piece, for the next time too; what strangers can make us remember is bounded."""
    piece = make(key)
    if length <= _LONGEST_KEPT:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        kept[key] = piece
    return piece


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _asked(target: tuple[str, bytes, str]) -> tuple[str, str]:
    """What was asked for, and the annotations that go with it."""
    method, raw, route = target
    uri = redacted_uri(_text(raw))
    path, _, query = uri.partition("?")
    asks = parse(method, path or "/", query)
    asked = f'"requestURI":{_json(uri)},"verb":{_json(asks.verb)}'
    if asks.resource_request:
        asked += f',"objectRef":{_json(_reference(asks))}'
    named = (("route", route), ("workspace", asks.workspace), ("cluster", asks.cluster))
    return asked, "".join(f'"{PREFIX}{name}":{_json(value)},' for name, value in named if value)


def _reference(asks: Attributes) -> dict[str, str]:
    fields = {
        "resource": asks.resource, "namespace": asks.namespace, "name": asks.name, "apiGroup": asks.api_group,
        "apiVersion": asks.api_version, "subresource": asks.subresource,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}


def _client(origin: tuple[bytes, bytes]) -> str:
    address, agent = origin
    return f'"sourceIPs":[{_json(address.decode("latin-1"))}],"userAgent":{_json(_text(agent))}'


def _user(who: Identity) -> str:
    fields = {"username": who.name, "uid": who.uid, "groups": who.groups, "extra": who.extra}
    return _json({name: value for name, value in fields.items() if value or name == "username"})


def _status(answer: tuple[int, str]) -> str:
    code, reason = answer
    status: dict[str, Any] = {"metadata": {}, "code": code}
    if code >= 400:
        status |= {"status": "Failure", "reason": _REASONS.get(code, "InternalError" if code >= 500 else "BadRequest")}
        if reason:
            status["message"] = reason
    return _json(status)


def _refused(entry: Entry) -> str:
    if entry.code != 403 or not entry.reason:
        return ""
    return f'"authorization.k8s.io/decision":"forbid","authorization.k8s.io/reason":{_json(entry.reason)},'


def _objects(entry: Entry) -> str:
    bodies = entry.bodies
    if bodies is None:
        return ""
    secret = b"/secrets" in entry.target
    return _object("requestObject", bodies.request, bodies.request_cut, secret) + _object(
        "responseObject", bodies.response, bodies.response_cut, secret
    )


def _object(name: str, body: bytes | None, cut: bool, secret: bool) -> str:
    """A body, or why there is none, as an object of its own."""
    if cut:
        return f',"{name}":{{"leftOut":"it is too large"}}'
    if not body:
        return ""
    try:
        return f',"{name}":{_json(redacted_body(orjson.loads(body), secret_kind=secret))}'
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return f',"{name}":{{"leftOut":"it is not JSON"}}'
