"""Backup while the server writes, restore into an empty place, and everything that a restore refuses."""

import asyncio
import gzip
import json
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dovetail.embedded.apiserver.archive import ArchiveUnusable, restore

from .conftest import Http, Server, config_map, connected

PATH = "/api/v1/namespaces/default/configmaps"


def dovetail(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dovetail.cli.dovetail", "kube", *arguments], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


async def write(http: Http, prefix: str, stop: asyncio.Event) -> int:
    """Objects one after the other; the number that was acknowledged."""
    count = 0
    while not stop.is_set():
        code, _ = await http("POST", PATH, config_map(f"{prefix}-{count}"))
        assert code == 201
        count += 1
    return count


async def test_a_backup_under_load_is_one_committed_state_and_keeps_tokens_valid(own_server: Server) -> None:
    archive, elsewhere = own_server.data_dir / "saved.tgz", own_server.data_dir / "elsewhere"
    stop = asyncio.Event()
    async with connected(own_server) as http:
        token = await http("POST", "/api/v1/namespaces/kube-system/serviceaccounts", {"metadata": {"name": "robot"}})
        assert token[0] == 201
        _, made = await http("POST", "/api/v1/namespaces/kube-system/serviceaccounts/robot/token", {"spec": {}})
        before = int((await http("GET", PATH))[1]["metadata"]["resourceVersion"])
        writers = [asyncio.create_task(write(http, f"w{number}", stop)) for number in range(4)]
        await asyncio.sleep(0.2)
        told = json.loads(
            await asyncio.to_thread(
                dovetail, "backup", str(archive), "--data-dir", str(own_server.data_dir), "--output", "json"
            )
        )
        stop.set()
        await asyncio.gather(*writers)
    assert int(told["resourceVersion"]) > before
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert not list(own_server.data_dir.glob(".saved*"))
    await asyncio.to_thread(own_server.end)

    assert "objects" in dovetail("restore", str(archive), "--data-dir", str(elsewhere))
    restored = Server(elsewhere)
    await asyncio.to_thread(restored.start)
    try:
        headers = {"authorization": f"Bearer {made['status']['token']}"}
        async with connected(restored, "") as http:
            code, who = await http("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, **headers)
            assert (code, who["status"]["userInfo"]["username"]) == (201, "system:serviceaccount:kube-system:robot")
        async with connected(restored) as http:
            found = (await http("GET", PATH))[1]
            assert int(found["metadata"]["resourceVersion"]) >= int(told["resourceVersion"])
            names = [item["metadata"]["name"] for item in found["items"]]
            for number in range(4):  # what one writer did one after the other is there without a gap
                mine = sorted(int(name.rpartition("-")[2]) for name in names if name.startswith(f"w{number}-"))
                assert mine == list(range(len(mine)))
    finally:
        await asyncio.to_thread(restored.end)


def test_a_restore_refuses_a_running_server_and_a_cluster_in_the_way(own_server: Server) -> None:
    archive, there = str(own_server.data_dir / "a.tgz"), ("--data-dir", str(own_server.data_dir))
    dovetail("backup", archive, *there)
    own_server.kubectl("create", "configmap", "later")
    assert "in use by another process" in dovetail("restore", archive, *there, "--force", code=1)
    own_server.end()
    assert "already holds a cluster" in dovetail("restore", archive, *there, code=1)
    dovetail("restore", archive, *there, "--force")
    assert (own_server.data_dir / "kube/state.db.replaced").exists()
    own_server.start()
    assert "later" not in own_server.kubectl("get", "configmaps")


@pytest.fixture(scope="module")
def saved(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "a.tgz"
    dovetail("backup", str(path), "--data-dir", str(server.data_dir))
    return path


@pytest.mark.parametrize("damage", ["cut", "flipped", "nothing", "foreign", "escaping"])
def test_a_damaged_archive_changes_nothing(saved: Path, tmp_path: Path, damage: str) -> None:
    archive, whole = tmp_path / "bad.tgz", saved.read_bytes()
    if damage == "cut":
        archive.write_bytes(whole[: len(whole) // 2])
    elif damage == "flipped":
        middle = len(whole) // 2
        archive.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0x55]) + whole[middle + 1 :])
    elif damage == "nothing":
        archive.write_bytes(b"")
    else:
        member = tmp_path / "m"
        member.write_text(
            '{"format": 1, "members": {"kube/state.db": {}, "pki/../../x": {}}}' if damage == "escaping" else "x"
        )
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(member, "manifest.json" if damage == "escaping" else "other")
    target = tmp_path / "data"
    text = dovetail("restore", str(archive), "--data-dir", str(target), code=1)
    assert "is not a usable backup" in text
    assert not (target / "kube/state.db").exists()


def test_a_backup_of_nothing_says_so(tmp_path: Path) -> None:
    assert "holds no cluster" in dovetail("backup", str(tmp_path / "a"), "--data-dir", str(tmp_path), code=1)
    assert "--data-dir" in dovetail(code=2)


def test_a_flipped_byte_anywhere_is_told_and_changes_nothing(saved: Path, tmp_path: Path) -> None:
    """In process: what decompression, tar, JSON and SQLite raise depends on where the damage is."""
    whole, target = saved.read_bytes(), tmp_path / "data"
    ending = range(len(whole) - 40, len(whole))  # tar reads no further than the last member needs
    for at in [*((number * len(whole)) // 60 for number in range(60)), *ending]:
        bad = tmp_path / "bad.tgz"
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            restore(bad, target, force=True)
        except ArchiveUnusable:
            assert not target.exists() or not list(target.iterdir()), at
        else:  # the time in gzip's head means nothing, and zeros copied from elsewhere among zeros are the same zeros
            assert gzip.decompress(bad.read_bytes()) == gzip.decompress(whole), at
            shutil.rmtree(target)
