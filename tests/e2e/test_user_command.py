"""`dovetail user` on a running platform: what it writes is in force, and a password is never on the command line."""

import json
import secrets
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.demo.platform import BIN
from tests.e2e.demo.world import World, wait

pytestmark = pytest.mark.e2e

PASSWORD = "Regular-0n3-Passw0rd"
Run = Callable[..., Any]


@pytest.fixture
def run(world: World) -> Run:
    """Call the command; its JSON, or what it says on standard error when it should fail."""

    def call(*arguments: str, stdin: str = "", code: int = 0) -> Any:
        command = [BIN / "dovetail", "user", *arguments, "--kubeconfig", world.platform.kubeconfig, "--output", "json"]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout) if not code else done.stderr

    return call


def logs_in(world: World, user: str, password: str) -> bool:
    form = {"grant_type": "password", "username": user, "password": password, "client_id": "kubesphere"}
    return world.web.call("POST", world.url + "/oauth/token", form=form).code == 200


def test_making_users(world: World, run: Run) -> None:
    name = "cli-" + secrets.token_hex(3)
    asked = ("create", name, "--email", f"{name}@example.org", "--role", "platform-regular")
    assert "too weak" in run(*asked, stdin="weak\n", code=1)
    assert run(*asked, stdin=PASSWORD + "\n") == {"user": name}
    assert "already" in run("create", name, stdin=PASSWORD + "\n", code=1)
    assert "no GlobalRole" in run("create", name + "2", "--role", "nothing", stdin=PASSWORD + "\n", code=1)
    wait(lambda: logs_in(world, name, PASSWORD), "the user to log in")
    (line,) = [one for one in run("list")["users"] if one["name"] == name]
    assert (line["state"], line["roles"]) == ("Active", ["platform-regular"])


def test_changing_users(world: World, run: Run) -> None:
    name = "cli-" + secrets.token_hex(3)
    first = run("create", name, "--generate")["password"]
    wait(lambda: logs_in(world, name, first), "the user to log in")
    world.log_in(name, first)
    run("disable", name)
    wait(lambda: world.get("/oauth/userinfo", name).code == 401, "the session to end")
    run("enable", name)
    wait(lambda: logs_in(world, name, first), "the user to log in again")
    run("password", name, stdin=PASSWORD + "\n")
    wait(lambda: logs_in(world, name, PASSWORD), "the new password")
    assert not logs_in(world, name, first)
    run("delete", name)
    wait(lambda: not logs_in(world, name, PASSWORD), "the user to go")
    assert "no user" in run("disable", "nobody-at-all", code=1)
