"""`ksbuilder validate`: everything that is wrong with an extension."""

import sys
from pathlib import Path

import click

from dovetail.cli.ksbuilder.reporting import as_json, output_option, print_json
from dovetail.cli.ksbuilder.subjects import read_subject
from dovetail.packaging.findings import errors_of


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
