"""The node_modules of a new project, installed once from the public registry and kept for the next run."""

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from .command import REPOSITORY

PACKAGE = REPOSITORY / "src/dovetail/packaging/projects/files/frontend/frontend/package.json"


def node_modules() -> Path:
    """Skips the test where npm, or its registry, cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    data = PACKAGE.read_text().replace("[[name]]", "cached")
    folder = REPOSITORY / "build" / "project-modules" / hashlib.sha256(data.encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:  # tests run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            (folder / "package.json").write_text(data)
            _install(npm, folder)
            (folder / "complete").touch()
    return folder / "node_modules"


def _install(npm: str, folder: Path) -> None:
    command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50, check=True)
    except subprocess.TimeoutExpired:
        pytest.skip("npm install takes too long here")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"npm install did not work here: {error.stderr.strip()[-200:]}")
