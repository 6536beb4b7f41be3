"""The node_modules of a new project, installed once from the public registry and kept for the next run."""

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
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(data)
        command = [npm, "install", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=55)
        if done.returncode != 0:
            pytest.skip(f"npm install did not work here: {done.stderr.strip()[-200:]}")
        (folder / "complete").touch()
    return folder / "node_modules"
