"""Archives: reading a .tgz without trusting it, and writing one that is always the same for the same files.

Reading refuses, with a reason, everything that could differ between two readers or harm one: links, devices, sparse
files, paths that leave the root, members given twice, bytes after the end, a gzip stream that is cut or that unpacks to
more than the limits. The order of members is kept, because charts inside archives keep it.

Writing fixes what Helm's writer leaves to chance (time, order, owner): regular files, mode 0644, one time for all.
"""

import gzip
import io
import posixpath
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from dovetail.packaging.errors import BrokenArchive, TooLarge, UnsafeMember
from dovetail.packaging.limits import MAX_ARCHIVE, MAX_FILE, MAX_MEMBERS, MAX_PATH, MAX_TOTAL
from dovetail.packaging.tree import Tree, without_bom

DEFAULT_TIME: Final = 315_532_800
"""1980-01-01, the time of every member unless SOURCE_DATE_EPOCH says otherwise: old enough to be nobody's, young
enough for every tool."""

_CHUNK: Final = 1 << 18
_SHRINK: Final = "Move large files out of the package"


def read_archive(data: bytes, room: int | None = None) -> Tree:
    """Read a .tgz with one folder at its root, `room` bytes at most. Raises BrokenArchive, UnsafeMember, TooLarge."""
    if len(data) > MAX_ARCHIVE:
        raise TooLarge("The archive", len(data), MAX_ARCHIVE, _SHRINK)
    stream = _unpack(data, MAX_TOTAL if room is None else room)
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(stream), mode="r:") as tar:
            for count, member in enumerate(tar, 1):
                if count > MAX_MEMBERS:
                    raise BrokenArchive(f"it holds more than {MAX_MEMBERS:,} files and folders")
                _take(tar, member, files)
            end = tar.offset
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise BrokenArchive(f"it is not a tar archive ({error})") from error
    if stream.count(0, end) != len(stream) - end:
        raise BrokenArchive("there are bytes after its end")
    return _rooted(files)


def _unpack(data: bytes, room: int) -> bytes:
    """The tar stream inside the gzip stream, at most `room` and the headers' share."""
    limit = room + MAX_MEMBERS * 1024
    out = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            while chunk := stream.read(_CHUNK):
                out += chunk
                if len(out) > limit:
                    raise TooLarge("The archive, unpacked,", len(out), room, _SHRINK)
    except EOFError as error:
        raise BrokenArchive("it is cut short") from error
    except (gzip.BadGzipFile, zlib.error, OSError) as error:
        raise BrokenArchive(f"it is not a gzip file ({error})") from error
    if not out:
        raise BrokenArchive("it is empty")
    return bytes(out)


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, files: dict[str, bytes]) -> None:
    if member.isdir():
        return
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
        raise UnsafeMember(member.name, _kind(member))
    check_path(member.name)
    if member.name in files:
        raise UnsafeMember(member.name, "it is in the archive twice")
    if member.size > MAX_FILE:
        raise TooLarge(member.name, member.size, MAX_FILE, _SHRINK)
    source = tar.extractfile(member)
    content = source.read() if source else b""
    if len(content) != member.size:
        raise BrokenArchive(f"{member.name} is cut short")
    files[member.name] = without_bom(content)


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "it is a link"
    return "it is a device" if member.isdev() else "it is not a regular file"


def check_path(path: str) -> None:
    """Refuse a path that is not plain, relative and inside: raises UnsafeMember."""
    if len(path) > MAX_PATH:
        raise UnsafeMember(path[:80] + "...", f"its path is longer than {MAX_PATH} characters")
    if not path.isprintable() or "\\" in path:
        raise UnsafeMember(path, "its path has control characters or backslashes")
    if path.startswith("/") or ":" in path.split("/")[0]:
        raise UnsafeMember(path, "its path is absolute")
    if posixpath.normpath(path) != path or path.startswith(".."):
        raise UnsafeMember(path, "its path is not in plain form, or leads out of the package")


def _rooted(files: dict[str, bytes]) -> Tree:
    if not files:
        raise BrokenArchive("it holds no files")
    roots = {path.partition("/")[0] for path in files}
    outside = next((path for path in files if "/" not in path), None)
    if outside is not None or len(roots) != 1:
        raise UnsafeMember(outside or sorted(roots)[1], "everything must be inside one folder named like the chart")
    for path in files:
        if any(folder in files for folder in _folders(path)):
            raise UnsafeMember(path, "it is inside something that is a file")
    root = roots.pop()
    return Tree(root, {path[len(root) + 1 :]: data for path, data in files.items()})


def _folders(path: str) -> Iterator[str]:
    """The folders around a path, the outermost first."""
    return (path[:at] for at, char in enumerate(path) if char == "/")


def write_archive(members: Iterable[tuple[str, bytes]], time: int = DEFAULT_TIME) -> bytes:
    """A .tgz of the members in the given order, every one with the same `time` (seconds since 1970)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for path, data in members:
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = len(data), 0o644, time
            tar.addfile(member, io.BytesIO(data))
    return _gzip(buffer.getvalue())


def _gzip(data: bytes) -> bytes:
    """gzip with nothing of the machine in the header: no time, no name, no operating system."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(data) + deflate.flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\x02\xff" + body + struct.pack("<LL", zlib.crc32(data), len(data) & 0xFFFFFFFF)
