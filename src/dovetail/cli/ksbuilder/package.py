"""`ksbuilder package`: the archive of an extension."""

from pathlib import Path

import click

from dovetail.cli.ksbuilder.reporting import as_json, output_option, print_json, tell
from dovetail.cli.ksbuilder.subjects import build_directory, write


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
