"""get and list.

A get or an unselective list never parses an object. ``limit`` and ``continue`` walk one snapshot: the token carries
the revision of the first page, later pages are read as of that revision, and a token older than the compacted history
is answered with 410. A list without a limit is read, written and forgotten page by page, all of one revision: it is
never in memory as a whole, and others are served in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import orjson

from ..errors import Expired, Invalid, NotFound, VersionTooLarge
from ..foreign import part
from ..selecting import fields, labels
from ..selecting.fields import FieldSelector
from ..selecting.labels import LabelSelector
from ..storage.records import ObjectKey, Page, Record
from .answer import Answer, Stream
from .call import Call
from .listoptions import Place, Revisions, list_errors, place, revision, token_for
from .output import TABLE, Form, closing, items, many, negotiate, one, opening, to_yaml

PAGE = 500
"""Objects read in one turn of the loop."""


def get(call: Call) -> Answer:
    form = negotiate(call.accept, call.query.get("includeObject"))
    if version := call.query.get("resourceVersion"):
        asked = revision(version)
        if asked > call.api.store.rev:
            raise VersionTooLarge(asked, call.api.store.rev)
    record = call.api.store.get(ObjectKey(call.resource.store, call.namespace, call.info.name))
    if record is None:
        raise NotFound(call.resource.group, call.resource.plural, call.info.name)
    body = one(form, call.resource, outward(call, record).value, call.api.clock())
    return Answer(to_yaml(body), 200, "application/yaml") if form.yaml else Answer(body)


def list_objects(call: Call) -> Answer | Stream:
    form = negotiate(call.accept, call.query.get("includeObject"))
    lister = _Lister(call)
    page = lister.first()
    meta = lister.meta(page)
    if page.more is None or lister.place.limit:
        body = many(form, call.resource, lister.outward(page.records), meta, call.api.clock())
        return Answer(to_yaml(b"".join(body)), 200, "application/yaml") if form.yaml else Answer(body)
    if form.yaml or form.kind == TABLE:  # laid out as a whole
        records = [record for part in lister.rest(page) for record in part]
        body = b"".join(many(form, call.resource, records, meta, call.api.clock()))
        return Answer(to_yaml(body), 200, "application/yaml") if form.yaml else Answer(body)
    return Stream(_chunks(call, form, lister, page, meta))


async def _chunks(call: Call, form: Form, lister: _Lister, first: Page, meta: dict[str, Any]) -> AsyncIterator[bytes]:
    before = opening(form, call.resource, meta)
    for records in lister.rest(first):
        if records:
            yield before + items(form, call.resource, records)
            before = b","
    yield closing() if before == b"," else before + closing()


class _Lister:
    """One list request: its place, its selectors, and the pages that it takes."""

    def __init__(self, call: Call) -> None:
        errors = list_errors(call.query)
        if errors:
            raise Invalid("meta.k8s.io", "ListOptions", "", errors)
        self._call = call
        self._wanted, self._selected = selectors(call)
        api = call.api
        self.place: Place = place(call.query, Revisions(api.history.compacted, api.store.rev))
        self._namespace = call.namespace or (
            self._selected.exactly("metadata.namespace") if call.resource.namespaced else ""
        )
        self._selective = bool(self._wanted) or bool(self._selected)

    def first(self) -> Page:
        """The page to begin with: all that was asked for when there is a limit."""
        call, (rev, after, limit) = self._call, self.place
        name = self._selected.exactly("metadata.name")
        if name and (self._namespace or not call.resource.namespaced) and not after and rev is None:
            record = call.api.store.get(ObjectKey(call.resource.store, self._namespace, name))
            found = [record] if record and matches(record.value, self._wanted, self._selected) else []
            return Page(found, call.api.store.rev)
        if rev is None:
            rev = call.api.store.rev
        if not self._selective:
            return self._read(rev, after, limit or PAGE)
        return self._selection(rev, after, limit) if limit else self._select(self._read(rev, after, PAGE))

    def rest(self, page: Page) -> Iterator[list[Record]]:
        """The records of this page and of all that follow, of one revision."""
        yield self.outward(page.records)
        while page.more is not None:
            page = self._select(self._read(page.rev, page.more, PAGE))
            yield self.outward(page.records)

    def meta(self, page: Page) -> dict[str, Any]:
        meta: dict[str, Any] = {"resourceVersion": str(page.rev)}
        if page.more and self.place.limit:
            meta["continue"] = token_for(page.rev, page.more)
            if not self._selective:
                store = self._call.resource.store
                left = self._call.api.history.count_at(store, self._namespace, page.rev, page.more)
                meta["remainingItemCount"] = left
        return meta

    def outward(self, records: list[Record]) -> list[Record]:
        if self._call.resource.conversion is None:
            return records
        return [outward(self._call, record) for record in records]

    def _read(self, rev: int, after: tuple[str, str] | None, limit: int) -> Page:
        history = self._call.api.history
        if rev < history.compacted:
            raise Expired("The resourceVersion for the provided list is too old.")
        return history.page_at(self._call.resource.store, self._namespace, rev, after, limit)

    def _select(self, page: Page) -> Page:
        if not self._selective:
            return page
        found = [record for record in page.records if matches(record.value, self._wanted, self._selected)]
        return Page(found, page.rev, page.more)

    def _selection(self, rev: int, after: tuple[str, str] | None, limit: int) -> Page:
        """The first ``limit`` selected objects; one more is looked for, to know whether there is more."""
        found: list[Record] = []
        while True:
            page = self._read(rev, after, PAGE)
            found += self._select(page).records
            after = page.more
            if len(found) > limit:
                edge = found[limit - 1]
                return Page(found[:limit], rev, (edge.namespace, edge.name))
            if after is None:
                return Page(found, rev)


def outward(call: Call, record: Record) -> Record:
    """The record in the version asked for, for the few kinds that have several shapes."""
    if call.resource.conversion is None:
        return record
    return record._replace(value=call.resource.conversion.outward(record.value))


def selectors(call: Call) -> tuple[LabelSelector, FieldSelector]:
    """Those of the query; a name in the URL counts as one."""
    wanted = labels.parse(call.query.get("labelSelector"))
    selected = fields.parse(call.query.get("fieldSelector"), call.resource.selectable, bool(call.resource.custom))
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
