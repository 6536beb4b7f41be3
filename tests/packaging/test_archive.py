"""Archives: what is written reads back, and nothing hostile is read at all."""

import contextlib
import gzip
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovetail.packaging import archive, chart, limits
from dovetail.packaging.archive import read_archive, write_archive
from dovetail.packaging.errors import BrokenArchive, InvalidChart, PackagingError, TooLarge, UnsafeMember


def packed(*members: tarfile.TarInfo | tuple[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    """A .tgz with exactly these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=format) as tar:
        for member in members:
            if isinstance(member, tuple):
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
            else:
                tar.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def special(kind: bytes, name: str = "x/link", target: str = "") -> tarfile.TarInfo:
    """A member that is not a regular file."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_reading_keeps_order_and_drops_byte_order_marks() -> None:
    tree = read_archive(packed(("x/b", b"\xef\xbb\xbfhello"), special(tarfile.DIRTYPE, "x/d"), ("x/a", b"")))
    assert tree.name == "x"
    assert list(tree.files.items()) == [("b", b"hello"), ("a", b"")]


@pytest.mark.parametrize(
    "member",
    [
        special(tarfile.SYMTYPE, target="/etc/passwd"), special(tarfile.LNKTYPE, target="x/a"),
        special(tarfile.CHRTYPE), special(tarfile.BLKTYPE), special(tarfile.FIFOTYPE),
        special(tarfile.GNUTYPE_SPARSE), special(tarfile.CONTTYPE),
    ],
)  # fmt: skip
def test_only_regular_files(member: tarfile.TarInfo) -> None:
    with pytest.raises((UnsafeMember, BrokenArchive)):
        read_archive(packed(("x/a", b""), member))


@pytest.mark.parametrize(
    "name",
    [
        "../evil", "x/../../evil", "/etc/passwd", "x/./a", "x//a", "x\\..\\a", "C:/a", "x/\x01", "x/" + "a" * 600,
        "loose", "x/a\n", "x/..", "y/second-root",
    ],
)  # fmt: skip
def test_paths_stay_inside(name: str) -> None:
    with pytest.raises(UnsafeMember):
        read_archive(packed(("x/a", b""), (name, b"")))


def test_a_file_is_not_a_folder() -> None:
    with pytest.raises(UnsafeMember, match="inside something that is a file"):
        read_archive(packed(("x/a", b""), ("x/a/b", b"")))


def test_a_member_given_twice() -> None:
    with pytest.raises(UnsafeMember, match="twice"):
        read_archive(packed(("x/a", b"good"), ("x/a", b"evil")))


@pytest.mark.parametrize("cut", [1, 5, 30, 100])
def test_a_cut_archive(cut: int) -> None:
    whole = packed(("x/a", bytes(range(256)) * 50))
    with pytest.raises(BrokenArchive):
        read_archive(whole[:-cut])


@pytest.mark.parametrize(
    "data", [b"", b"not gzip", gzip.compress(b"", mtime=0), gzip.compress(b"not a tar", mtime=0), b"\x1f\x8b"]
)
def test_what_is_not_an_archive(data: bytes) -> None:
    with pytest.raises(BrokenArchive, match="Build or download it again"):
        read_archive(data)


def test_nothing_may_follow_the_end() -> None:
    stream = gzip.decompress(packed(("x/a", b"")))
    with pytest.raises(BrokenArchive, match="after its end"):
        read_archive(gzip.compress(stream + b"evil".ljust(512, b"\0") + bytes(1024)))
    with pytest.raises(BrokenArchive):
        read_archive(packed(("x/a", b"")) + b"trailing")


def test_a_flipped_byte_is_noticed() -> None:
    data = bytearray(packed(("x/a", b"hello" * 100)))
    data[len(data) // 2] ^= 0x10
    with pytest.raises(PackagingError):
        read_archive(bytes(data))


def test_a_bomb_does_not_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL", 1 << 20)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    bomb = gzip.compress(bytes(64 << 20), 9)
    with pytest.raises(TooLarge, match="The archive, unpacked"):
        read_archive(bomb)


def test_a_bomb_of_many_archives_does_not_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "MAX_TOTAL", 4 << 20)
    about = b"apiVersion: v2\nname: %b\nversion: 1.0.0\n"
    zeros = packed(("z/Chart.yaml", about % b"z"), *((f"z/templates/{at}", bytes(1 << 20)) for at in range(3)))
    assert len(zeros) < 1 << 16
    files = {"Chart.yaml": about % b"x", "charts/one.tgz": zeros}
    assert chart.load_chart(files, "x").charts[0].name == "z"
    with pytest.raises(InvalidChart, match="The package with its archives, unpacked"):
        chart.load_chart({**files, "charts/two.tgz": zeros}, "x")


def test_limits_on_files(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLarge, match="x/big"):
        read_archive(packed(("x/big", bytes(limits.MAX_FILE + 1))))
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    with pytest.raises(BrokenArchive, match="more than 3 files"):
        read_archive(packed(*((f"x/{number}", b"") for number in range(4))))
    with pytest.raises(TooLarge, match="The archive"):
        read_archive(bytes(limits.MAX_ARCHIVE + 1))


def test_the_header_tells_nothing_of_the_machine() -> None:
    data = write_archive([("x/a", b"1"), ("x/b", b"2")], time=1_700_000_000)
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            assert (member.mode, member.uid, member.gid, member.uname, member.gname) == (0o644, 0, 0, "", "")
            assert member.mtime == 1_700_000_000
            assert not member.pax_headers


names = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="/\\:\x7f"), min_size=1, max_size=40
)
paths = st.lists(names, min_size=1, max_size=5).map("/".join)


@given(st.dictionaries(paths, st.binary(max_size=300), min_size=1, max_size=8))
def test_what_is_written_reads_back(files: dict[str, bytes]) -> None:
    members = [(f"root/{path}", data) for path, data in files.items()]
    data = write_archive(members)
    assert data == write_archive(members)
    nested = any(other.startswith(f"{path}/") for path in files for other in files)
    try:
        tree = read_archive(data)
    except UnsafeMember:
        if nested:
            return
        assert not all(path.isprintable() and not {".", ".."} & set(path.split("/")) for path in files)
        return
    assert tree.name == "root"
    assert dict(tree.files) == {path: data.removeprefix(b"\xef\xbb\xbf") for path, data in files.items()}


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for attempt in (data, gzip.compress(data, mtime=0)):
        with contextlib.suppress(PackagingError):
            read_archive(attempt)
