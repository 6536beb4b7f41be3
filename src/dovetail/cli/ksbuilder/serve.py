"""`ksbuilder serve`: a directory of packages as a Helm repository over HTTP.

    GET  /index.yaml, /charts/NAME-VERSION.tgz, /NAME-VERSION.tgz, each with .prov; HEAD of the same; /health
    POST /api/charts        an upload, if it is allowed: the archive as the body, or the form fields `chart` and `prov`

The index is made from the files for every request that finds them changed, so nothing has to be told when a file is put
there by hand. Uploads need a password unless the server is for this machine alone.
"""

import asyncio
import errno
import hmac
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Final

import click
from aiohttp import web

from dovetail.cli.errors import CommandError, PortTaken
from dovetail.cli.ksbuilder.credentials import basic
from dovetail.cli.ksbuilder.errors import UnsafeServe, UnusableAddress
from dovetail.cli.ksbuilder.place_directory import INDEX, DirectoryPlace, write_index
from dovetail.cli.ksbuilder.places import Parcel
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.package import read_package

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_TYPES: Final = {".yaml": "application/x-yaml", ".tgz": "application/gzip", ".prov": "text/plain"}


@click.command(short_help="Serve a directory as a Helm repository.")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8879, show_default=True, help="0 takes a free port.")
@click.option("--uploads", is_flag=True, help="Take packages from `ksbuilder push`.")
@click.option(
    "--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="USER:PASSWORD, which uploads must give.",
)  # fmt: skip
@output_option
def serve(directory: Path, host: str, port: int, uploads: bool, password_file: Path | None, output: str) -> None:
    """Serve the packages in DIRECTORY as a Helm repository until Ctrl-C."""
    password = _password(password_file) if password_file else ""
    if uploads and not password and host not in _LOOPBACK:
        raise UnsafeServe(host)
    directory.mkdir(parents=True, exist_ok=True)
    asyncio.run(_serve(make_app(directory, uploads=uploads, password=password), host, port, output))


def _password(file: Path) -> str:
    """USER:PASSWORD. Raises UsageError."""
    text = file.read_text("utf-8", "replace").strip()
    if not all(text.partition(":")):
        raise click.UsageError(f"{file} does not hold USER:PASSWORD.")
    return text


async def _serve(app: web.Application, host: str, port: int, output: str) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise (PortTaken(host, port, "--port") if taken else UnusableAddress(host, error)) from error
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"http://{shown}:{address[1]}"
        if output == "json":
            print_json({"url": url})
        else:
            click.echo(f"serving {url}")
        sys.stdout.flush()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def make_app(directory: Path, *, uploads: bool = False, password: str = "") -> web.Application:
    """The server of a directory."""
    server = _Server(directory, password)
    app = web.Application(client_max_size=MAX_ARCHIVE + (2 << 20))
    app.router.add_get("/health", server.health)
    app.router.add_get("/index.yaml", server.index)
    app.router.add_get("/charts/{file}", server.file)
    app.router.add_get("/{file}", server.file)
    if uploads:
        app.router.add_post("/api/charts", server.upload)
    return app


class _Server:
    def __init__(self, directory: Path, password: str) -> None:
        self._directory, self._password = directory, password
        self._seen: tuple[tuple[str, int, int], ...] | None = None
        self._lock = asyncio.Lock()

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"healthy": True})

    async def index(self, request: web.Request) -> web.Response:
        try:
            async with self._lock:
                await asyncio.to_thread(self._refresh)
                data = (self._directory / INDEX).read_bytes()
        except (CommandError, OSError) as error:
            click.secho(str(error), fg="red", err=True)
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return web.Response(body=data, content_type=_TYPES[".yaml"], headers={"Cache-Control": "no-cache"})

    def _refresh(self) -> None:
        """Write the index if other packages are there than the last time."""
        stats = sorted((path.name, path.stat()) for path in self._directory.glob("*.tgz"))
        seen = tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)
        if seen != self._seen or not (self._directory / INDEX).exists():
            write_index(self._directory)
            self._seen = seen

    async def file(self, request: web.Request) -> web.StreamResponse:
        path = self._directory / request.match_info["file"]
        if path.suffix not in (".tgz", ".prov") or path.parent != self._directory or not path.is_file():
            raise web.HTTPNotFound(text="there is no such package\n")
        return web.FileResponse(path, headers={"Content-Type": _TYPES[path.suffix]})

    async def upload(self, request: web.Request) -> web.Response:
        if not self._may_upload(request.headers.get("Authorization", "")):
            headers = {"WWW-Authenticate": 'Basic realm="ksbuilder"'}
            return _error(HTTPStatus.UNAUTHORIZED, "uploads need a user name and a password", headers)
        if not self._password and "Origin" in request.headers:
            return _error(HTTPStatus.FORBIDDEN, "a page in a browser uploads nothing without a password")
        try:
            parcel = await _received(request)
            package = await asyncio.to_thread(read_package, parcel.data)
        except PackagingError as error:
            return _error(HTTPStatus.BAD_REQUEST, str(error))
        name = f"{package.name}-{package.version}.tgz"
        async with self._lock:
            known = self._directory / name
            if known.exists() and known.read_bytes() != parcel.data and "force" not in request.query:
                return _error(HTTPStatus.CONFLICT, f"{name} is there already, with other contents")
            try:
                await DirectoryPlace(self._directory).put(package, parcel)
            except CommandError as error:
                return _error(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        return web.json_response({"saved": True}, status=HTTPStatus.CREATED)

    def _may_upload(self, header: str) -> bool:
        if not self._password:
            return True
        login, _, password = self._password.partition(":")
        return hmac.compare_digest(header.encode(), basic(login, password).encode())


async def _received(request: web.Request) -> Parcel:
    if not request.content_type.startswith("multipart/"):
        return Parcel(await request.read())
    parts: dict[str, bytes] = {"chart": b"", "prov": b""}
    for name, field in (await request.post()).items():
        if name in parts:
            parts[name] = field.file.read() if isinstance(field, web.FileField) else str(field).encode()
    return Parcel(parts["chart"], parts["prov"])


def _error(status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response({"error": message}, status=status, headers=headers)
