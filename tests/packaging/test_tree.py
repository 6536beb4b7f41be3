"""Reading a directory."""

import os
from pathlib import Path

import pytest

from dovetail.packaging import limits, tree
from dovetail.packaging.errors import TooLarge, UnreadableTree, UnsafeMember
from dovetail.packaging.tree import Tree, read_directory


def write(root: Path, **files: str) -> Path:
    """Files below a directory; `__` in a name stands for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_order_is_by_parts_and_marks_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, a__b="1", **{"a-c": "2", "a.d": "\ufeff3"})
    assert list(read_directory(tmp_path).files.items()) == [("a/b", b"1"), ("a-c", b"2"), ("a.d", b"3")]
    assert read_directory(tmp_path).name == tmp_path.name


def test_ignored_folders_are_not_even_entered(tmp_path: Path) -> None:
    write(tmp_path, **{".helmignore": "/sources/", "keep": ""})
    os.mkfifo(write(tmp_path, sources__x="").joinpath("sources", "pipe"))
    assert set(read_directory(tmp_path).files) == {".helmignore", "keep"}


def test_links_inside_are_followed_and_links_outside_refused(tmp_path: Path) -> None:
    root = write(tmp_path / "root", real__a="1")
    (root / "linked").symlink_to("real")
    assert read_directory(root).files["linked/a"] == b"1"
    secret = write(tmp_path, secret="x") / "secret"
    (root / "evil").symlink_to(secret)
    with pytest.raises(UnsafeMember, match="'evil' is refused: it is a link out of the extension"):
        read_directory(root)


def test_links_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, a__b="")
    (tmp_path / "a" / "again").symlink_to("..")
    with pytest.raises(UnsafeMember, match="a folder around itself"):
        read_directory(tmp_path)


def test_a_broken_link(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("nothing")
    with pytest.raises(UnreadableTree, match="broken: No such file"):
        read_directory(tmp_path)


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeMember, match="not a regular file"):
        read_directory(tmp_path)


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(limits.MAX_FILE + 1)
    with pytest.raises(TooLarge, match=r"big is larger than 5,242,880 bytes.*\.helmignore"):
        read_directory(tmp_path)
    (tmp_path / "big").unlink()
    write(tmp_path, a="1" * 60, b="2" * 60)
    monkeypatch.setattr(tree, "MAX_TOTAL", 100)
    with pytest.raises(TooLarge, match="The extension"):
        read_directory(tmp_path)
    monkeypatch.setattr(tree, "MAX_MEMBERS", 1)
    with pytest.raises(UnreadableTree, match="more than 1 files"):
        read_directory(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "file"])
def test_what_is_not_a_directory(tmp_path: Path, name: str) -> None:
    write(tmp_path, file="")
    with pytest.raises(UnreadableTree, match=r"Give the directory that holds extension\.yaml"):
        read_directory(tmp_path / name)


def test_under() -> None:
    assert Tree("x", {"charts/a/b": b"1", "chartsx/c": b"2"}).under("charts") == {"a/b": b"1"}
