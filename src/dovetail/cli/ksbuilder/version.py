"""`ksbuilder version`."""

import click

from dovetail import __version__
from dovetail.cli.ksbuilder.reporting import output_option, print_json


@click.command()
@output_option
def version(output: str) -> None:
    """Print the version."""
    if output == "json":
        print_json({"version": __version__})
        return
    click.echo(f"ksbuilder {__version__}")
