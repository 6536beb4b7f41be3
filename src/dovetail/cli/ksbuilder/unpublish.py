"""`ksbuilder unpublish`: take an extension out of a platform's catalogue."""

from pathlib import Path

import click

from dovetail.cli.ksbuilder import catalogue, cluster
from dovetail.cli.ksbuilder.cluster import console_option, kubeconfig_option
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.waiting import waiting


@click.command(short_help="Take an extension out of a catalogue.")
@click.argument("name")
@kubeconfig_option
@console_option
@output_option
def unpublish(name: str, kubeconfig: Path | None, console: str, output: str) -> None:
    """Take every version of the extension NAME that was published by hand away again.

    Refuses while the extension is installed.
    """
    if output == "text":
        click.echo(f"unpublish extension {name}")
    with waiting(f"unpublishing {name}"):
        changes = cluster.run(kubeconfig, lambda client: catalogue.unpublish(client, name), console)
    if output == "json":
        changed = [{"kind": change.kind, "name": change.name, "action": change.action} for change in changes]
        print_json({"name": name, "objects": changed})
        return
    for change in changes:
        click.echo(f"{change.action} {change.kind} {change.name}")
