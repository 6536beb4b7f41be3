"""Every published package, against what we build of its sources."""

from pathlib import Path

from dovetail.packaging import build, read_archive, read_directory, read_package
from dovetail.packaging.findings import errors_of

from .corpus import CORPUS, archives, each, name_of, sources, unpack


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
