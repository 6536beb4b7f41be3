"""The same Caddyfile, run by Debian's Caddy and imported into the gateway: what backend and client see is the same,
except where `_DIFFERENT` says why. Paths, rewrites and header operations."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dovetail.gateway.caddyfile import import_caddyfile
from tests.conftest import free_port
from tests.gateway_proxy.applied import apply, serving
from tests.gateway_proxy.backend import Backend, answer
from tests.gateway_proxy.client import PATIENCE, Client
from tests.gateway_proxy.rig import ADMIN, Gateway, bearer

_PATHS = (
    "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/ab", "/A/b", "/a/B", "/a/b.js", "/a/x/b.js", "/a/%62", "/a/b%20c",
    "/a/b%2Fc", "/a/b?x=1&y=2", "/a/b?y=2&x=1&&z", "/a/b?x=%2F%zz", "/a/../b", "/a//b", "/a/%C3%A9", "/b", "/b/a", "/",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """Directives of a site; `B` is the backend. Requests are paths, or `METHOD path | Header: value`."""

    text: str
    requests: tuple[str, ...] = _PATHS


def inside(*lines: str, path: str = "/a/*") -> str:
    return f"handle {path} {{\n" + "\n".join(lines) + "\nreverse_proxy B\n}"


_HEADS = ("/a/x", "/a/x | T-One: 1 | T-One: 2 | T-Old-A: a | T-Old-B: b | T-Older: c | T-Url: http://in/x?y")
_CASES = {
    "prefix": Case("reverse_proxy /a/* B"),
    "exact": Case("reverse_proxy /a/b B"),
    "exact and prefix": Case("reverse_proxy /a/b B {\n header_up T-To exact\n}\n"
                             "reverse_proxy /a/* B {\n header_up T-To prefix\n}"),
    "longest prefix": Case("reverse_proxy /a/b/* B {\n header_up T-To long\n}\n"
                           "reverse_proxy /a/* B {\n header_up T-To short\n}"),
    "glob in a path": Case("@m path /a/*.js /b/*\nreverse_proxy @m B"),
    "method": Case("@m {\n path /a/*\n method POST\n}\nreverse_proxy @m B", ("/a/b", "POST /a/b", "PUT /a/b")),
    "handle": Case(inside()),
    "handle_path": Case("handle_path /a/* {\nreverse_proxy B\n}"),
    "strip_prefix": Case(inside("uri strip_prefix /a")),
    "strip_prefix of more": Case(inside("uri strip_prefix /a/b"), (*_PATHS, "/a/bc", "/a/b/../c")),
    "strip_suffix": Case(inside("uri strip_suffix .js"), ("/a/b.js", "/a/b.jsx", "/a/b.js?x.js", "/a/.js")),
    "strip_suffix of a segment": Case(inside("uri strip_suffix /edit"), ("/a/edit", "/a/b/edit", "/a/credit", "/a/x")),
    "replace": Case(inside("uri replace a c"), ("/a/a", "/a/b?a=a", "/a/%61")),
    "path_regexp": Case(inside("uri path_regexp ^/a/v([0-9]+)/(.*)$ /$2/v$1"), ("/a/v2/x/y?q", "/a/v/x", "/a/b")),
    "path_regexp everywhere": Case(inside("uri path_regexp [0-9]+ N"), ("/a/1/22/x3?4", "/a/b")),
    "rewrite": Case(inside("rewrite * /new{path}"), ("/a/b", "/a/b?x=1", "/a/%C3%A9", "/a/b%20c")),
    "rewrite with uri": Case(inside("rewrite * /new{uri}"), ("/a/b", "/a/b?x=1&y", "/a/%C3%A9")),
    "rewrite to a fixed path": Case(inside("rewrite * /fixed"), ("/a/b", "/a/b?x=1")),
    "rewrite with a query": Case(inside("rewrite * /q?p=1&{query}"), ("/a/b", "/a/b?x=1", "/a/b?x=%20&&")),
    "rewrite the query only": Case(inside("rewrite * ?p=1"), ("/a/b", "/a/b?x=1")),
    "rewrite without the query": Case(inside("rewrite * {path}?"), ("/a/b", "/a/b?x=1")),
    "rewrite file and directory": Case(inside("rewrite * {dir}min/{file}"), ("/a/b.js", "/a/b/", "/a/b/c.d.js")),
    "rewrite parts": Case(inside("rewrite * /{http.request.uri.path.1}/{http.request.uri.path.0}"), ("/a/b", "/a/b/c")),
    "rewrite a parameter": Case(inside("rewrite * /x?v={query.v}"), ("/a/b?v=1&w=2", "/a/b?w=2", "/a/b?v=a%20b")),
    "rewrite some paths": Case(inside("rewrite /a/x/* /y{path}"), ("/a/x/1", "/a/x", "/a/z/1", "/a/X/1")),
    "rewrite an exact path": Case(inside("rewrite /a/x /y"), ("/a/x", "/a/x/", "/a/x/1")),
    "rewrite after handle_path": Case(
        "handle_path /a/* {\nrewrite * /new{path}\nreverse_proxy B\n}", ("/a/b", "/a/b?c")
    ),
    "method directive": Case(inside("method PUT"), ("/a/b", "POST /a/b")),
    "header_up set": Case("reverse_proxy /a/* B {\n header_up T-One new\n}", _HEADS),
    "header_up add": Case("reverse_proxy /a/* B {\n header_up +T-One new\n}", _HEADS),
    "header_up delete": Case("reverse_proxy /a/* B {\n header_up -T-One\n}", _HEADS),
    "header_up delete by prefix": Case("reverse_proxy /a/* B {\n header_up -T-Old-*\n}", _HEADS),
    "header_up replace": Case(
        'reverse_proxy /a/* B {\n header_up T-Url "^http://[^/]*/(.*)$" "https://out/$1"\n}', _HEADS
    ),
    "header_up replace everywhere": Case("reverse_proxy /a/* B {\n header_up T-Url [a-z]+ w\n}", _HEADS),
    "header_down": Case("reverse_proxy /a/* B {\n header_down T-Down new\n header_down -T-Gone\n"
                        ' header_down +T-Two more\n header_down T-At "^http://in:80" "/p"\n}', _HEADS),
    "header": Case(inside("header T-Down new", "header -T-Gone", "header +T-Two more"), _HEADS),
    "header block": Case(inside("header {\n T-Down new\n -T-Gone\n +T-Two more\n}"), _HEADS),
    "request_header": Case(
        inside("request_header T-One new", "request_header -T-Older", "request_header +T-New 1"), _HEADS
    ),
}  # fmt: skip

_DIFFERENT = {
    "*: /a/../b": "refused: a path that needs resolving means one thing to the policy and another to a backend",
    "*: /a/b/../c": "refused for the same reason; Caddy matches the resolved path, and forwards the unresolved one",
    "*: /a//b": "refused for the same reason; Caddy matches and forwards it as it is",
    "*: /a/b%2Fc": "refused: an encoded slash is a segment's border to some",
    "*: /a": "a prefix takes the path in front of its star, too: /a/* is /a and all below it",
    "*: /b": "the same",
    "longest prefix: /a/b*": "the same",
    "glob in a path: /a/x/b.js": "a star in a ReverseProxy's path takes slashes, too; the import says so",
    "*: /A/b": "case counts: what is authorized is what is matched",
    "*: /a/B": "case counts",
    "*: /a/%62": "we match, authorize and forward one spelling of a path; Caddy forwards the client's",
    "replace: /a/%61": "the same: what is replaced is the one spelling",
    "strip_prefix of more: /a/b.js": "a prefix ends at a segment border; Caddy would send a path without a slash",
    "strip_prefix of more: /a/bc": "the same",
    "strip_prefix of more: /a/b%20c": "the same",
    "rewrite a parameter: /a/b?v=a%20b": "a parameter's value is taken as it came; Caddy decodes and encodes it again",
    "header: *": "the answer is edited as it goes out; Caddy sets these headers first and adds the backend's to them",
}
"""By `case: request` (`*` for any), why they differ. Everything else must be equal."""


async def _answer(seen, reader, writer) -> None:
    writer.write(answer(b"ok", "200 OK", "T-Down: old", "T-Gone: 1", "T-Two: one", "T-At: http://in:80/there"))


def _picture(status: int, headers: list[tuple[str, str]], backend: Backend) -> object:
    if not backend.seen:
        return status
    (seen,) = backend.seen
    up = [(name.lower(), value) for name, value in seen.headers if name.lower().startswith("t-")]
    down = [(name.lower(), value) for name, value in headers if name.lower().startswith("t-")]
    return seen.method, seen.target, sorted(up), sorted(down)


async def _ask(port: int, host: str, request: str, backend: Backend) -> object:
    backend.seen.clear()
    line, *headers = request.split(" | ")
    method, _, target = line.rpartition(" ")
    head = [f"{method or 'GET'} {target} HTTP/1.1", f"Host: {host}", bearer(ADMIN), *headers, "Content-Length: 0"]
    async with await Client.connect(port) as client:
        client.send("\r\n".join(head).encode() + b"\r\n\r\n")
        got = await client.head()
    return _picture(got.status, got.headers, backend)


@contextlib.asynccontextmanager
async def _caddy(directory: Path, backend: int) -> AsyncIterator[int]:
    port, config = free_port(), directory / "Caddyfile"
    sites = [
        f"http://c{number}.test:{port} {{\nbind 127.0.0.1\n{_site(case, backend)}\n}}"
        for number, case in enumerate(_CASES.values())
    ]
    config.write_text("{\nadmin off\nauto_https off\n}\n" + "\n".join(sites))
    with (directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "caddy", "run", "--config", str(config), "--adapter", "caddyfile",
            stdout=asyncio.subprocess.DEVNULL, stderr=log,
            env={"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)},
        )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                assert process.returncode is None, (directory / "log").read_text()
                with contextlib.suppress(OSError):
                    async with await Client.connect(port):
                        break
                await asyncio.sleep(0.02)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        await asyncio.sleep(0)


def _site(case: Case, backend: int) -> str:
    """The directives, in the order of the text, with a 404 for what they do not take."""
    text = case.text.replace(" B", f" 127.0.0.1:{backend}")
    if text.startswith("handle"):
        return text + "\nhandle {\nrespond 404\n}"
    return f"route {{\n{text}\nrespond 404\n}}"


async def _compare(running: Gateway, caddy: int, backend: Backend) -> dict[str, object]:
    different: dict[str, object] = {}
    for number, (name, case) in enumerate(_CASES.items()):
        imported = import_caddyfile(f"site {{\n{_site(case, backend.port)}\n}}")
        left_out = [
            str(note)
            for note in imported.notes
            if note.directive not in ("site", "respond 404") and note.effect == "left out"
        ]
        assert left_out == [], name
        await apply(running, imported.objects, backend)
        for request in case.requests:
            theirs = await _ask(caddy, f"c{number}.test", request, backend)
            ours = await _ask(running.port, f"c{number}.test", request, backend)
            if ours != theirs:
                different[f"{name}: {request}"] = {"caddy": theirs, "ours": ours}
    return different


@pytest.mark.skipif(not shutil.which("caddy"), reason="caddy is not installed: scripts/prepare_machine.sh does it")
async def test_a_caddyfile_means_the_same(tmp_path: Path) -> None:
    backend = await Backend(_answer).start()
    async with serving([], backend) as running, _caddy(tmp_path, backend.port) as caddy:
        different = await _compare(running, caddy, backend)
    unexplained = {
        name: pair for name, pair in different.items() if not any(explained(name, why) for why in _DIFFERENT)
    }
    assert unexplained == {}
    unused = [why for why in _DIFFERENT if not any(explained(name, why) for name in different)]
    assert unused == [], "explained, but there is no difference"


async def test_what_cannot_be_put_in_order_is_told() -> None:
    """The gateway strips before it rewrites; Caddy rewrites first."""
    imported = import_caddyfile("h {\nhandle /a/* {\nrewrite * /x{path}\nuri strip_prefix /x\nreverse_proxy b\n}\n}")
    assert [note.line for note in imported.notes if note.directive == "uri strip_prefix /x"] == [4]


def explained(name: str, pattern: str) -> bool:
    """`*` at the start or the end only; all else is literal, brackets and question marks, too."""
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
