"""ksbuilder's commands that need no cluster: package, validate, version."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from dovetail import __version__
from dovetail.cli.ksbuilder_errors import InvalidEpoch, NotAPackage
from dovetail.packaging.archive import DEFAULT_TIME
from dovetail.packaging.builder import Archive, build
from dovetail.packaging.findings import Finding, errors_of
from dovetail.packaging.limits import MAX_ARCHIVE
from dovetail.packaging.tree import Tree, read_directory

output_option = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "-d", "--destination", type=click.Path(path_type=Path), default=Path(), help="Where to write it. [default: here]"
)
@output_option
def package(directory: Path, destination: Path, output: str) -> None:
    """Write the package of the extension in DIRECTORY, NAME-VERSION.tgz.

    The same directory always gives the same bytes; SOURCE_DATE_EPOCH sets the time inside.
    """
    if output == "text":
        click.echo(f"package extension {directory}")
    archive = build_directory(directory)
    tell(archive.findings)
    path = write(archive, destination)
    if output == "text":
        click.echo(f"package saved to {path}")
        return
    print_json(
        {
            "name": archive.metadata.name,
            "version": archive.metadata.version,
            "path": str(path),
            "size": len(archive.data),
            "digest": archive.digest,
            "members": list(archive.members),
            "findings": as_json(archive.findings),
        }
    )


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@output_option
def validate(path: Path, output: str) -> None:
    """Say everything that is wrong with the extension at PATH, a directory or a .tgz.

    Exit code 1 if it cannot be used.
    """
    from dovetail.packaging.checking import check

    findings = check(read_subject(path))
    failed = bool(errors_of(findings))
    if output == "json":
        print_json({"path": str(path), "ok": not failed, "findings": as_json(findings)})
    else:
        click.echo(f"validating extension {path}")
        for finding in findings:
            click.secho(str(finding), fg="red" if finding.severity == "error" else "yellow")
        if not findings:
            click.echo("no issues found")
    sys.exit(1 if failed else 0)


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"ksbuilder {__version__}")


def build_directory(directory: Path) -> Archive:
    """Read and build the extension in a directory. Raises PackagingError, InvalidEpoch."""
    return build(read_directory(directory), time=source_date(os.environ.get("SOURCE_DATE_EPOCH", "")))


def source_date(text: str) -> int:
    """The time for an archive's members. Raises InvalidEpoch."""
    if not text:
        return DEFAULT_TIME
    if not (text.isascii() and text.isdigit()) or int(text) >= 8**11:
        raise InvalidEpoch(text)
    return int(text)


def read_subject(path: Path) -> Tree | bytes:
    """A directory's tree, or an archive's bytes. Raises NotAPackage, PackagingError."""
    if path.is_dir():
        return read_directory(path)
    if not path.exists():
        raise NotAPackage(str(path), "there is no such file or directory")
    if not path.is_file():
        raise NotAPackage(str(path), "it is not a file")
    with path.open("rb") as file:
        return file.read(MAX_ARCHIVE + 1)


def write(archive: Archive, destination: Path) -> Path:
    """Write the archive, all of it or nothing, and say where it is."""
    destination.mkdir(parents=True, exist_ok=True)
    target = destination.resolve() / archive.name
    descriptor, temporary = tempfile.mkstemp(prefix=f".{archive.name}.", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(archive.data)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    return target


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def tell(findings: Iterable[Finding]) -> None:
    """Print warnings to stderr."""
    for finding in findings:
        click.secho(str(finding), fg="yellow", err=True)


def as_json(findings: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings as JSON values."""
    fields = ("code", "severity", "place", "message", "fix")
    return [{field: getattr(finding, field) for field in fields} for finding in findings]


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
