"""The page's own files, as the build left them: plain, .gz and .br twins, names with a hash that may be kept for ever.

Paths come from the network: only names made of letters, digits, dots, dashes and underscores are looked for, none that
starts with a dot, so no path can leave the folder.
"""

import asyncio
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from dovetail.console.answers import IMMUTABLE, NO_CACHE, encoded, failure
from dovetail.console.encodings import choose
from dovetail.console.security import API_PAGE_POLICY, SECURITY_HEADERS

INDEX: Final = "index.html"
_SEGMENT: Final = r"[A-Za-z0-9_-][A-Za-z0-9._-]*"
_PATH: Final = re.compile(rf"/({_SEGMENT}(?:/{_SEGMENT})*)")
_HASHED: Final = "/assets/"
_API_PAGE: Final = "swagger-ui/"
"""The page of the OpenAPI documents; everything it needs lies in its folder."""
_TWINS: Final = {"br": ".br", "gzip": ".gz"}

NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Dovetail: the page is not built</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:36rem;margin:18vh auto;padding:0 1rem}code{background:#8882;padding:.1em .3em}</style>
<h1>The console's page is not built</h1><p>The server runs, and so do all APIs, but this installation has no web page in it.</p>
<p>In a checkout run <code>make web</code>, then reload. Until then kubectl does everything that the page would.</p></html>"""  # noqa: E501


_PAGES: Final = frozenset({"/", "/login", "/dashboard", "/extensions", "/diagnostics"})
_NOT_PAGES: Final = frozenset({"api", "apis", "kapis", "oauth", "proxy", "openapi", "assets", ".well-known"})


def wants_page(path: str, headers: Mapping[str, str]) -> bool:
    """Whether a path without a file is a place in the page, or an API or a proxied path that is not there.

    Extensions bring paths of their own, so the path does not tell. A browser says that it opens a document; other
    clients say that they take HTML. A script that asks for data must get an error, not a page.
    """
    if path in _PAGES:
        return True
    if path.split("/")[1:2] and path.split("/")[1] in _NOT_PAGES:
        return False
    purpose = headers.get("sec-fetch-dest", "")
    return purpose == "document" if purpose else "text/html" in headers.get("accept", "")


def file_name(path: str) -> str | None:
    """The file, relative to the folder, that a URL path may name; None for anything else."""
    if path.rstrip("/") == f"/{_API_PAGE}".rstrip("/"):
        return _API_PAGE + INDEX
    match = _PATH.fullmatch(path)
    if match is None or path.endswith(tuple(_TWINS.values())):
        return None
    return match.group(1)


class StaticSite:
    """The files below a folder. Nothing is kept in memory; the operating system's cache does that better."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def answer(self, request: Request, path: str) -> Response:
        """The file, else the page where one may be meant (it has routes of its own), else what is wrong."""
        name = file_name(path)
        found = await asyncio.to_thread(self._find, name, request.headers.get("accept-encoding", ""))
        if found is not None and name is not None:
            return self._send(request, name, found)
        if path.startswith(_HASHED):
            return failure(404, "NotFound", "There is no such file. Reload the page to get the present build.")
        if not wants_page(path, request.headers):
            return failure(404, "NotFound", f"Nothing is served at {path}. Is its extension installed and enabled?")
        page = await asyncio.to_thread(self._find, INDEX, request.headers.get("accept-encoding", ""))
        if page is None:
            headers = {**SECURITY_HEADERS, "cache-control": "no-store"}
            return Response(NOT_BUILT, 503, headers, "text/html; charset=utf-8")
        return self._send(request, INDEX, page)

    def _find(self, name: str | None, accept: str) -> tuple[dict[str, bytes], str] | None:
        """The chosen encoding's bytes and an entity tag from the plain file's size and time."""
        if name is None:
            return None
        plain = self._folder / name
        try:
            stat = plain.stat()
            ready = [coding for coding, suffix in _TWINS.items() if plain.with_name(plain.name + suffix).is_file()]
            coding = choose(accept, ready)
            content = plain.with_name(plain.name + _TWINS[coding] if coding else plain.name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        tag = hashlib.sha256(f"{name}:{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()[:24]
        return ({coding: content, "": content} if not coding else {coding: content, "": b""}), f'"{tag}"'

    def _send(self, request: Request, name: str, found: tuple[dict[str, bytes], str]) -> Response:
        bodies, etag = found
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        response = encoded(request, bodies, media_type, etag, IMMUTABLE if f"/{name}".startswith(_HASHED) else NO_CACHE)
        response.headers["vary"] = "accept-encoding"
        if name.startswith(_API_PAGE):
            response.headers["content-security-policy"] = API_PAGE_POLICY
        return response
