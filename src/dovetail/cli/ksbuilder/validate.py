"""`ksbuilder validate`: everything that keeps an extension from being packaged, published or read."""

from pathlib import Path

import click

from dovetail.cli.ksbuilder.verdicts import conclude, format_option, look, strict_option


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@strict_option
@format_option
def validate(path: Path, strict: bool, output: str) -> None:
    """Say what is wrong with the files and the metadata of the extension at PATH, a directory or a .tgz.

    Nothing is rendered; `ksbuilder check` looks deeper. Exit code 1 if it cannot be used.
    """
    conclude("validating", look([path]), output, strict=strict)
