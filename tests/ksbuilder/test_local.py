"""ksbuilder package, validate, version: the real command."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.packaging import read_package

from .command import REPOSITORY, SAMPLES, ksbuilder, refused

GREETER = SAMPLES / "greeter"


def copy_of_greeter(into: Path) -> Path:
    """A greeter to change."""
    return Path(shutil.copytree(GREETER, into / "greeter"))


def edited(directory: Path, old: str, new: str) -> Path:
    """The directory with a text in its extension.yaml replaced."""
    file = directory / "extension.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return directory


def test_package_writes_where_it_is_called(tmp_path: Path) -> None:
    process = ksbuilder("package", GREETER, cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    saved = tmp_path / "greeter-0.1.0.tgz"
    assert process.stdout == f"package extension {GREETER}\npackage saved to {saved}\n"
    assert process.stderr == ""
    assert read_package(saved.read_bytes()).name == "greeter"
    assert [path.name for path in tmp_path.iterdir()] == [saved.name]
    assert saved.stat().st_mode & 0o777 == 0o644


def test_relative_paths_destination_and_json(tmp_path: Path) -> None:
    copy_of_greeter(tmp_path)
    process = ksbuilder("package", "greeter", "--destination", "out/deep", "--output", "json", cwd=tmp_path)
    report = json.loads(process.stdout)
    data = (tmp_path / "out/deep/greeter-0.1.0.tgz").read_bytes()
    assert report["path"] == str(tmp_path / "out/deep/greeter-0.1.0.tgz")
    assert (report["name"], report["version"], report["size"]) == ("greeter", "0.1.0", len(data))
    assert report["digest"] == read_package(data).digest
    assert "greeter/charts/frontend/files/index.js" in report["members"]
    assert report["findings"] == []


def test_two_builds_are_equal_and_the_epoch_counts(tmp_path: Path) -> None:
    for folder, epoch in (("a", ""), ("b", ""), ("c", "1700000000")):
        environment = {"SOURCE_DATE_EPOCH": epoch} if epoch else {}
        assert ksbuilder("package", GREETER, "-d", folder, cwd=tmp_path, **environment).returncode == 0
    a, b, c = ((tmp_path / folder / "greeter-0.1.0.tgz").read_bytes() for folder in "abc")
    assert a == b != c
    sentence = refused(ksbuilder("package", GREETER, cwd=tmp_path, SOURCE_DATE_EPOCH="yesterday"))
    assert "SOURCE_DATE_EPOCH" in sentence


def test_warnings_go_to_stderr(tmp_path: Path) -> None:
    directory = edited(copy_of_greeter(tmp_path), "screenshots: []", "screenshot: []")
    process = ksbuilder("package", directory, "-o", "json", cwd=tmp_path)
    assert process.returncode == 0
    assert [finding["code"] for finding in json.loads(process.stdout)["findings"]] == ["unknown-key"]
    assert process.stderr.startswith("warning unknown-key extension.yaml:")


def test_what_is_refused_writes_nothing(tmp_path: Path) -> None:
    directory = edited(copy_of_greeter(tmp_path), "name: greeter", "name: Greeter!")
    before = sorted(tmp_path.rglob("*"))
    sentence = refused(ksbuilder("package", directory, cwd=tmp_path))
    assert sentence.startswith("extension.yaml:2: the name 'Greeter!'")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["package", "nothing"], "there is no such directory"),
        (["package", "a-file"], "it is a file"),
        (["package", "empty"], "extension.yaml is missing"),
        (["package", str(GREETER), "-d", "a-file"], "a-file"),
        (["validate", "nothing"], "there is no such file or directory"),
        (["publish", "nothing"], "there is no such file or directory"),
        (["publish", "a-file"], "The archive cannot be read"),
        (["publish", str(GREETER), "--kubeconfig", "nothing"], "The kubeconfig cannot be used"),
        (["unpublish", "greeter", "--kubeconfig", "a-file"], "The kubeconfig cannot be used"),
    ],
)
def test_refusals_are_one_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "a-file").write_text("hello")
    (tmp_path / "empty").mkdir()
    assert words in refused(ksbuilder(*arguments, cwd=tmp_path))


@pytest.mark.parametrize(
    "arguments", [["package"], ["frobnicate"], ["package", "--wrong"], ["validate", "-o", "xml", "."]]
)
def test_wrong_usage_is_code_2(tmp_path: Path, arguments: list[str]) -> None:
    process = ksbuilder(*arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert "Usage: " in process.stderr
    assert "Traceback" not in process.stderr


def test_a_cluster_that_does_not_answer(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )
    by_option = ksbuilder("publish", GREETER, "--kubeconfig", kubeconfig, cwd=tmp_path)
    by_environment = ksbuilder("unpublish", "greeter", cwd=tmp_path, KUBECONFIG=str(kubeconfig))
    for process in (by_option, by_environment):
        assert refused(process).startswith("The cluster does not answer: ")


def test_validate(tmp_path: Path) -> None:
    assert ksbuilder("validate", GREETER, cwd=tmp_path).stdout.endswith("no issues found\n")
    ksbuilder("package", GREETER, cwd=tmp_path)
    assert ksbuilder("validate", "greeter-0.1.0.tgz", cwd=tmp_path).returncode == 0
    faulty = edited(copy_of_greeter(tmp_path), "installationMode: HostOnly", "installationMode: Both\nkeyword: x")
    process = ksbuilder("validate", faulty, "--output", "json", cwd=tmp_path)
    assert process.returncode == 1
    report = json.loads(process.stdout)
    assert report["ok"] is False
    assert {finding["code"] for finding in report["findings"]} == {"mode-invalid", "unknown-key"}
    text = ksbuilder("validate", faulty, cwd=tmp_path).stdout
    assert "error mode-invalid extension.yaml:" in text
    assert "warning unknown-key extension.yaml:" in text


def test_validate_tells_of_a_broken_archive(tmp_path: Path) -> None:
    ksbuilder("package", GREETER, cwd=tmp_path)
    whole = (tmp_path / "greeter-0.1.0.tgz").read_bytes()
    (tmp_path / "cut.tgz").write_bytes(whole[: len(whole) // 2])
    process = ksbuilder("validate", "cut.tgz", cwd=tmp_path)
    assert process.returncode == 1
    assert "archive-broken" in process.stdout


def test_help_and_version(tmp_path: Path) -> None:
    for arguments in (["version"], ["-v"]):
        assert ksbuilder(*arguments, cwd=tmp_path).stdout.startswith("ksbuilder")
    overview = ksbuilder("--help", cwd=tmp_path).stdout
    for name in ("package", "publish", "unpublish", "validate", "version"):
        assert name in overview
    assert "--destination" in ksbuilder("package", "--help", cwd=tmp_path).stdout


def test_a_terminal_sees_red(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "dovetail.cli.ksbuilder", "package", "nothing"]
    try:
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=follower, timeout=50)
        shown = os.read(leader, 4096).decode()
    finally:
        os.close(follower)
        os.close(leader)
    assert done.returncode == 1
    assert shown.startswith("\x1b[31mnothing: there is no such directory")


def test_packaging_needs_no_kubernetes_client() -> None:
    program = (
        "import sys\n"
        "sys.argv = ['ksbuilder', 'version']\n"
        "from dovetail.cli.ksbuilder import package, validate, version\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('aiohttp', 'helm_python', 'uvloop')])\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=50
    )
    assert process.stdout == "[]\n", process.stderr
