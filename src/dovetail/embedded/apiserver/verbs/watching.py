"""watch: a stream of changes from a revision on.

Model. A watch has a cursor in the hub and a view (namespace, selectors). Each change is seen through the view: an
object that comes into view is ADDED, one that leaves it is DELETED, whatever really happened to it. Bookmarks tell the
revision when nothing else does. The stream ends at ``timeoutSeconds``, when the server stops, when the client goes, or
with a 410 event when the cursor fell behind what is kept.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator

import orjson

from ..errors import Invalid, StatusError
from ..fielderrors import forbidden
from ..output.tables import Table, columns_for
from ..registry.resource import ResourceType
from ..selecting.fields import FieldSelector
from ..selecting.labels import LabelSelector
from ..storage.hub import Cursor
from ..storage.records import ADDED, DELETED, EVENT_NAMES, MODIFIED, Change
from .answer import Stream
from .call import Call
from .output import PARTIAL, TABLE, Form, negotiate, partial
from .reading import CONVERTED, check_retained, matches, selectors

BOOKMARK_SECONDS = 60.0
MINIMUM_TIMEOUT = 1800.0
PAGE = 200


class View:
    """What of a resource a watcher sees, and in which form."""

    def __init__(self, call: Call, wanted: LabelSelector, selected: FieldSelector, form: Form) -> None:
        self._resource, self._namespace = call.resource, call.namespace
        self._wanted, self._selected = wanted, selected
        self._encode = _encoder(call.resource, form, call.api.clock)

    def line(self, change: Change) -> bytes:
        """The event as this watcher gets it; b"" when it sees nothing."""
        if self._namespace and change.key.namespace != self._namespace:
            return b""
        if not self._wanted and not self._selected:
            return self.event(change.event, change.value)
        now = change.event != DELETED and self.sees(change.value)
        before = change.before is not None and self.sees(change.before)
        if now:
            return self.event(MODIFIED if before else ADDED, change.value)
        if not before:
            return b""
        return self.event(DELETED, change.value)

    def sees(self, value: bytes) -> bool:
        return matches(value, self._wanted, self._selected)

    def event(self, event: int, value: bytes) -> bytes:
        return _line(EVENT_NAMES[event], self._encode(value))

    def bookmark(self, rev: int, initial_end: bool = False) -> bytes:
        annotations = {"annotations": {"k8s.io/initial-events-end": "true"}} if initial_end else {}
        meta = {"resourceVersion": str(rev), "creationTimestamp": None, **annotations}
        kind = {"kind": self._resource.kind, "apiVersion": self._resource.api_version}
        return _line("BOOKMARK", orjson.dumps({**kind, "metadata": meta}))


def _line(name: str, body: bytes) -> bytes:
    return b'{"type":"' + name.encode() + b'","object":' + body + b"}\n"


def _encoder(resource: ResourceType, form: Form, clock: Callable[[], float]) -> Callable[[bytes], bytes]:
    if form.kind == TABLE:
        return _table_encoder(resource, form, clock)
    if form.kind == PARTIAL:
        return lambda value: orjson.dumps(partial(resource.decode(value), form.version))
    if resource.store == CONVERTED:
        from ..objects.events import to_version

        return lambda value: resource.encode(to_version(resource.group, value))
    return resource.encode


def _table_encoder(resource: ResourceType, form: Form, clock: Callable[[], float]) -> Callable[[bytes], bytes]:
    table, first = Table(columns_for(resource), form.version, form.include), True

    def encode(value: bytes) -> bytes:
        nonlocal first
        headers, first = first, False
        return table.encode([resource.decode(value)], clock(), "", None, headers)

    return encode


def watch(call: Call) -> Stream:
    """Raises Invalid, BadRequest, Expired before the stream starts."""
    wanted, selected = selectors(call)
    view = View(call, wanted, selected, negotiate(call.accept, call.query.get("includeObject")))
    _check_initial(call)
    version = call.query.get("resourceVersion")
    send_initial = call.query.flag("sendInitialEvents")
    asked = not call.query.has("sendInitialEvents")
    fresh = send_initial or (asked and version in ("", "0"))
    start = call.api.store.rev if fresh or not version.isdigit() else int(version)
    cursor = call.api.hub.cursor(call.resource.store, min(start, call.api.store.rev))
    return Stream(_Watch(call, view, cursor, fresh, send_initial).run(), "application/json")


def _check_initial(call: Call) -> None:
    query = call.query
    match = query.get("resourceVersionMatch")
    problem = None
    if query.has("sendInitialEvents") and match != "NotOlderThan":
        problem = forbidden(
            "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    elif not query.has("sendInitialEvents") and match:
        problem = forbidden(
            "resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        )
    if problem is not None:
        raise Invalid("meta.k8s.io", "ListOptions", "", [problem])


class _Watch:
    def __init__(self, call: Call, view: View, cursor: Cursor, fresh: bool, end_mark: bool) -> None:
        self._call, self._view, self._cursor = call, view, cursor
        self._fresh, self._end_mark = fresh, end_mark
        self._bookmarks = call.query.flag("allowWatchBookmarks")
        seconds = call.query.number("timeoutSeconds")
        self._until = call.api.clock() + (seconds or MINIMUM_TIMEOUT * (1 + random.random()))
        self._mark_at = call.api.clock() + BOOKMARK_SECONDS
        self._served = call.resource

    async def run(self) -> AsyncIterator[bytes]:
        """Chunks of whole events."""
        try:
            if self._fresh:
                for chunk in self._initial():
                    yield chunk
            while not self._over():
                changes = self._cursor.take()
                chunk = b"".join([self._view.line(change) for change in changes])
                if chunk:
                    yield chunk
                if changes:
                    continue
                await self._cursor.wait(self._pause())
                if self._bookmarks and self._call.api.clock() >= self._mark_at:
                    yield self._bookmark()
        except StatusError as error:
            yield _line("ERROR", orjson.dumps(error.status()))
            return
        if self._bookmarks and not self._call.api.hub.closed:
            yield self._bookmark()

    def _initial(self) -> Iterator[bytes]:
        """Everything in view at the cursor's revision, page by page: the list is never in memory as a whole."""
        call, after, rev = self._call, None, self._cursor.rev
        while True:
            check_retained(call, rev)
            page = call.api.history.page_at(call.resource.store, call.namespace, rev, after, PAGE)
            lines = [self._view.event(ADDED, record.value) for record in page.records if self._view.sees(record.value)]
            if lines:
                yield b"".join(lines)
            if page.more is None:
                break
            after = page.more
        if self._end_mark:
            yield self._view.bookmark(rev, initial_end=True)

    def _bookmark(self) -> bytes:
        self._mark_at = self._call.api.clock() + BOOKMARK_SECONDS
        return self._view.bookmark(self._cursor.rev)

    def _pause(self) -> float:
        now = self._call.api.clock()
        due = min(self._until, self._mark_at) if self._bookmarks else self._until
        return max(min(due - now, BOOKMARK_SECONDS), 0.0)

    def _over(self) -> bool:
        call = self._call
        if call.api.hub.closed or call.api.clock() >= self._until:
            return True
        resource = call.resource
        if (
            resource.custom is not None
            and call.api.catalogue.find(resource.group, resource.version, resource.plural) is None
        ):
            return not self._cursor.pending()
        return False
