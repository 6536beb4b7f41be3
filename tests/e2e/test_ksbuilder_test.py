"""`ksbuilder test`: a new project passes all of it, and one whose page breaks or whose rights do not do fails."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo.platform import BIN

pytestmark = pytest.mark.e2e


def ksbuilder(home: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    command = [str(BIN / "ksbuilder"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=home)


def tried(home: Path, code: int) -> dict[str, Any]:
    """The outcome of `ksbuilder test` by its steps."""
    done = ksbuilder(home, "test", "notes", "--no-tests", "--screenshots", "shots", "-o", "json")
    assert done.returncode == code, done.stdout + done.stderr
    return {step["name"]: step for step in json.loads(done.stdout)["steps"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a new project."""
    done = ksbuilder(tmp_path, "create", "--name", "notes", "--category", "dev-tools", "--author", "Ada")
    assert done.returncode == 0, done.stderr
    return tmp_path


@pytest.mark.timeout(120)
def test_a_new_project_passes(home: Path) -> None:
    steps = tried(home, 0)
    assert steps["check"]["outcome"] == "passed"
    (page,) = steps["install and pages"]["pages"]
    assert page["path"] == "/notes"
    assert "Hello, admin!" in page["text"]
    assert (home / "shots/notes.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.timeout(120)
def test_a_page_that_throws_fails(home: Path) -> None:
    bundle = home / "notes/charts/frontend/files/index.js"
    text = bundle.read_text()
    assert "function Page() {" in text
    bundle.write_text(text.replace("function Page() {", 'function Page() {\n throw new Error("torn page");'))
    step = tried(home, 1)["install and pages"]
    assert step["outcome"] == "failed"
    assert any("torn page" in problem for problem in step["problems"])


def test_rights_that_do_not_do_fail_before_anything_is_installed(home: Path) -> None:
    permissions = home / "notes/permissions.yaml"
    permissions.write_text(permissions.read_text().replace("apiservices, jsbundles", "apiservices"))
    steps = tried(home, 1)
    assert list(steps) == ["check"]
    assert any("jsbundles" in problem for problem in steps["check"]["problems"])
