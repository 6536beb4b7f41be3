"""watch: a stream of changes from a revision on.

Model. A watch has a cursor in the hub and a view (namespace, selectors). Each change is seen through the view: an
object that comes into view is ADDED, one that leaves it is DELETED, whatever really happened to it. Bookmarks tell the
revision when nothing else does. The stream ends at ``timeoutSeconds``, when the server stops, when the client goes, or
with a 410 event when the cursor fell behind what is kept.

No task: the hub calls the watch, the watch writes. When the client does not keep up, the watch waits for it with its
cursor where it is; nothing is buffered for it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from ..errors import Expired, InternalError, Invalid, StatusError, VersionTooLarge
from ..fielderrors import invalid
from ..media_types import JSON
from ..output.tables import table_of
from ..registry.resource import ResourceType
from ..selecting.fields import FieldSelector
from ..selecting.labels import LabelSelector
from ..storage.hub import BATCH, Cursor
from ..storage.records import ADDED, DELETED, EVENT_NAMES, MODIFIED, Change
from ..transport.messages import Outlet
from .call import Call
from .listoptions import version_problem, watch_errors
from .output import PARTIAL, PLAIN, TABLE, Form, negotiate, partial
from .reading import matches, selectors

BOOKMARK_SECONDS = 60.0
LAST_BOOKMARK_SECONDS = 2.0
"""A bookmark goes out this long before the end, as kube-apiserver does: the client can resume from it."""
MINIMUM_TIMEOUT = 1800.0
PAGE = 200
CACHED = 64
"""Encoded events kept for the watchers whose turn comes later."""

_log = logging.getLogger("dovetail.embedded.apiserver")


class View:
    """What of a resource a watcher sees, and in which form."""

    def __init__(self, call: Call, wanted: LabelSelector, selected: FieldSelector, form: Form) -> None:
        self._resource, self._namespace = call.resource, call.namespace
        self._wanted, self._selected = wanted, selected
        self._encode = _encoder(call.resource, form, call.api.clock)
        self._form = form
        self._everything = not wanted and not selected
        self._lines = call.api.hub.lines if form.kind == PLAIN and call.resource.conversion is None else None
        name = selected.exactly("metadata.name")
        self._name = name if len(selected.terms) == 1 and not wanted else ""

    def line(self, change: Change) -> bytes:
        """The event as this watcher gets it; b"" when it sees nothing."""
        if self._namespace and change.key.namespace != self._namespace:
            return b""
        if self._name and change.key.name != self._name:
            return b""
        if self._everything or self._name:
            return self._shared(change)
        now = change.event != DELETED and self.sees(change.value)
        before = change.before is not None and self.sees(change.before)
        if now:
            return self.event(MODIFIED if before else ADDED, change.value)
        if not before:
            return b""
        return self.event(DELETED, change.value if change.event == DELETED else _last_seen(change))

    def _shared(self, change: Change) -> bytes:
        """The same for every watcher who sees everything: encoded once for all of them."""
        if self._lines is None:
            return self.event(change.event, change.value)
        key = (change.rev, self._resource.header)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= CACHED:
                self._lines.clear()
            line = self._lines[key] = self.event(change.event, change.value)
        return line

    def sees(self, value: bytes) -> bool:
        return matches(value, self._wanted, self._selected)

    def event(self, event: int, value: bytes) -> bytes:
        return _line(EVENT_NAMES[event], self._encode(value))

    def bookmark(self, rev: int, initial_end: bool = False) -> bytes:
        annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if initial_end else {}
        meta = {"resourceVersion": str(rev), **annotations}
        return _line("BOOKMARK", orjson.dumps(self._mark(meta)))

    def _mark(self, meta: dict[str, Any]) -> dict[str, Any]:
        """An object that has nothing but metadata, in the form of the others."""
        resource, form = self._resource, self._form
        if form.kind == PLAIN:
            return {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
        whole = partial({"metadata": meta}, form.version)
        if form.kind == PARTIAL:
            return whole
        kind = {"kind": "Table", "apiVersion": f"meta.k8s.io/{form.version}"}
        rows: list[dict[str, Any]] = [{"cells": [], "object": whole}]
        return {
            **kind,
            "metadata": {"resourceVersion": meta["resourceVersion"]},
            "columnDefinitions": None,
            "rows": rows,
        }


def _last_seen(change: Change) -> bytes:
    """What leaves a view is shown as it was in it, with the revision of its leaving."""
    obj = orjson.loads(change.before or change.value)
    obj["metadata"]["resourceVersion"] = str(change.rev)
    return orjson.dumps(obj)


def _line(name: str, body: bytes) -> bytes:
    return b'{"type":"' + name.encode() + b'","object":' + body + b"}\n"


def _encoder(resource: ResourceType, form: Form, clock: Callable[[], float]) -> Callable[[bytes], bytes]:
    if form.kind == TABLE:
        return _table_encoder(resource, form, clock)
    if form.kind == PARTIAL:
        return lambda value: orjson.dumps(partial(resource.decode(value), form.version))
    conversion = resource.conversion
    if conversion is not None:
        return lambda value: resource.encode(conversion.outward(value))
    return resource.encode


def _table_encoder(resource: ResourceType, form: Form, clock: Callable[[], float]) -> Callable[[bytes], bytes]:
    table, first = table_of(resource, form.version, form.include), True

    def encode(value: bytes) -> bytes:
        nonlocal first
        headers, first = first, False
        return table.encode([resource.decode(value)], clock(), "", None, headers)

    return encode


def watch(call: Call) -> Watch:
    """Raises Invalid, BadRequest. What is wrong with the revision is told in the stream, as kube-apiserver does."""
    wanted, selected = selectors(call)
    view = View(call, wanted, selected, negotiate(call.accept, call.query.get("includeObject")))
    errors = watch_errors(call.query)
    if errors:
        raise Invalid("meta.k8s.io", "ListOptions", "", errors)
    return Watch(call, view, _version(call))


def _version(call: Call) -> int:
    """The revision asked for; 0 for none."""
    text = call.query.get("resourceVersion")
    if text and (problem := version_problem(text)):
        raise Invalid(call.resource.group, call.resource.plural, "", [invalid("resourceVersion", text, problem)])
    return int(text or 0)


class Watch:
    """A ``Flow``. ``rev`` 0: whatever is newest. ``on_close`` is called once, when it is over."""

    content_type = JSON

    def __init__(self, call: Call, view: View, rev: int) -> None:
        self._call, self._view, self._rev = call, view, rev
        query, now = call.query, call.api.clock()
        self._bookmarks = query.flag("allowWatchBookmarks")
        self._end_mark = query.flag("sendInitialEvents")
        # Without sendInitialEvents, "from any revision" begins with what there is (and no word on where that ends).
        self._initial_first = self._end_mark or (not query.has("sendInitialEvents") and not rev)
        seconds = query.number("timeoutSeconds")
        self._until = now + (seconds if seconds > 0 else MINIMUM_TIMEOUT * (1 + random.random()))
        self._mark_at = self._next_mark(now)
        self._initial: Iterator[bytes] | None = None
        self._cursor: Cursor | None = None
        self._outlet: Outlet | None = None
        self.on_close: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.Handle | None = None

    # -- as the connection calls it

    def open(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._begin()

    def resume(self) -> None:
        if self._cursor is not None:
            self._advance()

    def close(self) -> None:
        self._outlet = None
        for handle in (self._timer, self._again):
            if handle is not None:
                handle.cancel()
        if self._cursor is not None:
            self._cursor.forget(self._advance)
        if self.on_close is not None:
            self.on_close()
            self.on_close = None

    # -- inside

    def _begin(self) -> None:
        api = self._call.api
        try:
            if self._end_mark and self._rev > api.store.rev:
                raise VersionTooLarge(self._rev, api.store.rev)
            start = api.store.rev if self._initial_first or not self._rev else self._rev
            self._cursor = api.hub.cursor(self._call.resource.store, start)
        except Exception as error:
            self._fail(error)
            return
        if self._initial_first:
            self._initial = self._present(start)
        self._cursor.listen(self._advance)
        self._tick()
        self._advance()

    def _advance(self) -> None:
        """Write what there is to write, as long as the client takes it."""
        outlet, cursor = self._outlet, self._cursor
        if outlet is None or cursor is None or not outlet.writable:
            return
        try:
            if self._initial is not None:
                self._write_initial(outlet)
            elif self._write_changes(outlet, cursor):
                self._soon()
            elif self._over():
                self._end()
        except Exception as error:
            self._fail(error)

    def _write_changes(self, outlet: Outlet, cursor: Cursor) -> bool:
        """Whether there may be more."""
        changes = cursor.take()
        if changes:
            line = self._view.line
            chunk = b"".join([line(change) for change in changes])
            if chunk:
                outlet.send((chunk,))
        return len(changes) == BATCH

    def _write_initial(self, outlet: Outlet) -> None:
        """One page; the next one in another turn of the loop."""
        assert self._initial is not None
        page = next(self._initial, None)
        if page is None:
            self._initial = None
        elif page:
            outlet.send((page,))
        self._soon()

    def _soon(self) -> None:
        self._again = asyncio.get_running_loop().call_soon(self._advance)

    def _tick(self) -> None:
        """Bookmarks and the end, by the clock."""
        now = self._call.api.clock()
        if now >= self._until:
            if self._bookmarks:
                self._mark()
            self._end()
            return
        if self._bookmarks and now >= self._mark_at:
            self._mark()
            self._mark_at = self._next_mark(now)
        due = min(self._until, self._mark_at) if self._bookmarks else self._until
        self._timer = asyncio.get_running_loop().call_later(max(due - now, 0.001), self._tick)

    def _next_mark(self, now: float) -> float:
        last = self._until - LAST_BOOKMARK_SECONDS
        return min(now + BOOKMARK_SECONDS, last) if now < last else self._until

    def _mark(self) -> None:
        """Tell the revision, after everything up to it; nothing while the list at the beginning is under way."""
        self._advance()
        if self._initial is None and self._outlet is not None and self._cursor is not None and self._outlet.writable:
            self._outlet.send((self._view.bookmark(self._cursor.rev),))

    def _present(self, rev: int) -> Iterator[bytes]:
        """Everything in view at ``rev``, page by page: the list is never in memory as a whole."""
        api, store, after = self._call.api, self._call.resource.store, None
        while True:
            if rev < api.history.compacted:
                raise Expired(f"too old resource version: {rev} ({api.history.compacted})")
            page = api.history.page_at(store, self._call.namespace, rev, after, PAGE)
            view = self._view
            yield b"".join([view.event(ADDED, record.value) for record in page.records if view.sees(record.value)])
            if page.more is None:
                break
            after = page.more
        if self._end_mark and self._bookmarks:
            yield self._view.bookmark(rev, initial_end=True)

    def _over(self) -> bool:
        call = self._call
        if call.api.hub.closed:
            return True
        resource, find = call.resource, call.api.catalogue.find
        return resource.custom is not None and find(resource.group, resource.version, resource.plural) is None

    def _fail(self, error: Exception) -> None:
        """Whatever goes wrong ends this watch, and no other: nobody above could answer for it."""
        if not isinstance(error, StatusError):
            _log.error("a watch of %s broke off: %s", self._call.resource.store, error, exc_info=error)
            error = InternalError(type(error).__name__)
        if self._outlet is not None:
            self._outlet.send((_line("ERROR", orjson.dumps(error.status())),))
        self._end()

    def _end(self) -> None:
        outlet = self._outlet
        self.close()
        if outlet is not None:
            outlet.end()
