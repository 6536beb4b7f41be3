"""`dovetail kube backup` and `dovetail kube restore`: the embedded cluster in one file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dovetail.cli.datadir import default_root
from dovetail.cli.errors import CommandError

if TYPE_CHECKING:
    from dovetail.embedded.apiserver.archive import Summary

_PATH = click.Path(path_type=Path)
_data_dir = click.option(
    "--data-dir", type=_PATH, default=default_root, help="The cluster's data directory (default: dovetail up's)."
)
_output = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@click.command("backup")
@click.argument("file", type=_PATH)
@_data_dir
@_output
def backup(file: Path, data_dir: Path, output: str) -> None:
    """Write the embedded cluster into FILE, also while it runs.

    The archive holds every object, secrets included, and the keys that tokens and kubeconfigs depend on: keep it safe.
    """
    from dovetail import __version__
    from dovetail.embedded.apiserver import archive

    summary = _refusing(lambda: archive.backup(data_dir, file, __version__))
    _tell(summary, output, f"{summary.objects} objects at resource version {summary.revision} are saved in {file}.")


@click.command("restore")
@click.argument("file", type=_PATH)
@_data_dir
@click.option("--force", is_flag=True, help="Replace the cluster that is there (it is kept beside, as *.replaced).")
@_output
def restore(file: Path, data_dir: Path, force: bool, output: str) -> None:
    """Put the cluster of a backup FILE into the data directory. The cluster there must be stopped."""
    from dovetail.embedded.apiserver import archive

    summary = _refusing(lambda: archive.restore(file, data_dir, force=force))
    text = f"{summary.objects} objects of {summary.created} are restored into {data_dir}. Start it as before."
    _tell(summary, output, text)


def _refusing(work: "Callable[[], Summary]") -> "Summary":
    from dovetail.embedded.apiserver import ApiServerError

    try:
        return work()
    except ApiServerError as error:
        raise CommandError(str(error)) from error


def _tell(summary: "Summary", output: str, text: str) -> None:
    click.echo(json.dumps(summary.as_json()) if output == "json" else text)
