"""How commands print: text for people on stdout, one JSON value with `--output json`, warnings on stderr."""

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from dovetail.packaging.findings import Finding

output_option = click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


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


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows in columns; the last column is cut where the terminal ends."""
    widths = [max(len(text) for text in column) for column in zip(heads, *rows, strict=True)]
    for row in (heads, *rows):
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        click.echo(line[: shutil.get_terminal_size().columns] if sys.stdout.isatty() else line)
