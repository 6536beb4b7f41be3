"""Every published package, against what we build of its sources."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dovetail.packaging import build, read_archive, read_directory, read_package
from dovetail.packaging.findings import errors_of

from .corpus import CORPUS, REPOSITORY, archives, each, name_of, sources, unpack


@each(archives())
def test_every_published_archive_reads(path: Path) -> None:
    package = read_package(path.read_bytes())
    assert path.name == f"{package.name}-{package.version}.tgz"
    assert errors_of(package.findings) == ()
    assert package.permissions.cluster
    assert package.dependencies
    assert package.icon.startswith("data:image/")


@each(sources())
def test_our_archive_is_the_published_one(path: Path, tmp_path: Path) -> None:
    archive = build(read_directory(unpack(path, tmp_path)))
    ours = read_archive(archive.data)
    assert errors_of(archive.findings) == ()
    published = CORPUS / archive.name
    if not published.exists():
        assert name_of(path) == "hello-world"  # the one sample that comes without an archive
        return
    theirs = read_archive(published.read_bytes())
    assert set(ours.files) == set(theirs.files)
    assert [path for path in ours.files if ours.files[path] != theirs.files[path]] == []


@each(sources())
def test_building_is_reproducible(path: Path, tmp_path: Path) -> None:
    one = build(read_directory(unpack(path, tmp_path / "one")))
    other = build(read_directory(unpack(path, tmp_path / "other")))
    assert one.data == other.data


@each(archives())
def test_a_published_archive_packs_again_to_the_same_contents(path: Path) -> None:
    tree = read_archive(path.read_bytes())
    assert dict(read_archive(build(tree).data).files) == dict(tree.files)


@pytest.mark.skipif(not sources(), reason=f"there is no corpus at {CORPUS} (set DOVETAIL_CORPUS)")
def test_make_corpus_says_all_of_it_in_its_last_line() -> None:
    command = [sys.executable, REPOSITORY / "scripts" / "check_corpus.py", CORPUS]
    process = subprocess.run(command, capture_output=True, text=True, timeout=50)
    summary = json.loads(process.stdout.splitlines()[-1])
    assert process.returncode == 0, process.stdout
    assert summary["packages"] == len(archives())
    assert summary["chart_yaml_equal"] == summary["members_equal"] == summary["rendered"] == summary["packages"]
