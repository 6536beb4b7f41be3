"""The icon of an extension: a URL, or a local file carried as a data URI.

The media type goes by the file's extension first and by its first bytes only if that says nothing, as in the published
tools (reference/ksbuilder.md 2.5): an AVIF named .png is called image/png by both.
"""

import base64
import posixpath
from collections.abc import Mapping
from typing import Final

from dovetail.packaging.findings import Finding
from dovetail.packaging.metadata import METADATA_FILE

_BY_EXTENSION: Final[Mapping[str, str]] = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_BY_START: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "text/xml; charset=utf-8"),
)
LARGE_ICON: Final = 64 * 1024
"""Bytes. The icon is carried in Chart.yaml, in the index and in two objects of the cluster."""


def is_remote(icon: str) -> bool:
    """Whether an icon is used as it stands."""
    return icon.startswith(("http://", "https://", "data:image"))


def inline(icon: str, files: Mapping[str, bytes]) -> str | None:
    """The icon as a URL or data URI; None if it names a file that the package does not have."""
    if not icon or is_remote(icon):
        return icon
    path = posixpath.normpath(icon)
    if path not in files:
        return None
    return f"data:{media_type(path, files[path])};base64,{base64.b64encode(files[path]).decode()}"


def media_type(path: str, data: bytes) -> str:
    """The media type of an image file."""
    extension = posixpath.splitext(path)[1].lower()
    if extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _BY_START if data.startswith(start)), "application/octet-stream")


def judge_icon(icon: str, files: Mapping[str, bytes]) -> tuple[Finding, ...]:
    """A finding if the icon's file is missing, or large."""
    if not icon or is_remote(icon):
        return ()
    path = posixpath.normpath(icon)
    if path not in files:
        near = sorted(other for other in files if posixpath.basename(other) == posixpath.basename(path))
        fix = f"Set icon to ./{near[0]}" if near else "Add the file, or give a URL"
        message = f"the icon {icon} is not in the extension"
        return (Finding(code="icon-missing", severity="error", place=METADATA_FILE, message=message, fix=fix),)
    if len(files[path]) > LARGE_ICON:
        message = f"the icon has {len(files[path]):,} bytes and is copied into Chart.yaml, the index and two objects"
        fix = f"Use an SVG or a smaller picture, under {LARGE_ICON:,} bytes"
        return (Finding(code="icon-large", severity="warning", place=path, message=message, fix=fix),)
    return ()
