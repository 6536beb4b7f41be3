"""The options of list and watch: what may be combined, revisions, continue tokens.

Rules and sentences are those of apimachinery ``internalversion/validation`` and of apiserver ``storage/continue.go``.
The table of meanings: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
"""

from __future__ import annotations

import base64
import binascii
import posixpath
from typing import NamedTuple

import orjson

from ..errors import BadRequest, Expired, VersionTooLarge
from ..fielderrors import FieldError, forbidden, not_supported
from ..requests import Query

EXACT, NOT_OLDER = "Exact", "NotOlderThan"
LIMIT = 1 << 31  # beyond any list; numbers that SQLite cannot hold never reach it
_MATCH, _INITIAL = "resourceVersionMatch", "sendInitialEvents"
_TOKEN_VERSION = "meta.k8s.io/v1"
_TOO_OLD = "The resourceVersion for the provided list is too old."
_CONTINUE_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


class Place(NamedTuple):
    """Where a list begins: ``rev`` None means now; ``after`` is the key to go on after; ``limit`` 0 means all."""

    rev: int | None
    after: tuple[str, str] | None
    limit: int


class Revisions(NamedTuple):
    """What can be told: the oldest and the newest revision."""

    compacted: int
    current: int


def list_errors(query: Query) -> list[FieldError]:
    match, version = query.get(_MATCH), query.get("resourceVersion")
    errors: list[FieldError] = []
    if match:
        if not version:
            errors.append(forbidden(_MATCH, "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if query.get("continue"):
            errors.append(forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER):
            errors.append(not_supported(_MATCH, match, [EXACT, NOT_OLDER, ""]))
        if match == EXACT and version == "0":
            errors.append(forbidden(_MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if query.has(_INITIAL):
        errors.append(forbidden(_INITIAL, "sendInitialEvents is forbidden for list"))
    return errors


def watch_errors(query: Query) -> list[FieldError]:
    match, initial = query.get(_MATCH), query.has(_INITIAL)
    errors: list[FieldError] = []
    if initial and match != NOT_OLDER:
        errors.append(forbidden(_MATCH, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
    if match:
        if not initial:
            text = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            errors.append(forbidden(_MATCH, text))
        if match != NOT_OLDER:
            errors.append(not_supported(_MATCH, match, [NOT_OLDER]))
        if query.get("continue"):
            errors.append(forbidden(_MATCH, "resourceVersionMatch is forbidden when continue is provided"))
    return errors


def place(query: Query, known: Revisions) -> Place:
    """Raises BadRequest, Expired, VersionTooLarge. ``list_errors`` were none."""
    limit = min(max(query.number("limit"), 0), LIMIT)
    version, match = query.get("resourceVersion"), query.get(_MATCH)
    if token := query.get("continue"):
        if version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        rev, after = read_token(token)
        if 0 < rev < known.compacted:
            error = Expired(_CONTINUE_TOO_OLD)
            error.continue_token = token_for(-1, after)
            raise error
        return Place(min(rev, known.current) if rev > 0 else None, after, limit)
    if not version:
        return Place(None, None, limit)
    number = revision(version)
    if number > known.current:
        raise VersionTooLarge(number, known.current)
    if number == 0:  # "any version": served whole, as from kube-apiserver's cache
        return Place(None, None, 0)
    if match == EXACT or (limit and not match):
        if number < known.compacted:
            raise Expired(_TOO_OLD)
        return Place(number, None, limit)
    return Place(None, None, limit)


def revision(text: str) -> int:
    """Raises BadRequest."""
    problem = version_problem(text)
    if problem:
        raise BadRequest(f'invalid resource version: resourceVersion: Invalid value: "{text}": {problem}')
    return int(text)


def version_problem(text: str) -> str:
    """What Go says about a number that is none; "" when it is one."""
    if text.isascii() and text.isdigit():
        return "" if int(text) < 1 << 64 else f'strconv.ParseUint: parsing "{text}": value out of range'
    return f'strconv.ParseUint: parsing "{text}": invalid syntax'


def token_for(rev: int, after: tuple[str, str]) -> str:
    """``rev`` -1: go on with whatever is there by then."""
    namespace, name = after
    # As in kube-apiserver the token names the key to start at: the smallest after the last one shown.
    start = f"{namespace}/{name}\0" if namespace else f"{name}\0"
    token = {"v": _TOKEN_VERSION, "rv": rev, "start": start}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")


def read_token(text: str) -> tuple[int, tuple[str, str]]:
    """(revision, key to go on after). Raises BadRequest."""
    try:
        token = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        version, rev, start = token.get("v", ""), token.get("rv", 0), token.get("start", "")
        if not isinstance(rev, int) or not isinstance(start, str):
            raise ValueError("json: cannot unmarshal the token")
    except (binascii.Error, ValueError, AttributeError) as error:
        raise _bad_token(f": {error}") from error
    if version != _TOKEN_VERSION:
        raise _bad_token(f": server does not recognize this encoded version {version}")
    if rev == 0:
        raise _bad_token(f": incorrect encoded start resourceVersion (version {_TOKEN_VERSION})")
    if not start:
        raise _bad_token(f": encoded start key empty (version {_TOKEN_VERSION})")
    key = start if start.startswith("/") else f"/{start}"
    if posixpath.normpath(key) != key:
        raise _bad_token(f": {start}")
    namespace, found, name = start.lstrip("/").rpartition("/")
    return min(rev, LIMIT << 30), (namespace if found else "", name.removesuffix("\0"))


def _bad_token(why: str) -> BadRequest:
    return BadRequest(f"invalid continue token: continue key is not valid{why}")
