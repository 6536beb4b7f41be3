"""Keeps the catalogue in step with the APIServices: asks their backends, takes what is good, tells what is not.

Each group version belongs to one APIService. Its backend is asked when it becomes Available, when the way to it
changes, and again and again, so that an upgrade is seen. A document stays while its backend is Available, even when it
could not be fetched again; it goes with the APIService. Backends are asked a few at a time, each within its own time,
so a slow one holds up nobody; documents are worked on in a thread.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from dovetail.gateway.figures import Figure, counter, gauge
from dovetail.gateway.openapi.accepting import BadDocument, accept
from dovetail.gateway.openapi.catalogue import Catalogue
from dovetail.gateway.openapi.fetching import NOTHING, Fetched, Unfetched, fetch
from dovetail.kube.conditions import ConditionStatus
from dovetail.routing.model import Upstream

REFRESH_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 5.0
_COALESCE_SECONDS: Final = 0.2
_FETCHES_A_SECOND: Final = 20.0
"""At most, on the average: with many backends each is asked less often."""
_LOOK_SECONDS: Final = 5.0
_AT_ONCE: Final = 4

_log = logging.getLogger(__name__)


class Source(msgspec.Struct, frozen=True):
    """An APIService whose backend answers. `uid` is the object's."""

    uid: str
    group: str
    version: str
    upstream: Upstream

    @property
    def name(self) -> str:
        """Of its document."""
        return f"kapis/{self.group}/{self.version}"


class Verdict(msgspec.Struct, frozen=True):
    """What became of a document, for a condition of the APIService. `status` is True, False or Unknown."""

    status: ConditionStatus
    reason: str
    message: str


_MERGED: Final = Verdict("True", "Merged", "the OpenAPI document of its backend is part of the platform's")


class _Known:
    """What is known of one source."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.fetched = NOTHING
        self.due = 0.0
        self.failures = 0
        self.asking: asyncio.Task[None] | None = None
        self.document: dict[str, Any] | None = None


class Aggregator:
    """See the module. `sources` gives the APIServices of now; `told` hears a verdict whenever one is reached; `vouch`
    signs for the aggregator towards a backend, named as the gateway calls it."""

    def __init__(
        self, version: str, sources: Callable[[], Mapping[str, Source]],
        told: Callable[[str, Verdict], None], refresh: float = REFRESH_SECONDS,
        vouch: Callable[[str], str] = lambda _: "",
    ) -> None:  # fmt: skip
        self._own: dict[str, dict[str, Any]] = {}
        self._version = version
        self._sources = sources
        self._told = told
        self._refresh = refresh
        self._vouch = vouch
        self._known: dict[str, _Known] = {}
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self.catalogue = Catalogue(self._own, version)
        self.fetches = self.failures = 0

    def describe(self, own: Mapping[str, dict[str, Any]]) -> None:
        """These documents are the platform's own; no backend can take their names."""
        self._own = dict(own)
        self._publish()

    def changed(self) -> None:
        """Something about the APIServices may be new."""
        self._wake.set()

    async def run(self) -> None:
        """Keep everything in step until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            while True:
                self._follow(self._sources())
                now = loop.time()
                for known in self._known.values():
                    if known.asking is None and known.due <= now:
                        known.asking = group.create_task(self._ask(known), name=f"openapi of {known.source.name}")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._until_due(now)):
                        await self._wake.wait()
                await asyncio.sleep(_COALESCE_SECONDS)
                self._wake.clear()

    def figures(self) -> Iterator[Figure]:
        """What is counted."""
        yield counter("dovetail_openapi_fetches_total", self.fetches)
        yield counter("dovetail_openapi_failures_total", self.failures)
        yield gauge("dovetail_openapi_documents", len(self.catalogue.documents))

    @property
    def _interval(self) -> float:
        return max(self._refresh, len(self._known) / _FETCHES_A_SECOND)

    def _until_due(self, now: float) -> float:
        due = min((known.due for known in self._known.values() if known.asking is None), default=now + _LOOK_SECONDS)
        return max(0.0, min(due - now, _LOOK_SECONDS))

    def _follow(self, sources: Mapping[str, Source]) -> None:
        """Forget what has gone, and start anew with what leads elsewhere."""
        for name, known in tuple(self._known.items()):
            if sources.get(name) != known.source:
                if known.asking is not None:
                    known.asking.cancel()
                del self._known[name]
                fresh = sources.get(name)
                if fresh is not None and fresh.uid == known.source.uid:
                    self._known[name] = _Known(fresh)
                    self._known[name].document = known.document
        for name, source in sources.items():
            self._known.setdefault(name, _Known(source))
        self._publish()

    async def _ask(self, known: _Known) -> None:
        source, loop = known.source, asyncio.get_running_loop()
        try:
            async with self._slots:
                self.fetches += 1
                assertion = self._vouch(source.upstream.authority)
                found = await fetch(source.upstream, source.group, source.version, known.fetched, assertion)
                if found.document is not None:
                    known.document = await asyncio.to_thread(_accepted, found, source)
            known.fetched, known.failures = Fetched(found.tag, None, found.etags), 0
            self._told(source.uid, _MERGED)
            known.due = loop.time() + self._interval
        except (BadDocument, Unfetched) as error:
            self._failed(known, error, loop.time())
        except Exception as error:
            _log.exception("an OpenAPI document cannot be worked on", extra={"fields": {"document": source.name}})
            self._failed(known, BadDocument("Unreadable", type(error).__name__), loop.time())
        finally:
            known.asking = None
        self._publish()
        self._wake.set()

    def _failed(self, known: _Known, error: BadDocument | Unfetched, now: float) -> None:
        """A document that is bad goes; one that could not be fetched this time stays."""
        if isinstance(error, BadDocument) or error.reason != "Unreachable":
            known.document, known.fetched = None, NOTHING
        known.failures += 1
        known.due = now + min(self._interval, _RETRY_SECONDS * 2 ** min(known.failures - 1, 8))
        if error.reason == "NotServed":
            self._told(known.source.uid, Verdict("Unknown", error.reason, str(error)))
            return
        self.failures += 1
        fields = {"document": known.source.name, "reason": error.reason, "message": str(error)}
        _log.warning("an OpenAPI document is left out", extra={"fields": fields})
        self._told(known.source.uid, Verdict("False", error.reason, f"its document is left out: {error}"))

    def _publish(self) -> None:
        documents = {name: known.document for name, known in self._known.items() if known.document is not None}
        documents |= self._own
        if documents != self.catalogue.documents:
            self.catalogue = Catalogue(documents, self._version, self.catalogue)


def _accepted(found: Fetched, source: Source) -> dict[str, Any]:
    return accept(found.document, f"/{source.name}", f"{source.group}/{source.version}")
