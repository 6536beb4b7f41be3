"""An extension package as a value: read it, check it, build it, index it.

    read_directory(path)  read_archive(bytes)  -> Tree        what is there
    build(tree)                                -> Archive     the .tgz, always the same for the same tree
    read_package(bytes)                        -> Package     what a package says and holds

Pure functions over bytes and trees; the only I/O is `read_directory`. Nothing here talks to a cluster or renders
templates. The heavy modules load on first use, because command lines import this room for a single name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dovetail.packaging.archive import read_archive
    from dovetail.packaging.builder import Archive, build
    from dovetail.packaging.errors import PackagingError
    from dovetail.packaging.findings import Finding
    from dovetail.packaging.metadata import ExtensionMetadata
    from dovetail.packaging.package import Package, read_package
    from dovetail.packaging.tree import Tree, read_directory

__all__ = [
    "Archive",
    "ExtensionMetadata",
    "Finding",
    "Package",
    "PackagingError",
    "Tree",
    "build",
    "read_archive",
    "read_directory",
    "read_package",
]

_HOMES = {
    "Archive": "builder",
    "ExtensionMetadata": "metadata",
    "Finding": "findings",
    "Package": "package",
    "PackagingError": "errors",
    "Tree": "tree",
    "build": "builder",
    "read_archive": "archive",
    "read_directory": "tree",
    "read_package": "package",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
