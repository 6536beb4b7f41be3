"""`ksbuilder check`: everything that can be said about an extension before anybody installs it."""

from pathlib import Path
from typing import Any

import click

from dovetail.cli.ksbuilder.situations import situation, values_options
from dovetail.cli.ksbuilder.verdicts import conclude, format_option, look, paths_argument, quiet_option, strict_option


@click.command()
@paths_argument
@strict_option
@quiet_option
@click.option("--registries", is_flag=True, help="Ask the registries for the images and their architectures.")
@values_options
@format_option
def check(paths: tuple[Path, ...], strict: bool, quiet: bool, registries: bool, output: str, **options: Any) -> None:
    """Do all that `lint` does for the extensions at PATHS, and look at permissions, values, secrets, menus and bundles.

    The place of a finding is a file of the package with a line. `ksbuilder explain CODE` says more about one.
    """
    from dovetail.packaging.rules import DEEP, LINT

    ask = None
    if registries:
        from dovetail.cli.ksbuilder.registries import ask_registries as ask
    checked = look(paths, (*LINT, *DEEP), situation(options), ask)
    conclude("checking", checked, output, strict=strict, quiet=quiet)
