"""Sends events to a webhook: an EventList of audit.k8s.io/v1 in each POST, as kube-apiserver's webhook backend does.

Events wait in a bounded buffer; what does not fit is dropped and counted. A batch that the other side does not take is
sent again after a pause that grows, unless it says that it will never take it (a 4xx other than 401, 403, 408, 429):
then the batch is dropped, so that one bad event does not stop all others.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Final

import aiohttp

from dovetail.gateway.audit.reading import Webhook
from dovetail.kube import Backoff, BackoffPolicy

_HEAD: Final = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
_MOST_BYTES: Final = 4 << 20
"""In one POST."""
_BUFFER: Final = 64 << 20
_PATIENCE: Final = BackoffPolicy(initial=0.2, maximum=30.0)
_TRY_AGAIN: Final = frozenset((401, 403, 408, 429))

_log = logging.getLogger(__name__)


class Refused(Exception):
    """The webhook did not take a batch. `final`: and never will."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered {status}")
        self.final = 300 <= status < 500 and status not in _TRY_AGAIN


class WebhookSink:
    """See the module. `run` sends until cancelled."""

    def __init__(self, webhook: Webhook, token: str = "") -> None:
        self._webhook = webhook
        self.token = token
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self.sent = self.dropped = self.failures = 0

    def put(self, lines: Iterable[bytes]) -> None:
        """Send these soon."""
        for line in lines:
            if len(self._waiting) >= self._webhook.max_buffered or self._bytes >= _BUFFER:
                self.dropped += 1
            else:
                self._waiting.append(line)
                self._bytes += len(line)
        self._wake.set()
        if len(self._waiting) >= self._webhook.max_batch:
            self._full.set()

    @property
    def waiting(self) -> int:
        """Events that have not been sent."""
        return len(self._waiting)

    async def run(self) -> None:
        """Send what is put."""
        timeout = aiohttp.ClientTimeout(total=self._webhook.timeout)
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cadata=self._webhook.ca_bundle or None))
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=False) as session:
            while True:
                await self._wake.wait()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._webhook.max_wait):
                        await self._full.wait()
                self._wake.clear()
                self._full.clear()
                while self._waiting:
                    await self._deliver(session, self._batch())

    def _batch(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._waiting and len(batch) < self._webhook.max_batch and size < _MOST_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1])
        self._bytes -= size
        return batch

    async def _deliver(self, session: aiohttp.ClientSession, batch: list[bytes]) -> None:
        """Until it is taken or refused for good; meanwhile the buffer fills."""
        backoff = Backoff(_PATIENCE)
        body = _HEAD + b",".join(batch) + b"]}"
        while True:
            try:
                await self._post(session, body)
            except (aiohttp.ClientError, OSError, TimeoutError, Refused) as error:
                self.failures += 1
                _log.warning("the audit webhook failed", extra={"fields": {"reason": str(error) or repr(error)}})
                if isinstance(error, Refused) and error.final:
                    self.dropped += len(batch)
                    return
                await asyncio.sleep(backoff.next())
            else:
                self.sent += len(batch)
                return

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "dovetail-audit"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with session.post(self._webhook.url, data=body, headers=headers, allow_redirects=False) as answer:
            if not 200 <= answer.status < 300:
                raise Refused(answer.status)
