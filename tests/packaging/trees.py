"""Small extensions as trees, for tests."""

from dovetail.packaging.tree import Tree

METADATA = """\
apiVersion: kubesphere.io/v1alpha1
name: tiny
version: 0.1.0
displayName: {en: Tiny, zh: 微小}
description: {en: A tiny extension, zh: 一个微小的扩展}
category: dev-tools
provider: {en: {name: Somebody}}
icon: ./icon.svg
dependencies:
  - name: backend
    tags: [extension]
"""

FILES = {
    "extension.yaml": METADATA.encode(),
    "icon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "permissions.yaml": b"kind: Role\nrules: [{verbs: [get], apiGroups: [''], resources: [configmaps]}]\n",
    "values.yaml": b"backend: {replicas: 1}\n",
    "charts/backend/Chart.yaml": b"apiVersion: v2\nname: backend\nversion: 0.1.0\n",
    "charts/backend/templates/config.yaml": b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: tiny}\n",
    "README.md": b"# Tiny\n",
}


def with_files(changes: dict[str, bytes | str | None]) -> Tree:
    """The tiny extension with files added, changed or (None) removed."""
    merged: dict[str, bytes | str | None] = {**FILES, **changes}
    files = {path: data.encode() if isinstance(data, str) else data for path, data in merged.items()}
    return Tree("tiny", {path: data for path, data in files.items() if data is not None})


def with_metadata(*lines: str, without: str = "") -> Tree:
    """The tiny extension with lines added to extension.yaml, and one key's line taken out."""
    kept = [line for line in METADATA.splitlines() if not without or not line.startswith(f"{without}:")]
    return with_files({"extension.yaml": "\n".join([*kept, *lines]) + "\n"})
