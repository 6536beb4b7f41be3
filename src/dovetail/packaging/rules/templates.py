"""Rules about templates as they are written: those of Helm's lint, in every chart of the package."""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, warning

_EXTENSIONS: Final = (".yaml", ".yml", ".tpl", ".txt")
_TIME: Final = re.compile(r"\.Release\.Time\b")
_CRD_HOOK: Final = re.compile(r"helm\.sh/hook[\"']?\s*:\s*[\"']?crd-install")


def templates_of(examined: Examined) -> Iterator[tuple[str, str]]:
    """Every template of every chart: its path in the package and its text."""
    for path, data in examined.package.files.items():
        parts = path.split("/")
        at = parts.index("templates") if "templates" in parts else -1
        # charts/<name>/charts/<name>/templates/...: only chart folders may come before.
        if at >= 0 and at % 2 == 0 and all(part == "charts" for part in parts[:at:2]):
            yield path, data.decode("utf-8", "replace")


def extensions(examined: Examined) -> Iterator[Finding]:
    """Only .yaml, .yml, .tpl and .txt belong into templates/."""
    for path, _ in templates_of(examined):
        if posixpath.splitext(path)[1] not in _EXTENSIONS:
            message = f"a template cannot have the extension {posixpath.splitext(path)[1] or '(none)'!r}"
            yield error("template-extension", path, message, "Name it .yaml, .yml, .tpl or .txt, or move it out")


def release_time(examined: Examined) -> Iterator[Finding]:
    """`.Release.Time` is gone since Helm 3."""
    for path, text in templates_of(examined):
        if match := _TIME.search(text):
            message = "`.Release.Time` was removed from Helm"
            yield error("release-time", _at(path, text, match.start()), message, "Use `now`, or leave the time out")


def crd_hooks(examined: Examined) -> Iterator[Finding]:
    """The hook crd-install is ignored since Helm 3."""
    for path, text in templates_of(examined):
        if match := _CRD_HOOK.search(text):
            place = _at(path, text, match.start())
            yield warning("crd-install-hook", place, "Helm ignores the hook crd-install", "Put the CRD into crds/")


def first_lines(examined: Examined) -> Iterator[Finding]:
    """The first line that says something must begin at column 1."""
    for path, text in templates_of(examined):
        line = next((line for line in text.splitlines() if line.strip()), "")
        if path.endswith((".yaml", ".yml")) and line.startswith((" ", "\t")) and not line.strip().startswith("{{"):
            yield warning("first-line-indented", f"{path}:1", "the first line is indented", "Begin it at column 1")


def _at(path: str, text: str, index: int) -> str:
    return f"{path}:{text.count(chr(10), 0, index) + 1}"
