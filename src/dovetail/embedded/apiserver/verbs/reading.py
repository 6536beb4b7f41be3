"""get and list.

A get or an unselective list never parses an object. ``limit`` and ``continue`` walk one snapshot: the token carries
the revision of the first page, later pages are read as of that revision, and a token older than the compacted history
is answered with 410.
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from ..errors import BadRequest, Expired, Invalid, NotFound, VersionTooLarge
from ..fielderrors import forbidden, invalid
from ..foreign import part
from ..selecting import fields, labels
from ..selecting.fields import FieldSelector
from ..selecting.labels import LabelSelector
from ..storage.records import ObjectKey, Page, Record
from .answer import Answer
from .call import Call
from .output import many, negotiate, one, to_yaml

CONVERTED = "/events"
LIMIT = 1 << 31  # beyond any list; numbers that SQLite cannot hold never reach it


def get(call: Call) -> Answer:
    form = negotiate(call.accept, call.query.get("includeObject"))
    record = call.api.store.get(ObjectKey(call.resource.store, call.namespace, call.info.name))
    if record is None:
        raise NotFound(call.resource.group, call.resource.plural, call.info.name)
    body = one(form, call.resource, outward(call, record).value, call.api.clock())
    return Answer(to_yaml(body), 200, "application/yaml") if form.yaml else Answer(body)


def list_objects(call: Call) -> Answer:
    form = negotiate(call.accept, call.query.get("includeObject"))
    wanted, selected = selectors(call)
    page = _page(call, wanted, selected)
    meta: dict[str, Any] = {"resourceVersion": str(page.rev)}
    if page.more:
        meta["continue"] = _token(page)
        if not wanted and not selected:
            meta["remainingItemCount"] = call.api.store.count(call.resource.store, call.namespace, page.more)
    records = [outward(call, record) for record in page.records] if call.resource.store == CONVERTED else page.records
    body = many(form, call.resource, records, meta, call.api.clock())
    return Answer(to_yaml(b"".join(body)), 200, "application/yaml") if form.yaml else Answer(body)


def outward(call: Call, record: Record) -> Record:
    """The record in the version asked for, for the one kind that two groups share (events)."""
    if call.resource.store != CONVERTED:
        return record
    from ..objects.events import to_version

    return record._replace(value=to_version(call.resource.group, record.value))


def selectors(call: Call) -> tuple[LabelSelector, FieldSelector]:
    """Those of the query; a name in the URL counts as one."""
    wanted = labels.parse(call.query.get("labelSelector"))
    selected = fields.parse(call.query.get("fieldSelector"), call.resource.selectable, call.resource.plural)
    if call.info.name:
        selected = FieldSelector((*selected.terms, ("metadata.name", True, call.info.name)))
    return wanted, selected


def matches(value: bytes, wanted: LabelSelector, selected: FieldSelector) -> bool:
    """Whether a stored value is selected."""
    if not wanted and not selected:
        return True
    obj = orjson.loads(value)
    if wanted and not wanted.matches(part(obj["metadata"], "labels")):
        return False
    return not selected or selected.matches(obj)


def _page(call: Call, wanted: LabelSelector, selected: FieldSelector) -> Page:
    rev, after, limit = _where(call)
    name = selected.exactly("metadata.name")
    namespace = call.namespace or selected.exactly("metadata.namespace")
    if name and (namespace or not call.resource.namespaced) and not after and rev is None:
        record = call.api.store.get(ObjectKey(call.resource.store, namespace, name))
        found = [record] if record and matches(record.value, wanted, selected) else []
        return Page(found, call.api.store.rev)
    if not wanted and not selected:
        return _read(call, namespace, rev, after, limit)
    return _filtered(call, namespace, rev, after, limit, wanted, selected)


def _read(call: Call, namespace: str, rev: int | None, after: tuple[str, str] | None, limit: int) -> Page:
    if rev is None:
        return call.api.store.list(call.resource.store, namespace, after, limit)
    return call.api.history.page_at(call.resource.store, namespace, rev, after, limit)


def _filtered(
    call: Call,
    namespace: str,
    rev: int | None,
    after: tuple[str, str] | None,
    limit: int,
    wanted: LabelSelector,
    selected: FieldSelector,
) -> Page:
    page = _read(call, namespace, rev, after, 0)
    found = [record for record in page.records if matches(record.value, wanted, selected)]
    if not limit or len(found) <= limit:
        return Page(found, page.rev)
    edge = found[limit - 1]
    return Page(found[:limit], page.rev, (edge.namespace, edge.name))


def _where(call: Call) -> tuple[int | None, tuple[str, str] | None, int]:
    """(revision to read at, or None for now; key to continue after; limit)."""
    query = call.query
    limit = min(max(query.number("limit"), 0), LIMIT)
    match, version = query.get("resourceVersionMatch"), query.get("resourceVersion")
    if query.get("continue"):
        if version not in ("", "0"):
            raise BadRequest("specifying resource version is not allowed when using continue")
        rev, after = _read_token(call, query.get("continue"))
        return rev, after, limit
    if match:
        _check_match(call, match, version)
    if version in ("", "0"):
        return None, None, limit
    number = _version(version)
    if number > call.api.store.rev:
        raise VersionTooLarge(number, call.api.store.rev)
    if match == "Exact" or (limit and not match):
        check_retained(call, number)
        return number, None, limit
    return None, None, limit


def _check_match(call: Call, match: str, version: str) -> None:
    if match not in ("Exact", "NotOlderThan"):
        error = invalid("resourceVersionMatch", match, 'supported values: "", "Exact", "NotOlderThan"')
    elif not version:
        error = forbidden(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    elif match == "Exact" and version == "0":
        error = forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    else:
        return
    raise Invalid("meta.k8s.io", "ListOptions", "", [error])


def _version(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise BadRequest(
            f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        )
    return int(text)


def check_retained(call: Call, rev: int) -> None:
    """Raises Expired when the state at ``rev`` can no longer be told."""
    if rev < call.api.history.compacted:
        raise Expired(f"The resourceVersion for the provided list is too old. ({rev} < {call.api.history.compacted})")


def _token(page: Page) -> str:
    more = page.more or ("", "")
    token = {"v": "meta.k8s.io/v1", "rv": page.rev, "start": "/".join(more)}
    return base64.urlsafe_b64encode(orjson.dumps(token)).decode().rstrip("=")


def _read_token(call: Call, text: str) -> tuple[int, tuple[str, str]]:
    try:
        token = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        rev, (namespace, name) = int(token["rv"]), str(token["start"]).split("/", 1)
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"continue key is not valid: {error}") from error
    if rev < call.api.history.compacted:
        fresh = Page([], call.api.store.rev, (namespace, name))
        message = (
            "The provided continue parameter is too old to display a consistent list result. You can start a new "
            "list without "
            "the continue parameter, or use the continue token in this response to retrieve the remainder of the "
            "results."
        )
        error = Expired(message)
        error.continue_token = _token(fresh)
        raise error
    return rev, (namespace, name)
