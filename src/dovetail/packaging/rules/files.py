"""Rules about the files of a package: what is missing, what does not belong there, what must never be there."""

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from dovetail.packaging.examined import Examined
from dovetail.packaging.findings import Finding, error, note, warning
from dovetail.packaging.icon import is_remote

LARGE_FILE: Final = 1024 * 1024
_UNNEEDED: Final = re.compile(
    r"(^|/)(\.git|\.svn|node_modules|__pycache__|\.venv|\.idea|\.vscode|\.pytest_cache)/"
    r"|(^|/)(\.DS_Store|Thumbs\.db|[^/]*~|[^/]*\.(swp|swo|orig|rej|pyc))$"
)
_SECRETS: Final = (
    ("a private key", re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=]{20}")),
    ("an access key of AWS", re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a token of GitHub", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("a token of GitLab", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20}\b")),
    ("a token of npm", re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b")),
    ("a token of PyPI", re.compile(rb"\bpypi-[A-Za-z0-9_-]{60,}")),
    ("a token of Slack", re.compile(rb"\bxox[abprs]-[0-9A-Za-z-]{20,}")),
    ("a key of Google", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a token of a service account", re.compile(rb"\beyJhbGciOi[\w-]{10,}\.eyJ[\w-]{20,}\.[\w-]{20,}")),
    ("the credentials of a registry", re.compile(rb"_authToken\s*=\s*[^\s${]{8,}")),
)  # fmt: skip
_SECRET_FILES: Final = re.compile(
    r"(^|/)(\.env|\.netrc|\.npmrc|\.pypirc|id_rsa|id_ed25519|kubeconfig|\.dockerconfigjson)$"
)


def screenshots(examined: Examined) -> Iterator[Finding]:
    """Every local screenshot must be a file of the package."""
    files = examined.package.files
    for at, shot in enumerate(examined.package.metadata.screenshots):
        if not is_remote(shot) and posixpath.normpath(shot) not in files:
            fix = "Add the file, or correct the path"
            yield warning(
                "screenshot-missing", examined.at("screenshots", at), f"the screenshot {shot} is not there", fix
            )


def readme(examined: Examined) -> Iterator[Finding]:
    """The catalogue shows README.md."""
    if not any(re.fullmatch(r"readme([-_.]\w+)?\.md", path.lower()) for path in examined.package.files):
        yield note("readme-missing", "README.md", "there is no README.md, the page of the catalogue", "Add README.md")


def secrets(examined: Examined) -> Iterator[Finding]:
    """What looks like a credential, wherever it is. Values of templates (`{{ ... }}`) are none."""
    for path, data in examined.package.files.items():
        if _SECRET_FILES.search(path) and data.strip():
            fix = "Remove it, and list it in .helmignore"
            yield warning("secret-in-file", path, "files of this name hold credentials", fix)
        for what, pattern in _SECRETS:
            if match := pattern.search(data):
                line = data.count(b"\n", 0, match.start()) + 1
                fix = "Remove it, make it invalid, and let users give their own as a value"
                yield error("secret-in-file", f"{path}:{line}", f"this looks like {what}", fix)


def unneeded(examined: Examined) -> Iterator[Finding]:
    """Files that tools leave behind: one finding for each folder or file."""
    told: set[str] = set()
    for path in examined.package.files:
        match = _UNNEEDED.search(path)
        shown = path[: match.end()] if match else ""
        if shown and shown not in told:
            told.add(shown)
            yield warning("file-unneeded", shown, "this does not belong into a package", f"List {shown} in .helmignore")


def sizes(examined: Examined) -> Iterator[Finding]:
    """Large files."""
    for path, data in examined.package.files.items():
        if len(data) > LARGE_FILE:
            message = f"the file has {len(data):,} bytes; what is installed travels in objects of 1 MiB"
            yield note("file-large", path, message, "Leave it out, or fetch it at run time")
