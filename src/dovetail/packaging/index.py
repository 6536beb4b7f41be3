"""A Helm repository's index.yaml from archives: what a static file server needs beside the .tgz files.

One entry a version, newest first, with the fields of Chart.yaml, the SHA-256 digest and a URL that is relative unless
a base is given (reference/ksbuilder.md 6.1). The same archives give the same bytes: the caller passes the time.
"""

from collections.abc import Iterable
from typing import Any

from dovetail.packaging.canonical import dump
from dovetail.packaging.chart_file import serialised
from dovetail.packaging.package import Package
from dovetail.packaging.versions import Version


def build_index(packages: Iterable[Package], generated: str, base_url: str = "") -> bytes:
    """The index of packages read from archives. `generated` is an RFC 3339 time, used for the entries too."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for package in sorted(packages, key=lambda package: Version.parse(package.version), reverse=True):
        entries.setdefault(package.name, []).append(_entry(package, generated, base_url))
    return dump({"apiVersion": "v1", "entries": entries, "generated": generated}).encode()


def _entry(package: Package, created: str, base_url: str) -> dict[str, Any]:
    file = f"{package.name}-{package.version}.tgz"
    prefix = f"{base_url.rstrip('/')}/" if base_url else ""
    return {**serialised(package.chart.metadata), "urls": [prefix + file], "created": created, "digest": package.digest}
