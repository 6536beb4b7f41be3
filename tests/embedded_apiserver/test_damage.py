"""Broken files: one sentence at the start or a Status at run time, never a traceback, never a cluster that forgot."""

import asyncio
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Server, config_map, connected

PATH = "/api/v1/namespaces/default/configmaps"
PAGE = 4096


def start(data_dir: Path) -> str:
    """What a server says that must not start."""
    command = [sys.executable, "-m", "dovetail.embedded.apiserver", "--data-dir", str(data_dir), "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database with some hundred objects, all of it in the main file."""
    running = Server(tmp_path_factory.mktemp("whole"))
    running.start()
    listed = [config_map(f"c{number}", text="x" * 3000) | {"kind": "ConfigMap"} for number in range(60)]
    running.kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": listed})
    running.end()
    path = running.data_dir / "kube/state.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes()


def _flip(content: bytes, at: int, count: int = 64) -> bytes:
    return content[:at] + bytes(byte ^ 0xA5 for byte in content[at : at + count]) + content[at + count :]


def _newer(content: bytes) -> bytes:
    return content[:60] + (99).to_bytes(4, "big") + content[64:]


DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("empty", lambda _: b"", "it is empty"),
    ("short", lambda content: content[: len(content) // 2 // PAGE * PAGE], "its end is missing"),
    ("odd", lambda content: content[:-1000], "its end is missing"),
    ("head", lambda content: _flip(content, 0), "it is not a database"),
    ("tree", lambda content: _flip(content, PAGE, 200), "cannot be used"),
    ("text", lambda _: b"this is not a database\n" * 500, "it is not a database"),
    ("newer", _newer, "it has format 99, this program reads format 1"),
]


@pytest.mark.parametrize(("name", "damage", "told"), DAMAGE, ids=[row[0] for row in DAMAGE])
def test_a_damaged_database_is_refused_and_left_alone(
    whole: bytes, tmp_path: Path, name: str, damage: Callable[[bytes], bytes], told: str
) -> None:
    path = tmp_path / "kube/state.db"
    path.parent.mkdir()
    path.write_bytes(content := damage(whole))
    text = start(tmp_path)
    assert told in text
    assert "backup" in text
    assert path.read_bytes() == content


@pytest.mark.parametrize("at", range(5))
def test_flipped_bytes_anywhere_are_found_or_harmless(whole: bytes, tmp_path: Path, at: int) -> None:
    """Every page's head holds its structure: a page that is not what it was is found at the start."""
    path = tmp_path / "kube/state.db"
    path.parent.mkdir()
    pages = len(whole) // PAGE
    path.write_bytes(_flip(whole, (1 + (pages - 2) * at // 4) * PAGE, 12))
    assert "cannot be used" in start(tmp_path)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kube").mkdir()
    with sqlite3.connect(tmp_path / "kube/state.db") as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    assert "another program" in start(tmp_path)


def test_a_place_that_is_no_directory_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be read or written" in start(tmp_path / "file")
    (tmp_path / "data/kube/state.db").mkdir(parents=True)
    assert "cannot be read or written" in start(tmp_path / "data")


def test_a_key_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/ca.key").write_text("nonsense")
    assert "a key in it cannot be read" in start(tmp_path)


async def test_a_full_disk_fails_writes_with_a_status_and_reads_go_on(own_server: Server) -> None:
    assert own_server.process is not None
    pid = own_server.process.pid
    async with connected(own_server) as http:
        assert (await http("POST", PATH, config_map("before")))[0] == 201
        size = max(path.stat().st_size for path in (own_server.data_dir / "kube").iterdir())
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
        codes: list[int] = []
        for number in range(40):
            code, body = await http("POST", PATH, config_map(f"c{number}", text="x" * 4000))
            codes.append(code)
            if code != 201:
                assert (code, body["kind"], body["reason"]) == (500, "Status", "InternalError")
                assert "Traceback" not in body["message"]
        assert 500 in codes
        listed = {item["metadata"]["name"] for item in (await http("GET", PATH))[1]["items"]}
        assert "before" in listed
        assert {f"c{number}" for number, code in enumerate(codes) if code == 201} <= listed
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert (await http("POST", PATH, config_map("after")))[0] == 201
    await asyncio.to_thread(own_server.end)
    await asyncio.to_thread(own_server.start)
    async with connected(own_server) as http:
        again = {item["metadata"]["name"] for item in (await http("GET", PATH))[1]["items"]}
    assert again == listed | {"after"}
    assert "Traceback" not in (own_server.data_dir / "log").read_text()


def spoil(path: Path) -> None:
    with path.open("r+b") as file:
        for at in range(2 * PAGE, path.stat().st_size - PAGE, PAGE):
            file.seek(at)
            file.write(b"\xa5" * 100)


async def test_pages_that_break_while_the_server_runs_are_a_status(own_server: Server) -> None:
    async with connected(own_server) as http:
        for number in range(200):
            await http("POST", PATH, config_map(f"c{number}", text="x" * 3000))
    await asyncio.to_thread(own_server.end)
    await asyncio.to_thread(own_server.start)
    path = own_server.data_dir / "kube/state.db"
    spoil(path)
    async with connected(own_server) as http:
        code, body = await http("GET", PATH)
        assert (code, body["reason"]) == (500, "InternalError")
        assert "the database cannot be used" in body["message"]
    assert "Traceback" not in (own_server.data_dir / "log").read_text()
