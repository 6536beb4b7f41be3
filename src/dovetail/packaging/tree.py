"""A tree of files as a value, and the two ways to get one: a directory on disk, a .tgz in memory.

`Tree` maps paths (relative, `/` between parts) to bytes, in the order in which a chart loader meets them. Reading a
directory follows Helm's loader: names sorted part by part, `.helmignore` honoured, a byte order mark dropped; but a
link that leads out of the directory is refused, so that packing foreign sources cannot carry the machine's files away.

Reading an archive trusts nothing: see `archive`. What the files mean is the business of `chart` and `package`.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dovetail.packaging.errors import TooLarge, UnreadableTree, UnsafeMember
from dovetail.packaging.ignore import IGNORE_FILE, Rules
from dovetail.packaging.limits import MAX_FILE, MAX_MEMBERS, MAX_TOTAL

_FILE_FIX = f"Move it out of the package, or list it in {IGNORE_FILE}"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Tree:
    """`name` is the directory's or the archive root's name; `files` maps a path to its bytes."""

    name: str
    files: Mapping[str, bytes]

    def under(self, folder: str) -> dict[str, bytes]:
        """The files below a folder, with paths relative to it."""
        prefix = folder.rstrip("/") + "/"
        return {path[len(prefix) :]: data for path, data in self.files.items() if path.startswith(prefix)}


def without_bom(data: bytes) -> bytes:
    """Helm drops a UTF-8 byte order mark from every file it loads."""
    return data.removeprefix(_BOM)


def read_directory(path: Path) -> Tree:
    """Read an extension's directory. Raises UnreadableTree, UnsafeMember, TooLarge."""
    root = path.resolve()
    if not root.is_dir():
        reason = "it is a file" if root.exists() else "there is no such directory"
        raise UnreadableTree(str(path), reason, "Give the directory that holds extension.yaml")
    files: dict[str, bytes] = {}
    total = 0
    try:
        for relative, file in _walk(root, root, "", Rules.parse(_ignore_text(root)), ()):
            files[relative] = _read(file, relative)
            total += len(files[relative])
            _check_totals(len(files), total)
    except OSError as error:
        reason = f"{error.filename or path}: {error.strerror or error}"
        raise UnreadableTree(str(path), reason, "Make the file readable and try again") from error
    return Tree(root.name, files)


def _ignore_text(root: Path) -> str:
    file = root / IGNORE_FILE
    return file.read_bytes().decode("utf-8-sig", "replace") if file.is_file() else ""


def _walk(root: Path, folder: Path, prefix: str, rules: Rules, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    if folder.resolve() in above:
        raise UnsafeMember(prefix.rstrip("/"), "it is a link into a folder around itself")
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        relative = f"{prefix}{entry.name}"
        if rules.ignores(relative, is_directory=entry.is_dir()):
            continue
        if entry.is_symlink():
            _check_link(root, Path(entry.path), relative)
        if entry.is_dir():
            yield from _walk(root, Path(entry.path), f"{relative}/", rules, (*above, folder.resolve()))
        else:
            yield relative, Path(entry.path)


def _check_link(root: Path, link: Path, relative: str) -> None:
    target = link.resolve()
    if not target.is_relative_to(root):
        raise UnsafeMember(relative, f"it is a link out of the extension, to {target}")


def _read(file: Path, relative: str) -> bytes:
    """Open first and look second, so that what was checked is what is read."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeMember(relative, "it is not a regular file")
        data = stream.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise TooLarge(relative, max(len(data), status.st_size), MAX_FILE, _FILE_FIX)
    return without_bom(data)


def _check_totals(count: int, total: int) -> None:
    if count > MAX_MEMBERS:
        raise UnreadableTree(
            "the directory", f"it has more than {MAX_MEMBERS:,} files", f"List folders in {IGNORE_FILE}"
        )
    if total > MAX_TOTAL:
        raise TooLarge("The extension", total, MAX_TOTAL, f"List what is not needed in {IGNORE_FILE}")
