"""gzip of large answers, as kube-apiserver does it: beyond 128 KiB, at level 1, for clients that ask.

zlib runs in a thread, so that the event loop serves others meanwhile (it lets go of the interpreter lock).
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence

from .media_types import JSON, takes_gzip
from .protobuf_replies import translates
from .transport.messages import Request
from .verbs.answer import Answer, Stream

THRESHOLD = 128 * 1024
GZIP_HEADERS = ((b"Content-Encoding", b"gzip"), (b"Vary", b"Accept-Encoding"))
_LEVEL, _GZIP = 1, 31


def wants_gzip(request: Request, answer: Answer | Stream) -> bool:
    """Streams of JSON are lists of many objects: large by nature; others (logs) must not wait in the compressor. What
    is put into protobuf on its way out stays plain.
    """
    if isinstance(answer, Stream) and answer.content_type != JSON:
        return False
    if isinstance(answer, Answer) and (
        sum(map(len, answer.pieces)) < THRESHOLD
        or any(name.lower() == b"content-encoding" for name, _ in answer.headers)
    ):
        return False
    if translates(request.header(b"accept"), answer.content_type):
        return False
    return takes_gzip(request.header(b"accept-encoding").decode("latin-1"))


async def compressed(pieces: Sequence[bytes]) -> bytes:
    def work() -> bytes:
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        return b"".join([*map(packer.compress, pieces), packer.flush()])

    return await asyncio.to_thread(work)


async def compressed_chunks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    async for chunk in chunks:
        yield await asyncio.to_thread(packer.compress, chunk)
    yield packer.flush()
