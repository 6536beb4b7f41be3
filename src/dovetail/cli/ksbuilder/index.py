"""`ksbuilder index`: make a directory of packages a Helm repository that any file server can serve."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from dovetail.cli.ksbuilder.place_directory import INDEX, write_index
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.subjects import source_date


@click.command(short_help="Make a directory a Helm repository.")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--url", default="", help="The address of the packages.  [default: beside the index]")
@output_option
def index(directory: Path, url: str, output: str) -> None:
    """Write DIRECTORY/index.yaml for the packages in DIRECTORY.

    SOURCE_DATE_EPOCH sets the time inside; with it the same packages give the same bytes.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    time = datetime.fromtimestamp(source_date(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if epoch else ""
    packages = write_index(directory, url, time)
    if output == "json":
        listed = [{"name": one.name, "version": one.version, "digest": one.digest} for one in packages]
        print_json({"path": str((directory / INDEX).absolute()), "packages": listed})
        return
    click.echo(f"{len(packages)} packages listed in {directory / INDEX}")
