"""Every command of ours in a real terminal: what it asks, what it prints, how it ends."""

import re
import stat
from pathlib import Path

import pytest

from dovetail.cli.ksbuilder import ksbuilder as command

from .command import SAMPLES, inline, value
from .registries import needs_registry, registry
from .terminals import interrupt, shown, terminal

GREETER = SAMPLES / "greeter"


def test_create_asks_the_five_questions(tmp_path: Path) -> None:
    with terminal("create", cwd=tmp_path) as child:
        child.expect("Please input extension name: ")
        child.sendline("../x")
        child.expect("Error: --name cannot be '../x'")
        child.expect("Please input extension name: ")
        child.sendline("hello-world")
        child.expect(r"10  dev-tools")
        child.expect("Please select extension category: ")
        child.sendline("10")
        child.expect("Please input extension author: ")
        child.sendline("hongming")
        child.expect(r"Please input Email \(optional\): ")
        child.sendline("hongming@example.io")
        child.expect(r"Please input author's URL \(optional\): ")
        child.sendline("")
        child.expect(f"Directory: {re.escape(str(tmp_path))}/hello-world\r\n")
        child.expect("The extension charts has been created.")
    manifest = (tmp_path / "hello-world/extension.yaml").read_text()
    assert "category: dev-tools" in manifest
    assert 'email: "hongming@example.io"' in manifest


def test_create_is_given_up(tmp_path: Path) -> None:
    with terminal("create", cwd=tmp_path, code=130) as child:
        child.expect("Please input extension name: ")
        interrupt(child)
    assert list(tmp_path.iterdir()) == []


def test_create_with_every_answer_asks_nothing(tmp_path: Path) -> None:
    text = shown("create", "--name", "x", "--category", "security", "--author", "Ada", cwd=tmp_path)
    assert text.startswith(f"Directory: {tmp_path}/x\n")
    assert "Next: cd x && ksbuilder dev" in text


@needs_registry
def test_login_asks_and_hides(tmp_path: Path) -> None:
    with registry(tmp_path, user="ada", password="s3cret") as host:
        with terminal("login", host, cwd=tmp_path) as child:
            child.expect("Username: ")
            child.sendline("ada")
            child.expect("Password: ")
            child.sendline("s3cret")
            child.expect("Login Succeeded")
            assert "s3cret" not in str(child.before)
        assert stat.S_IMODE((tmp_path / ".config/dovetail/credentials.json").stat().st_mode) == 0o600
        assert shown("push", GREETER, f"oci://{host}/x", cwd=tmp_path).startswith(
            f"pushed greeter 0.1.0 to oci://{host}/x/greeter:0.1.0@sha256:"
        )
        listed = shown("list", f"oci://{host}/x", cwd=tmp_path).splitlines()
        assert [line.split() for line in listed] == [["NAME", "VERSION", "DESCRIPTION"], ["greeter", "0.1.0"]]
        got = shown("get", "greeter", f"oci://{host}/x", cwd=tmp_path)
        assert got.splitlines()[0].split() == ["Name:", "greeter"]
        assert "0.1.0" in got
        pulled = shown("pull", f"oci://{host}/x/greeter:0.1.0", cwd=tmp_path)
        assert pulled == f"pulled greeter 0.1.0 to {tmp_path}/greeter-0.1.0.tgz\n"
        assert shown("logout", host, cwd=tmp_path) == "Logout Succeeded\n"


def test_index_bundle_and_what_they_say(tmp_path: Path) -> None:
    inline("package", GREETER, cwd=tmp_path)
    assert shown("index", ".", cwd=tmp_path) == "1 packages listed in index.yaml\n"
    made = shown("bundle", "greeter-0.1.0.tgz", "-f", "site.tar", "--no-images", "-o", "json", cwd=tmp_path)
    assert '"name": "greeter"' in made
    assert shown("bundle", "verify", "site.tar", cwd=tmp_path) == (
        "package greeter 0.1.0\nverified site.tar: 1 packages; the site has the images\n"
    )
    assert "Give one --platform" in shown(
        "bundle", GREETER, "-f", "x", "--platform", "a/b", "--platform", "c/d", cwd=tmp_path, code=2
    )


def test_serve_says_where_and_ends(tmp_path: Path) -> None:
    with terminal("serve", "charts", "--port", "0", cwd=tmp_path, code=130) as child:
        child.expect(r"serving http://127\.0\.0\.1:\d+\r\n")
        interrupt(child)


def test_a_refusal_is_red(tmp_path: Path) -> None:
    with terminal("publish", "nothing.tgz", cwd=tmp_path, code=1) as child:
        child.expect(r"\x1b\[31mnothing.tgz: there is no such file or directory")
    for words in (("dev", "nothing"), ("unpublish", "x"), ("get", "x")):
        text = shown(*words, cwd=tmp_path, code=1)
        assert text.rstrip().endswith(".")
        assert "Traceback" not in text


def test_what_takes_long_says_so(tmp_path: Path) -> None:
    """A server that takes a connection and says nothing: after a second the terminal shows what is going on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with terminal("pull", "greeter", address, cwd=tmp_path, code=130) as child:
            child.expect(r"pulling greeter \(\d+ s\)")
            interrupt(child)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion(name: str, tmp_path: Path) -> None:
    assert "_KSBUILDER_COMPLETE" in inline("completion", name, cwd=tmp_path)


def test_the_manual_page_has_every_command(tmp_path: Path) -> None:
    text = inline("man", cwd=tmp_path)
    for name in command.list_commands(None):  # type: ignore[arg-type]
        assert f".SS\nksbuilder {name}".replace("-", "\\-") in text
    (tmp_path / "ksbuilder.1").write_text(text)
    import shutil
    import subprocess

    if shutil.which("man"):
        read = subprocess.run(
            ["man", "--warnings", "-l", "ksbuilder.1"], cwd=tmp_path, capture_output=True, text=True, timeout=50
        )
        assert (read.returncode, read.stderr) == (0, "")
        assert "KSBUILDER(1)" in read.stdout


def test_every_command_has_help(tmp_path: Path) -> None:
    for name in command.list_commands(None):  # type: ignore[arg-type]
        text = inline(name, "--help", cwd=tmp_path)
        assert text.startswith("Usage: ")
        assert len(text.split("\n")) > 5


def test_json_of_everything_that_needs_no_platform(tmp_path: Path) -> None:
    assert value("create", "--name", "x", "--category", "security", "--author", "A", cwd=tmp_path)["name"] == "x"
    for words in (("package", "x"), ("check", "x"), ("push", "x", "charts"), ("index", "charts"), ("list", "charts")):
        assert value(*words, cwd=tmp_path)


def test_test_tells_every_step(tmp_path: Path) -> None:
    inline("create", "--name", "x", "--category", "security", "--author", "A", cwd=tmp_path)
    lines = shown("test", "x", "--no-install", cwd=tmp_path).splitlines()
    outcomes = [line.partition(" (")[0].split(maxsplit=1) for line in lines if line and not line.startswith(" ")]
    assert outcomes == [["skipped", "front end's tests"], ["passed", "backend's tests"], ["passed", "check"]]
