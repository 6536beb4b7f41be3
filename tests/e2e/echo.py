"""A backend that tells what reached it: `python -m tests.e2e.echo HOST [CERT KEY]` prints its port and serves on.

Any request is answered with JSON: method, path with query, headers (a list of pairs), body. A WebSocket gets the same
as its first message, then its own messages back, each in its kind; "close" ends it with code 4001.
"""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import WSMsgType, web

from tests.e2e.certificates import Certificate
from tests.e2e.demo.platform import ROOT


async def answer(request: web.Request) -> web.StreamResponse:
    facts = {
        "method": request.method,
        "path": request.raw_path,
        "headers": [[name.lower(), value] for name, value in request.headers.items()],
    }
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return await converse(request, facts)
    body = await request.read()
    return web.json_response({**facts, "body": body.decode(errors="replace")}, headers={"X-Echo": "yes"})


async def converse(request: web.Request, facts: dict[str, object]) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("echo.example.org",), max_msg_size=64 << 20)
    await socket.prepare(request)
    await socket.send_str(json.dumps(facts))
    async for message in socket:
        if message.type is WSMsgType.TEXT and message.data == "close":
            await socket.close(code=4001, message=b"as asked")
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


async def serve(host: str, context: ssl.SSLContext | None) -> None:
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=context)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def echo(certificate: Certificate | None = None, host: str = "127.0.0.1") -> Iterator[str]:
    """Run it in a process of its own; its address."""
    command = [sys.executable, "-m", "tests.e2e.echo", host]
    if certificate is not None:
        command += [str(certificate.chain), str(certificate.key)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the echo backend did not start"
        yield f"{'https' if certificate else 'http'}://{host}:{port}"
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    context = None
    if len(sys.argv) == 4:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    asyncio.run(serve(sys.argv[1], context))


if __name__ == "__main__":
    main()
