"""What a backend sees behind us is what it sees behind nginx, except where `_DIFFERENT` says why."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.gateway_proxy.backend import Backend, Seen
from tests.gateway_proxy.client import PATIENCE, Client
from tests.gateway_proxy.rig import gateway, route, upstream

_OURS = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "host"}
"""Told by us, and by nginx only when configured to; the host is the backend's own name with both."""

_CASES: dict[str, bytes] = {
    "plain": b"GET /a/b?c=d&c=e HTTP/1.1\r\nHost: gateway\r\nAccept: */*\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n",
    "raw query": b"GET /a?x=%zz&%20&&=;?/..&a=b%2fc HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "escapes in the path": b"GET /a%20b%3Fc/%E4%BD%A0 HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "escapes that are not needed": b"GET /%61%2db HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "trailing slash": b"GET /a/ HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "absolute form": b"GET http://gateway/a?b HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "dot segments": b"GET /a/../b HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "double slash": b"GET /a//b HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "body": b"POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nabc",
    "empty body": b"POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n",
    "no body": b"POST /a HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "chunks": b"PUT /a HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"1;x\r\na\r\n2\r\nbc\r\n0\r\nT: x\r\n\r\n",
    "body of a GET": b"GET /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 3\r\n\r\nabc",
    "delete": b"DELETE /a HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "patch": b"PATCH /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 2\r\n\r\n{}",
    "head": b"HEAD /a HTTP/1.1\r\nHost: gateway\r\n\r\n",
    "HTTP/1.0": b"GET /a HTTP/1.0\r\n\r\n",
    "keep-alive": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
    "named by Connection": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n",
    "TE": b"GET /a HTTP/1.1\r\nHost: gateway\r\nTE: trailers\r\nTrailer: T\r\n\r\n",
    "unknown upgrade": b"GET /a HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "expect": b"PUT /a HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
    "underscore": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX_Remote_User: root\r\n\r\n",
    "credentials": b"GET /a HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer x\r\nCookie: a=b\r\n\r\n",
    "obs-text": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX: \xe4\xff\r\n\r\n",
    "empty value": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX-Empty:\r\n\r\n",
    "bare LF": b"GET /a HTTP/1.1\nHost: gateway\n\n",
    "space before colon": b"GET /a HTTP/1.1\r\nHost: gateway\r\nX : y\r\n\r\n",
    "two framings": b"POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /a HTTP/1.1\r\nHost: gateway\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
    "no host": b"GET /a HTTP/1.1\r\n\r\n",
}  # fmt: skip

_DIFFERENT = {
    "escapes that are not needed": "we compare, authorize and forward one canonical text; nginx forwards what came",
    "dot segments": "refused: a path that needs resolving means one thing to the policy and another to a backend",
    "double slash": "refused for the same reason",
    "chunks": "nginx reads the whole body and sends its length; we stream it",
    "named by Connection": "RFC 9110 7.6.1: it is for this connection only; nginx passes it on",
    "TE": "we accept no trailers for the backend; nginx passes TE and Trailer on",
    "credentials": "never passed on; nginx would",
    "bare LF": "refused; nginx takes it for a line end",
}
"""Cases that may differ, and why. Every other case must be equal."""


@contextlib.asynccontextmanager
async def _nginx(directory: Path, backend: int) -> AsyncIterator[int]:
    port, config = free_port(), directory / "nginx.conf"
    paths = "".join(f"{kind}_temp_path {directory};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config.write_text(
        f"daemon off; master_process off; pid {directory}/pid; events {{}} http {{ access_log off; {paths}"
        f" server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{backend};"
        ' proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host backend.test:80; } } }'
    )
    process = await asyncio.create_subprocess_exec(
        "nginx", "-c", str(config), "-e", str(directory / "error.log"), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(OSError):
                    async with await Client.connect(port):
                        break
                await asyncio.sleep(0.02)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _through(port: int, raw: bytes, backend: Backend) -> tuple[int | str, object]:
    backend.seen.clear()
    status: int | str = "closed"
    async with await Client.connect(port) as client:
        client.send(raw)
        with contextlib.suppress(asyncio.IncompleteReadError):
            answer = await client.head()
            while answer.status == 100:
                answer = await client.head()
            status = answer.status
    return status, [_picture(seen) for seen in backend.seen]


def _picture(seen: Seen) -> object:
    headers = sorted((name.lower(), value) for name, value in seen.headers if name.lower() not in _OURS)
    return seen.method, seen.target, headers, seen.body


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
async def test_forwarding(tmp_path_factory: pytest.TempPathFactory) -> None:
    backend = await Backend().start()
    to = upstream(backend.port)
    different: dict[str, object] = {}
    async with gateway([route("/", to)], [to]) as ours, _nginx(tmp_path_factory.mktemp("nginx"), backend.port) as nginx:
        for name, raw in _CASES.items():
            theirs = await _through(nginx, raw, backend)
            got = await _through(ours.port, raw, backend)
            if got != theirs:
                different[name] = {"nginx": theirs, "ours": got}
    unexplained = {name: pair for name, pair in different.items() if name not in _DIFFERENT}
    assert unexplained == {}
    assert set(_DIFFERENT) - set(different) == set(), "explained, but there is no difference"
