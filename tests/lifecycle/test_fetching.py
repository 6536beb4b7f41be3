"""Files from servers that are down, slow, lying or hostile: whole, or a sentence that says what is wrong."""

import asyncio
import contextlib
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from dovetail.lifecycle.fetching import Fetcher, FetchFailed, Origin

Serve = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@contextlib.asynccontextmanager
async def server(serve: Serve) -> AsyncIterator[str]:
    """A server that does with each request's head what it is told."""

    running: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(await reader.readuntil(b"\r\n\r\n"), writer)
                await writer.drain()
        finally:
            running.discard(task)
            if task.cancelling():
                writer.transport.abort()
            else:
                writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        left = list(running)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def saying(answer: bytes) -> Serve:
    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return serve


async def endless(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def dripping(head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK + b"Content-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


BOMB = gzip.compress(b"\0" * (64 << 20))
FAULTS: dict[str, tuple[Serve, str]] = {
    "truncated": (saying(OK + b"Content-Length: 100\r\n\r\nshort"), "Payload"),
    "truncated chunks": (saying(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "Payload"),
    "hangs up": (saying(b""), "Disconnected"),
    "no http": (saying(b"\0\1\2 nonsense\r\n\r\n"), "BadStatusLine|ClientResponseError"),
    "an error": (saying(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), "503"),
    "endless": (endless, "larger than"),
    "dripping": (dripping, "no complete answer within"),
    "half of a gzip": (
        saying(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"entries: {}" * 99)[:-12]),
        "in the middle",
    ),
    "no gzip": (saying(OK + b"Content-Encoding: gzip\r\n\r\nplain"), "incorrect header"),
    "a bomb": (saying(OK + b"Content-Encoding: gzip\r\n\r\n" + BOMB), "larger than"),
    "brotli": (saying(OK + b"Content-Encoding: br\r\n\r\nx"), "not asked for"),
    "a loop": (saying(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"), "more than 5 times"),
    "a file": (saying(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"), "file:"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_are_told_and_bounded(fault: str) -> None:
    serve, words = FAULTS[fault]
    async with server(serve) as url, Fetcher() as fetcher:
        patience = 1 if fault == "dripping" else 25
        with pytest.raises(FetchFailed, match=words):
            await fetcher.revalidate(f"{url}/index.yaml", Origin(url), "", limit=1 << 20, timeout=patience)


async def test_a_server_that_is_down() -> None:
    async with server(saying(b"")) as url:
        pass
    async with Fetcher() as fetcher:
        with pytest.raises(FetchFailed, match="Connect"):
            await fetcher.get(url, Origin(url), limit=9, timeout=5)


async def test_an_archive_is_taken_as_it_lies_there() -> None:
    archive = gzip.compress(b"x" * 1000)
    async with server(saying(OK + b"Content-Encoding: gzip\r\n\r\n" + archive)) as url, Fetcher() as fetcher:
        assert await fetcher.get(url, Origin(url), limit=1 << 20, timeout=5) == archive
        body = await fetcher.revalidate(url, Origin(url), "", limit=1 << 20, timeout=5)
        assert body.data == zlib.decompress(archive, 31)


async def test_what_is_unchanged_is_not_sent_again() -> None:
    heads: list[bytes] = []

    async def serve(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        if b'If-None-Match: "one"' in head:
            writer.write(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n")
        else:
            writer.write(OK + b'ETag: "one"\r\nContent-Length: 2\r\n\r\nok')

    async with server(serve) as url, Fetcher() as fetcher:
        first = await fetcher.revalidate(url, Origin(url), "", limit=9, timeout=5)
        assert (first.data, first.stamp) == (b"ok", '"one"')
        assert (await fetcher.revalidate(url, Origin(url), first.stamp, limit=9, timeout=5)).data is None


async def test_a_password_does_not_follow_a_redirect() -> None:
    heads: list[bytes] = []

    async def elsewhere(head: bytes, writer: asyncio.StreamWriter) -> None:
        heads.append(head)
        writer.write(OK + b"Content-Length: 2\r\n\r\nok")

    async with server(elsewhere) as other:
        moved = f"HTTP/1.1 302 Found\r\nLocation: {other}/x\r\nContent-Length: 0\r\n\r\n".encode()
        async with server(saying(moved)) as url, Fetcher() as fetcher:
            assert await fetcher.get(url, Origin(url, "ada", "s3cret"), limit=9, timeout=5) == b"ok"
    assert [b"authorization" in head.lower() for head in heads] == [False]
    assert "s3cret" not in repr(Origin("http://x", "ada", "s3cret"))
