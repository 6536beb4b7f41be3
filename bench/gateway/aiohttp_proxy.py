"""A plain proxy with aiohttp on both sides: `python aiohttp_proxy.py PORT BACKEND_PORT`."""

import sys

import aiohttp
import uvloop
from aiohttp import web

_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}


async def application(backend: int) -> web.Application:
    app = web.Application()
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)

    async def handle(request: web.Request) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
        url = f"http://127.0.0.1:{backend}{request.raw_path}"
        data = request.content if request.can_read_body else None
        async with session.request(request.method, url, headers=headers, data=data) as answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            response = web.StreamResponse(status=answer.status, headers=dict(kept))
            if answer.content_length is not None:
                response.content_length = answer.content_length
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    app.router.add_route("*", "/{rest:.*}", handle)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(application(int(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
