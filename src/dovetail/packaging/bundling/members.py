"""The tar archive of a bundle, member by member, with one right value for every byte."""

import tarfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from dovetail.packaging.archive import DEFAULT_TIME, check_path
from dovetail.packaging.bundling.errors import DamagedBundle
from dovetail.packaging.errors import UnsafeMember

_BLOCK: Final = tarfile.BLOCKSIZE
_END: Final = bytes(2 * _BLOCK)
_CHUNK: Final = 1 << 20


def header(path: str, size: int) -> bytes:
    """The only header that a member of this name and size can have."""
    member = tarfile.TarInfo(path)
    member.size, member.mode, member.mtime = size, 0o644, DEFAULT_TIME
    return member.tobuf(tarfile.USTAR_FORMAT)


def write_member(out: BinaryIO, path: str, size: int, chunks: Iterable[bytes]) -> None:
    """Write a member."""
    out.write(header(path, size))
    for chunk in chunks:
        out.write(chunk)
    out.write(bytes(-size % _BLOCK))


def write_end(out: BinaryIO) -> None:
    """Write the end."""
    out.write(_END)


def read_header(source: BinaryIO, expected: str) -> tuple[str, int] | None:
    """The next member's name and size; None at the end. Raises DamagedBundle; `expected` is who must come next."""
    block = source.read(_BLOCK)
    if block == bytes(_BLOCK):
        if source.read(_BLOCK) != bytes(_BLOCK) or source.read(1):
            raise DamagedBundle(expected, "the bundle goes on after its end")
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        check_path(member.name)
    except (tarfile.TarError, UnicodeError, UnsafeMember) as error:
        raise DamagedBundle(expected, f"its header is damaged ({error})") from error
    if block != header(member.name, member.size):
        raise DamagedBundle(expected, "its header is damaged")
    return member.name, member.size


def read_data(source: BinaryIO, path: str, size: int) -> Iterator[bytes]:
    """A member's data in chunks, then its padding. Raises DamagedBundle."""
    left = size
    while left:
        chunk = source.read(min(_CHUNK, left))
        if not chunk:
            raise DamagedBundle(path, "the bundle is cut short here")
        left -= len(chunk)
        yield chunk
    padding = source.read(-size % _BLOCK)
    if padding != bytes(-size % _BLOCK):
        raise DamagedBundle(path, "there are bytes after its end")
