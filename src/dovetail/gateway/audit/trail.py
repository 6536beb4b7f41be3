"""In control: entries come from the workers, events go to the sinks.

The file's sink is there from the start or never; the webhook's comes, changes and goes with the configuration. `take`
is called with each batch of a worker and writes nothing itself: sinks have buffers and tasks of their own.
"""

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from dovetail.gateway.audit.entry import Entry
from dovetail.gateway.audit.event import EventWriter
from dovetail.gateway.audit.file_sink import FileSettings, FileSink
from dovetail.gateway.audit.policy import DEFAULT, decide
from dovetail.gateway.audit.reading import Webhook
from dovetail.gateway.audit.webhook_sink import WebhookSink
from dovetail.gateway.figures import Figure, counter
from dovetail.iam.attributes import Attributes
from dovetail.iam.policy import Identity
from dovetail.iam.rules import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED

_LOG_IN: Final = Attributes(verb="login", path="/oauth/login")


class Trail:
    """See the module."""

    def __init__(self, file: FileSettings | None) -> None:
        self._writer = EventWriter()
        self._file = FileSink(file) if file is not None else None
        self._webhook: WebhookSink | None = None
        self._settings: Webhook | None = None
        self._changed = asyncio.Event()
        self._dropped_before = self._sent_before = self._failures_before = 0
        self.events = 0
        self.policy = DEFAULT
        """For what control itself records."""

    def take(self, items: list[Any]) -> None:
        """Entries as msgpack has them."""
        self._put([self._writer.line(entry) for entry in msgspec.convert(items, list[Entry])])

    def log_in(self, user: str, address: str, problem: str) -> None:
        """A try to log in, which a worker cannot tell: the name is in the body. Nobody's mistyped name is kept."""
        who = Identity(name=user, groups=(UNAUTHENTICATED,) if problem else (AUTHENTICATED,)) if user else None
        level = decide(self.policy, who.name if who else ANONYMOUS, who.groups if who else (), _LOG_IN).level
        if level != "None":
            entry = Entry("", False, time.time(), 0.0, "LOGIN", _LOG_IN.path.encode(), 401 if problem else 200, problem,
                          who, address.encode(), b"", "", 0, 0, "Metadata")  # fmt: skip
            self._put([self._writer.line(entry)])

    def _put(self, lines: list[bytes]) -> None:
        self.events += len(lines)
        if self._file is not None:
            self._file.put(lines)
        if self._webhook is not None:
            self._webhook.put(lines)

    def send_to(self, settings: Webhook | None, token: str) -> None:
        """Use this webhook from now on, or none."""
        if settings == self._settings and self._webhook is not None:
            self._webhook.token = token
        elif settings != self._settings:
            self._settings = settings
            self._remember(self._webhook)
            self._webhook = WebhookSink(settings, token) if settings is not None else None
            self._changed.set()

    async def run(self) -> None:
        """Write and send until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._file is not None:
                group.create_task(self._file.run(), name="audit file")
            while True:
                webhook = self._webhook
                sending = group.create_task(webhook.run(), name="audit webhook") if webhook is not None else None
                await self._changed.wait()
                self._changed.clear()
                if sending is not None:
                    sending.cancel()

    def figures(self) -> Iterator[Figure]:
        """What is counted."""
        yield counter("dovetail_audit_events_total", self.events)
        if self._file is not None:
            yield counter("dovetail_audit_written_total", self._file.written, sink="file")
            yield counter("dovetail_audit_dropped_total", self._file.dropped, sink="file")
            yield counter("dovetail_audit_failures_total", self._file.failures, sink="file")
        sent, dropped, failures = self._sent_before, self._dropped_before, self._failures_before
        if (webhook := self._webhook) is not None:
            sent, dropped, failures = sent + webhook.sent, dropped + webhook.dropped, failures + webhook.failures
        yield counter("dovetail_audit_written_total", sent, sink="webhook")
        yield counter("dovetail_audit_dropped_total", dropped, sink="webhook")
        yield counter("dovetail_audit_failures_total", failures, sink="webhook")

    def _remember(self, webhook: WebhookSink | None) -> None:
        if webhook is not None:
            self._sent_before += webhook.sent
            self._dropped_before += webhook.dropped + webhook.waiting
            self._failures_before += webhook.failures
