"""What is refused says why and the way out, and never ends in something that nobody knows."""

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from .command import SAMPLES, inline, ksbuilder, quick, refusal, refused
from .test_places import served

GREETER = SAMPLES / "greeter"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-f", "broken.yaml"), "broken.yaml:2: not valid YAML"),
        (("-f", "binary"), "binary: it is not UTF-8 text"),
        (("--set-file", "a=binary"), "binary: it is not UTF-8 text"),
        (("--lookup", "binary"), "binary: it is not UTF-8 text"),
        (("--set-json", "a=[s3cret"), "--set-json a=...: invalid character"),
        (("-s", "nothing/*"), "No template matches 'nothing/*'. There are: charts/backend/"),
    ],
)
def test_options_of_template(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    sentence = refusal("template", GREETER, *words, cwd=tmp_path)
    assert told in sentence
    assert "s3cret" not in sentence


@pytest.mark.parametrize(
    "words",
    [
        ("template", GREETER, "--set-file", "x"), ("template", GREETER, "--node-selector", "x"),
        ("pull", "greeter"), ("serve", "--port", "99999"), ("serve", "--password-file", "empty"),
    ],
)  # fmt: skip
def test_wrong_usage(tmp_path: Path, words: tuple[str | Path, ...]) -> None:
    (tmp_path / "empty").touch()
    assert quick(*words, cwd=tmp_path).returncode == 2


def test_directories_that_are_no_repositories(tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/x.tgz").write_bytes(b"nothing")
    for words in (("index",), ("list",), ("pull", "x")):
        assert refusal(*words, "charts", cwd=tmp_path).startswith("charts/x.tgz: The archive cannot be read")
        assert refusal(*words, "gone", cwd=tmp_path) == "gone: there is no such directory. Give one with packages."


def test_a_served_directory_with_a_broken_package(tmp_path: Path) -> None:
    (tmp_path / "x.tgz").write_bytes(b"nothing")
    with served(tmp_path) as url:
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(f"{url}/index.yaml", timeout=20)
        with answer.value as error:
            assert b"x.tgz: The archive cannot be read" in error.read()


def test_pages_of_browsers_upload_nothing(tmp_path: Path) -> None:
    inline("package", GREETER, cwd=tmp_path)
    archive = (tmp_path / "greeter-0.1.0.tgz").read_bytes()
    with served(tmp_path / "charts", "--uploads") as url:
        request = urllib.request.Request(f"{url}/api/charts", archive, {"Origin": "https://evil.example"})
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(request, timeout=20)
        with answer.value as error:
            assert error.status == 403
    assert not list((tmp_path / "charts").glob("*.tgz"))


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = ksbuilder("serve", "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert "is taken by another program" in refused(done)
