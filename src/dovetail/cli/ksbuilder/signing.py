"""Signing packages, and verifying who signed.

Signing is the `gpg` program's, so that agents, smart cards and pinentry work: `sign` writes ARCHIVE.prov as
`helm package --sign` does, and `helm verify` accepts it. A keyring given as a file is used alone, in a home of its own.
Verifying is Helm's: gpg cannot read lines of more than 20,000 characters, which icons make of Chart.yaml.
"""

import asyncio
import contextlib
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

from dovetail.cli.ksbuilder.check_errors import SigningFailed
from dovetail.helm import HelmRefused, HelmWorker, Verify
from dovetail.packaging import provenance
from dovetail.packaging.package import Package

_TIMEOUT: Final = 300


def sign(archive: Path, package: Package, key: str, *, keyring: Path | None, passphrase_file: Path | None) -> Path:
    """Write ARCHIVE.prov. `key` names a secret key as gpg takes it. Raises SigningFailed."""
    text = provenance.message(package.files["Chart.yaml"], archive.name, package.digest)
    unlock = ["--pinentry-mode", "loopback", "--passphrase-file", str(passphrase_file)] if passphrase_file else []
    choice = ["--local-user", key] if key else []
    with _home(keyring, unlock) as home:
        command = [*home, *unlock, *choice, "--digest-algo", "SHA512", "--clearsign", "--output", "-"]
        done = _gpg(command, text.encode())
    if done.returncode != 0:
        remedy = "Give the key with --key, its keyring with --keyring and its passphrase with --passphrase-file."
        raise SigningFailed(f"{archive.name} was not signed", _reason(done.stderr), remedy)
    target = archive.with_name(f"{archive.name}.prov")
    target.write_bytes(done.stdout)
    return target


async def verify(name: str, data: bytes, prov: bytes, *, keyring: Path | None = None) -> str:
    """Who signed an archive, as Helm verifies it. Without a keyring every public key of gpg's counts.

    Raises SigningFailed, InvalidProvenance: then nothing of the archive may be used.
    """
    said = provenance.read(provenance.signed_message(prov.decode("utf-8", "replace"), f"{name}.prov"), f"{name}.prov")
    said.check(name, hashlib.sha256(data).hexdigest())
    keys = await asyncio.to_thread(_public_keys, keyring)
    async with HelmWorker() as helm:
        try:
            answer = await helm.call(Verify(file=name, archive=data, provenance=prov, keyring=keys))
        except HelmRefused as refused:
            remedy = "Import the public key of who should have signed it, or do not use it."
            raise SigningFailed(f"{name} is not signed by anybody known", refused.detail, remedy) from refused
    return ", ".join(answer["signed_by"])


def _public_keys(keyring: Path | None) -> bytes:
    return keyring.read_bytes() if keyring is not None else _gpg(["--export"], b"").stdout


@contextlib.contextmanager
def _home(keyring: Path | None, unlock: Sequence[str]) -> Generator[list[str]]:
    """Options that name gpg's home: the user's, or one of its own with just the keys of a file."""
    if keyring is None:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="ksbuilder-gpg-") as folder:
        home = ["--homedir", folder]
        imported = _gpg([*home, *unlock, "--import", str(keyring)], b"")
        try:
            if imported.returncode not in (0, 2):
                remedy = "Give a keyring that `gpg --export` or `gpg --export-secret-keys` wrote."
                raise SigningFailed(f"{keyring} cannot be used", _reason(imported.stderr), remedy)
            yield home
        finally:
            subprocess.run(["gpgconf", "--homedir", folder, "--kill", "all"], check=False, capture_output=True)


def _gpg(arguments: Sequence[str], data: bytes) -> "subprocess.CompletedProcess[bytes]":
    program = shutil.which("gpg")
    if program is None:
        raise SigningFailed("Packages cannot be signed", "there is no gpg", "Install GnuPG (apt-get install gnupg).")
    command = [program, "--batch", "--yes", "--no-tty", "--quiet", *arguments]
    return subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT, check=False)


def _reason(stderr: bytes) -> str:
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.startswith("gpg: ")]
    return lines[-1].removeprefix("gpg: ") if lines else "gpg gave no reason"
