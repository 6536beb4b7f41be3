"""Provenance: what Helm signs and verifies of a package, as text.

A `.prov` file is a clear-signed OpenPGP message (RFC 9580, 7); the message is the archive's Chart.yaml, a line `...`,
and the SHA-256 of the archive by its file name (helm.sh/docs/topics/provenance). This module writes and reads the
message; signing and verifying are GnuPG's, in the shell.
"""

import re
from dataclasses import dataclass
from typing import Final

from dovetail.packaging.canonical import dump
from dovetail.packaging.errors import PackagingError
from dovetail.packaging.manifests import mapping
from dovetail.packaging.yaml11 import load

_CLEARSIGNED: Final = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[A-Za-z]+: [^\n]*\n)*\r?\n(?P<message>.*?)\r?\n"
    r"-----BEGIN PGP SIGNATURE-----\r?\n.*-----END PGP SIGNATURE-----\s*\Z",
    re.DOTALL,
)
_LONG: Final = 1000
_WIDTH: Final = 120
_PLAIN: Final = re.compile(r"[!#-\[\]-~]+")
"""Values that need no escapes inside of quotes: no blank, no quote, no backslash."""


class InvalidProvenance(PackagingError):
    """A .prov file that does not say what it must, or says it of another file."""

    def __init__(self, file: str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}. Do not use the package; ask who signed it for the right file.")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a signature vouches for: a chart, and the SHA-256 in hex of files by their names."""

    name: str
    version: str
    digests: dict[str, str]

    def check(self, file: str, digest: str) -> None:
        """Raise InvalidProvenance unless a file of this name and digest is vouched for."""
        if file not in self.digests:
            raise InvalidProvenance(f"{file}.prov", f"it is about {', '.join(self.digests) or 'nothing'}, not {file}")
        if self.digests[file] != digest:
            raise InvalidProvenance(f"{file}.prov", f"{file} is not the file that was signed")


def message(chart_yaml: bytes, file: str, digest: str) -> str:
    """The text to sign. `digest` is the archive's SHA-256 in hex, `file` its name.

    Long lines (an icon) are folded into quoted YAML of the same value: GnuPG cuts lines off at 20,000 characters.
    """
    lines = [_folded(line) for line in chart_yaml.decode().splitlines()]
    return "\n".join(lines) + f"\n\n...\n{dump({'files': {file: f'sha256:{digest}'}})}"


def _folded(line: str) -> str:
    key, colon, value = line.partition(": ")
    if len(line) < _LONG or not colon or not _PLAIN.fullmatch(value):
        return line
    pieces = [value[at : at + _WIDTH] for at in range(0, len(value), _WIDTH)]
    return f'{key}: "' + "\\\n  ".join(pieces) + '"'


def signed_message(text: str, file: str) -> str:
    """The message inside a clear-signed text. Raises InvalidProvenance. Nothing is verified by this."""
    match = _CLEARSIGNED.match(text.lstrip())
    if match is None:
        raise InvalidProvenance(file, "it is not a clear-signed message")
    lines = match["message"].replace("\r\n", "\n").split("\n")
    return "\n".join(line.removeprefix("- ") for line in lines)


def read(text: str, file: str) -> Provenance:
    """What a message (as GnuPG verified it) says. Raises InvalidProvenance."""
    try:
        # Split like Helm: libyaml wants a `---` after the line of dots, and there is none.
        documents = [load(part.encode(), file).value for part in text.replace("\r\n", "\n").split("\n...\n")]
    except PackagingError as error:
        raise InvalidProvenance(file, "its message is not YAML") from error
    if len(documents) != 2 or not all(isinstance(document, dict) for document in documents):
        raise InvalidProvenance(file, "its message is not a chart and a list of files")
    chart, listing = (mapping(document) for document in documents)
    digests = {str(name): str(digest) for name, digest in mapping(listing.get("files")).items()}
    if not digests or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in digests.values()):
        raise InvalidProvenance(file, "it has no SHA-256 of a file")
    bare = {name: digest.removeprefix("sha256:") for name, digest in digests.items()}
    return Provenance(str(chart.get("name", "")), str(chart.get("version", "")), bare)
