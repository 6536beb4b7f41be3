"""A published package packed again: as its own next version, or with all of its sub-charts meant for the host."""

import re

from dovetail.packaging.archive import read_archive, write_archive

ADDED = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-only-in-the-next-version
data:
  version: {{ .Chart.Version | quote }}
"""
_VERSION = re.compile(rb"^version:.*$", re.MULTILINE)


_AGENT = re.compile(rb"^(\s*- )agent$", re.MULTILINE)


def for_the_host(package: bytes) -> bytes:
    """The same package with every sub-chart tagged for the host: what a member cluster would get is made here, too."""
    tree = read_archive(package)
    files = dict(tree.files)
    for name in ("extension.yaml", "Chart.yaml"):
        files[name] = _AGENT.sub(rb"\1extension", files[name])
    return write_archive((f"{tree.name}/{path}", data) for path, data in files.items())


def next_version(package: bytes, version: str) -> bytes:
    """The same package under another version, with one object more, by which it is known."""
    tree = read_archive(package)
    files = dict(tree.files)
    for name in ("extension.yaml", "Chart.yaml"):
        files[name], count = _VERSION.subn(f"version: {version}".encode(), files[name])
        assert count == 1, f"{name} has {count} versions at its top level"
    files["templates/only-in-the-next-version.yaml"] = ADDED.encode()
    return write_archive((f"{tree.name}/{path}", data) for path, data in files.items())
