"""What `dovetail up` says when all is up: for people, or as one line of JSON for scripts."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from dovetail.cli.initialise import Initialised
from dovetail.cli.layout import Layout


def announce(layout: Layout, initialised: Initialised, seconds: float, *, as_json: bool) -> None:
    """Print the addresses. A password is in it only when the administrator was made by this very start."""
    kubeconfig = layout.kubeconfig or layout.data.kubeconfig
    if as_json:
        facts = {
            "console": layout.gateway.url, "user": initialised.admin, "password": initialised.password,
            "kubeconfig": str(kubeconfig), "start_s": round(seconds, 3), "run_dir": str(layout.data.run),
        }  # fmt: skip
        click.echo(orjson.dumps(facts).decode())
    else:
        click.secho(f"Dovetail is up ({seconds:.1f} s)", bold=True)
        for label, value in _lines(layout, initialised, kubeconfig):
            click.echo(f"  {label:<11} {value}")
        click.echo("Ctrl-C stops everything; the data stays.")
    sys.stdout.flush()


def _lines(layout: Layout, initialised: Initialised, kubeconfig: Path) -> Iterator[tuple[str, str]]:
    yield "console", layout.gateway.url
    yield "user", initialised.admin
    if initialised.password:
        yield "password", f"{initialised.password}   (shown only now)"
    else:
        yield "password", f"as set before; `dovetail reset-password --kubeconfig {kubeconfig}` makes a new one"
    yield "kubeconfig", str(kubeconfig)
    yield "logs", str(layout.data.logs)
