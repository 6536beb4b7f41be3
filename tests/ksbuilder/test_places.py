"""push, pull, index, serve, list, get, login and logout: a directory, a served repository, a real registry."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import yaml

from dovetail.cli.ksbuilder.credentials import Login, basic
from dovetail.cli.ksbuilder.oci import Registry
from dovetail.packaging.registry.references import Reference
from tests.e2e.demo.platform import free_port

from .command import SAMPLES, inline, ksbuilder, refusal, refused, value
from .registries import needs_registry, registry

GREETER, NEWER = SAMPLES / "greeter", SAMPLES / "greeter-0.2.0"


@contextmanager
def served(directory: Path, *options: str) -> Iterator[str]:
    """A running `ksbuilder serve`; its address."""
    command = [sys.executable, "-m", "dovetail.cli.ksbuilder", "serve", str(directory), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of this process; its host and port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def comes_and_goes(place: str, tmp_path: Path) -> None:
    """Both versions go into a place and come out as they were; the newest is the default."""
    package = value("package", GREETER, cwd=tmp_path)
    for source in (GREETER, NEWER):
        assert "pushed greeter" in inline("push", source, place, cwd=tmp_path)
    listed = value("list", place, "--all", cwd=tmp_path)
    assert [(one["name"], one["version"]) for one in listed] == [("greeter", "0.2.0"), ("greeter", "0.1.0")]
    assert [one["version"] for one in value("list", place, cwd=tmp_path)] == ["0.2.0"]
    assert [one["version"] for one in value("get", "greeter", place, cwd=tmp_path)["versions"]] == ["0.2.0", "0.1.0"]
    out = tmp_path / "out"
    assert value("pull", "greeter", place, "-d", out, cwd=tmp_path)["version"] == "0.2.0"
    pulled = value("pull", "greeter", place, "--version", "0.1.0", "-d", out, cwd=tmp_path)
    assert pulled["digest"] == package["digest"]
    assert (out / "greeter-0.1.0.tgz").read_bytes() == (tmp_path / "greeter-0.1.0.tgz").read_bytes()
    sentence = refusal("pull", "greeter", place, "--version", "9.9.9", cwd=tmp_path)
    assert sentence.startswith(f"greeter 9.9.9 is not in {place}. It has 0.2.0, 0.1.0")


def test_a_directory(tmp_path: Path) -> None:
    comes_and_goes(str(tmp_path / "charts"), tmp_path)
    index = yaml.safe_load((tmp_path / "charts/index.yaml").read_text())
    assert [one["version"] for one in index["entries"]["greeter"]] == ["0.2.0", "0.1.0"]


def test_a_served_repository(tmp_path: Path) -> None:
    with served(tmp_path / "charts", "--uploads") as url:
        comes_and_goes(url, tmp_path)


@needs_registry
def test_a_registry(tmp_path: Path) -> None:
    with registry(tmp_path) as host:
        comes_and_goes(f"oci://{host}/team/extensions", tmp_path)
        address = f"oci://{host}/team/extensions/greeter"
        assert value("pull", f"{address}:0.1.0", "-d", "by-tag", cwd=tmp_path)["version"] == "0.1.0"
        assert value("pull", address, "-d", "newest", cwd=tmp_path)["version"] == "0.2.0"
        assert "there is no such thing" in refusal("pull", f"{address}:7.0.0", cwd=tmp_path)


@needs_registry
def test_pushing_twice_gives_the_same_manifest(tmp_path: Path) -> None:
    with registry(tmp_path) as host:
        first, second = (value("push", GREETER, f"oci://{host}/x", cwd=tmp_path) for _ in range(2))
        assert first == second
        assert "@sha256:" in first["place"]


@needs_registry
def test_a_registry_that_asks_who_that_is(tmp_path: Path) -> None:
    with registry(tmp_path, user="ada", password="s3cret") as host:
        place = f"oci://{host}/x"
        assert "log in with `ksbuilder login`" in refusal("push", GREETER, place, cwd=tmp_path)
        assert "log in" in refused(logs_in(host, "ada", "wrong", tmp_path))
        assert logs_in(host, "ada", "s3cret", tmp_path).stdout == "Login Succeeded\n"
        store = tmp_path / ".config/dovetail/credentials.json"
        assert stat.S_IMODE(store.stat().st_mode) == 0o600
        assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700
        inline("push", GREETER, place, cwd=tmp_path)
        assert value("list", place, cwd=tmp_path)[0]["name"] == "greeter"
        store.chmod(0o644)
        assert "others can read it" in refusal("list", place, cwd=tmp_path)
        store.chmod(0o600)
        assert inline("logout", host, cwd=tmp_path) == "Logout Succeeded\n"
        assert "log in" in refusal("list", place, cwd=tmp_path)
        assert "There is no login" in refusal("logout", host, cwd=tmp_path)


def logs_in(host: str, user: str, password: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Log in as scripts do."""
    command = [sys.executable, "-m", "dovetail.cli.ksbuilder", "login", host, "-u", user, "--password-stdin"]
    environment = {**os.environ, "HOME": str(cwd)}
    environment.pop("XDG_CONFIG_HOME", None)
    return subprocess.run(
        command, input=password, cwd=cwd, env=environment, capture_output=True, text=True, timeout=50
    )  # fmt: skip


def test_login_never_asks_without_a_terminal(tmp_path: Path) -> None:
    process = ksbuilder("login", "registry.example.org", cwd=tmp_path)
    assert process.returncode == 2
    assert "there is no terminal to ask on" in process.stderr


@needs_registry
def test_damaged_bytes_of_a_registry_are_not_used(tmp_path: Path) -> None:
    with registry(tmp_path) as host:
        digest = value("push", GREETER, f"oci://{host}/x", cwd=tmp_path)["digest"]
        blob = tmp_path / f"registry/docker/registry/v2/blobs/sha256/{digest[:2]}/{digest}/data"
        data = bytearray(blob.read_bytes())
        data[100] ^= 1
        blob.write_bytes(data)
        sentence = refusal("pull", "greeter", f"oci://{host}/x", cwd=tmp_path)
        assert "is damaged" in sentence
        assert not list(tmp_path.glob("*.tgz"))


def test_damaged_bytes_of_a_repository_are_not_used(tmp_path: Path) -> None:
    charts = tmp_path / "charts"
    inline("push", GREETER, str(charts), cwd=tmp_path)
    inline("push", NEWER, str(charts), cwd=tmp_path)
    index = (charts / "index.yaml").read_text()
    one, two = (yaml.safe_load(index)["entries"]["greeter"][at]["digest"] for at in (0, 1))
    (charts / "index.yaml").write_text(index.replace(one, two))

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(charts))

        def log_message(self, format: str, *args: object) -> None:
            pass

    with running(Quiet) as host:
        sentence = refusal("pull", "greeter", f"http://{host}", cwd=tmp_path)
    assert "is promised; it is not used" in sentence


def test_uploads_are_guarded(tmp_path: Path) -> None:
    charts = tmp_path / "charts"
    with served(charts) as url:
        assert "takes no uploads" in refusal("push", GREETER, url, cwd=tmp_path)
    process = ksbuilder("serve", charts, "--uploads", "--host", "0.0.0.0", cwd=tmp_path)
    assert "let anybody replace packages" in refused(process)
    secret = tmp_path / "password"
    secret.write_text("ada:s3cret\n")
    with served(charts, "--uploads", "--password-file", str(secret)) as url:
        assert "need a user name" in refusal("push", GREETER, url, cwd=tmp_path)
        assert logs_in(url, "ada", "s3cret", tmp_path).stdout == "Login Succeeded\n"
        inline("push", GREETER, url, cwd=tmp_path)
        copy = tmp_path / "other"
        subprocess.run(["cp", "-r", str(GREETER), str(copy)], check=True)
        (copy / "README.md").write_text("other\n")
        assert "there already, with other contents" in refusal("push", copy, url, cwd=tmp_path)


def test_index_is_reproducible(tmp_path: Path) -> None:
    inline("package", GREETER, cwd=tmp_path)
    first, second = (
        (inline("index", ".", "--url", "https://x.example", cwd=tmp_path, SOURCE_DATE_EPOCH="1000000000"),
         (tmp_path / "index.yaml").read_bytes())[1]
        for _ in range(2)
    )  # fmt: skip
    assert first == second
    assert b"https://x.example/greeter-0.1.0.tgz" in first
    assert b"2001-09-09T01:46:40Z" in first


@pytest.mark.parametrize("text", ["oci://", "oci://host", "oci://host/UPPER:1", "oci://host/a@sha256:12"])
def test_addresses_that_are_none(text: str, tmp_path: Path) -> None:
    assert "oci://" in refusal("pull", text, cwd=tmp_path)


PROVENANCE = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

name: greeter
version: 0.1.0

...
files:
  greeter-0.1.0.tgz: sha256:{digest}
-----BEGIN PGP SIGNATURE-----

bm9ib2R5
-----END PGP SIGNATURE-----
"""


def test_a_provenance_counts_on_every_way_in(tmp_path: Path) -> None:
    package = value("package", GREETER, cwd=tmp_path)
    signature = tmp_path / "greeter-0.1.0.tgz.prov"
    signature.write_text(PROVENANCE.format(digest="0" * 64))
    for words in (("push", "greeter-0.1.0.tgz", "charts"), ("bundle", "greeter-0.1.0.tgz", "-f", "x", "--no-images")):
        assert "greeter-0.1.0.tgz is not the file that was signed" in refusal(*words, cwd=tmp_path)
    signature.write_text(PROVENANCE.format(digest=package["digest"]))
    assert value("push", "greeter-0.1.0.tgz", "charts", cwd=tmp_path)["signed"]
    assert value("pull", "greeter", "charts", "-d", "out", cwd=tmp_path)["signed"]
    assert (tmp_path / "out/greeter-0.1.0.tgz.prov").read_bytes() == signature.read_bytes()
    (tmp_path / "charts/greeter-0.1.0.tgz.prov").write_text(PROVENANCE.format(digest="1" * 64))
    assert "is not the file that was signed" in refusal("pull", "greeter", "charts", cwd=tmp_path)
    (tmp_path / "charts/greeter-0.1.0.tgz.prov").unlink()
    assert "it has no provenance" in refusal("pull", "greeter", "charts", "--verify", cwd=tmp_path)


@needs_registry
def test_a_provenance_travels_through_a_registry(tmp_path: Path) -> None:
    package = value("package", GREETER, cwd=tmp_path)
    (tmp_path / "greeter-0.1.0.tgz.prov").write_text(PROVENANCE.format(digest=package["digest"]))
    with registry(tmp_path) as host:
        assert value("push", "greeter-0.1.0.tgz", f"oci://{host}/x", cwd=tmp_path)["signed"]
        assert value("pull", f"oci://{host}/x/greeter:0.1.0", "-d", "out", cwd=tmp_path)["signed"]
        sentence = refusal("pull", f"oci://{host}/x/greeter:0.1.0", "--verify", cwd=tmp_path)
    assert "signed by" in sentence


class _TokenRegistry(BaseHTTPRequestHandler):
    """The least of a registry whose tokens come from elsewhere; `seen` is who showed what where."""

    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        shown = self.headers.get("Authorization", "")
        self.seen.append((self.path.partition("?")[0], shown))
        if self.path.startswith("/token"):
            self.answer(200 if shown == basic("ada", "s3cret") else 401, {"token": "good"})
        elif shown != "Bearer good":
            realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
            self.answer(401, {}, f'Bearer realm="{realm}",service="test"')
        elif self.path.startswith("/v2/x/greeter/tags/list"):
            self.answer(200, {"tags": ["1.0.0_build.1"]})
        else:
            self.answer(200, {})

    def answer(self, code: int, body: Any, challenge: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_registry_whose_tokens_come_from_elsewhere(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    handler = type("Handler", (_TokenRegistry,), {"seen": seen})
    with running(handler) as host:
        assert "log in" in refused(logs_in(host, "ada", "wrong", tmp_path))
        assert logs_in(host, "ada", "s3cret", tmp_path).returncode == 0
        (only,) = value("get", "greeter", f"oci://{host}/x", cwd=tmp_path)["versions"]
    assert only["version"] == "1.0.0+build.1"
    # The password is shown where tokens come from, and nowhere else.
    assert {path for path, shown in seen if shown.startswith("Basic ")} == {"/token"}


def test_logging_in_where_nobody_is(tmp_path: Path) -> None:
    for place, words in ((f"http://127.0.0.1:{free_port()}", "it does not answer"), ("http://[bad", "not an address")):
        assert words in refused(ksbuilder("login", place, "-u", "a", "--password-stdin", cwd=tmp_path))
    assert not (tmp_path / ".config").exists()


def test_certificates_that_are_none(tmp_path: Path) -> None:
    for name, data in (("text.pem", b"nothing"), ("bytes.pem", b"\xff\xfe")):
        (tmp_path / name).write_bytes(data)
        for place in ("https://localhost:1", "oci://localhost:1"):
            done = ksbuilder("login", place, "-u", "a", "--password-stdin", "--ca-file", name, cwd=tmp_path)
            assert f"{name} is not used: it holds no certificate" in refused(done)


class _Nonsense(BaseHTTPRequestHandler):
    """Answers everything with something that is not JSON."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1")
        self.end_headers()
        self.wfile.write(b"<")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_registry_that_answers_nonsense(tmp_path: Path) -> None:
    with running(_Nonsense) as host:
        assert "is not JSON" in refusal("list", f"oci://{host}/x", cwd=tmp_path)
        assert "its manifest is not JSON" in refusal("pull", f"oci://{host}/x/y:1.0.0", cwd=tmp_path)


class _Elsewhere(BaseHTTPRequestHandler):
    """A registry that wants a password, and sends uploads to another port of its machine."""

    seen: ClassVar[list[tuple[str, str]]]
    upload: ClassVar[str]

    def do_HEAD(self) -> None:
        known = self.headers.get("Authorization")
        self.seen.append((self.path, known or ""))
        self.send_response(404 if known else 401)
        self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()

    def do_POST(self) -> None:
        self.send_response(202)
        self.send_header("Location", self.upload)
        self.end_headers()

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers.get("Authorization", "")))
        self.send_response(201)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


async def test_the_password_stays_with_its_registry(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    handler = type("Handler", (_Elsewhere,), {"seen": seen})
    blob = tmp_path / "blob"
    blob.write_bytes(b"x" * 100_000)
    with running(handler) as host, running(handler) as other:
        handler.upload = f"http://{other}/upload"
        async with Registry(Reference(host, "a"), login=Login("registry", "ada", "s3cret")) as client:
            await client.put_blob(Reference(host, "a"), f"sha256:{'0' * 64}", blob)
    assert [bool(shown) for path, shown in seen if path.startswith("/upload")] == [False]
    assert any(shown for _, shown in seen)
