"""The data directory: private, locked for one, and clear about what is wrong."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.cli.datadir import DataDirectory
from dovetail.cli.errors import DataDirectoryLocked, DataDirectoryUnusable


def test_is_private(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "d")
    data.prepare()

    for path in (data.root, data.logs, data.run, data.root / "kubeconfigs"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_second_platform_is_kept_out_and_told_by_whom(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    lock = data.lock()
    with pytest.raises(DataDirectoryLocked, match=rf"in use by process {os.getpid()}.*--data-dir"):
        data.lock()
    lock.release()
    data.lock().release()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from dovetail.cli.datadir import DataDirectory
DataDirectory(Path({str(tmp_path)!r})).lock()
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script], timeout=20)

    DataDirectory(tmp_path).lock().release()


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryUnusable, match=r"cannot be used.*--data-dir"):
        DataDirectory(tmp_path / "file" / "below").prepare()


def test_sockets_fit_their_limit_below_a_long_path(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / ("long" * 40))

    assert len(os.fsencode(data.socket("snapshot"))) < 108
    assert data.socket("snapshot") != DataDirectory(tmp_path / ("other" * 40)).socket("snapshot")
