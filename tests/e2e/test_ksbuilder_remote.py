"""ksbuilder at a platform that is only an address: log in, publish, develop, look, unpublish, log out."""

import json
import os
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.demo.platform import BIN
from tests.e2e.demo.world import World, wait
from tests.e2e.running import answers, tiny_extension, uninstall, up_of

pytestmark = pytest.mark.e2e


def ksbuilder(home: Path, *words: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """The command of somebody who has no kubeconfig."""
    environment = {name: text for name, text in os.environ.items() if name not in ("KUBECONFIG", "XDG_CONFIG_HOME")}
    return subprocess.run(
        [str(BIN / "ksbuilder"), *map(str, words)],
        input=stdin, capture_output=True, text=True, timeout=50, env={**environment, "HOME": str(home)}, cwd=home,
    )  # fmt: skip


def value(home: Path, *words: str | Path) -> Any:
    """What a command that must succeed says as JSON."""
    done = ksbuilder(home, *words, "-o", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def log_in(world: World, home: Path, password: str) -> "subprocess.CompletedProcess[str]":
    """Log in as scripts do."""
    return ksbuilder(home, "login", world.url, "-u", "admin", "--password-stdin", stdin=password)


@pytest.mark.timeout(120)
def test_a_platform_by_its_address(world: World, tmp_path: Path) -> None:
    there = ("--console", world.url)
    source = tiny_extension(tmp_path / "sources", "remote")
    assert f"There is no login for {world.url}" in ksbuilder(tmp_path, "publish", source, *there).stderr
    assert log_in(world, tmp_path, "wrong").returncode == 1
    assert log_in(world, tmp_path, up_of(world).password).stdout == "Login Succeeded\n"
    store = tmp_path / ".config/dovetail/credentials.json"
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert up_of(world).password not in store.read_text()

    assert value(tmp_path, "publish", source, *there)["name"] == "remote"
    assert "remote" in [one["name"] for one in value(tmp_path, "list", *there)]
    about = value(tmp_path, "get", "remote", *there)
    assert (about["status"], [one["version"] for one in about["versions"]]) == ("Published", ["1.0.0"])
    assert ksbuilder(tmp_path, "unpublish", "remote", *there).returncode == 0

    made = value(tmp_path, "create", "--name", "faraway", "--category", "x", "--author", "A", "--template", "frontend")
    done = ksbuilder(tmp_path, "dev", made["path"], "--once", *there)
    assert done.returncode == 0, done.stderr
    assert "faraway 0.1.0 is in force" in done.stdout
    wait(lambda: answers(lambda: world.get("/dist/faraway/index.js")), "the bundle")
    assert value(tmp_path, "get", "faraway", *there)["installed"] == "0.1.0"
    assert "stays published" in ksbuilder(tmp_path, "unpublish", "faraway", *there).stderr
    uninstall(world, "faraway")
    assert ksbuilder(tmp_path, "unpublish", "faraway", *there).returncode == 0

    age(store)
    assert value(tmp_path, "list", *there)  # the token was old, and was renewed
    assert json.loads(store.read_text())[world.url]["expires"] > time.time()
    assert ksbuilder(tmp_path, "logout", world.url).stdout == "Logout Succeeded\n"
    assert "There is no login" in ksbuilder(tmp_path, "list", *there).stderr


def age(store: Path) -> None:
    """Let the access token be one that has ended."""
    logins = json.loads(store.read_text())
    for login in logins.values():
        login |= {"secret": "ended", "expires": time.time() - 1}
    store.write_text(json.dumps(logins))
