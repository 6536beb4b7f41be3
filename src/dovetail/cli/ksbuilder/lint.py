"""`ksbuilder lint`: what Helm's lint and the published tool look at, with an exit code that means something."""

from pathlib import Path
from typing import Any

import click

from dovetail.cli.ksbuilder.situations import situation, values_options
from dovetail.cli.ksbuilder.verdicts import conclude, format_option, look, paths_argument, quiet_option, strict_option


@click.command()
@paths_argument
@strict_option
@quiet_option
@click.option("--with-subcharts", is_flag=True, help="For compatibility: sub-charts are always looked at.")
@values_options
@format_option
def lint(paths: tuple[Path, ...], strict: bool, quiet: bool, with_subcharts: bool, output: str, **options: Any) -> None:
    """Render the extensions at PATHS and look at their metadata, templates, objects and images.

    Exit code 1 if there are errors; with --strict, if there are warnings.
    """
    from dovetail.packaging.rules import LINT

    conclude("linting", look(paths, LINT, situation(options)), output, strict=strict, quiet=quiet)
