"""`ksbuilder publish`: make an extension known to a platform. What happens there is `catalogue`."""

from pathlib import Path

import click

from dovetail.cli.ksbuilder import catalogue, cluster
from dovetail.cli.ksbuilder.cluster import kubeconfig_option
from dovetail.cli.ksbuilder.reporting import output_option, print_json, tell
from dovetail.cli.ksbuilder.subjects import build_directory, read_subject
from dovetail.packaging.errors import InvalidMetadata
from dovetail.packaging.findings import errors_of
from dovetail.packaging.package import Package, read_package


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@kubeconfig_option
@output_option
def publish(path: Path, kubeconfig: Path | None, output: str) -> None:
    """Make the extension at PATH, a directory or a .tgz, known to the platform.

    Publishing a version again replaces it. What is installed stays as it is.
    """
    if output == "text":
        click.echo(f"publish extension {path}")
    package, data = _read(path)
    changes = cluster.run(kubeconfig, lambda client: catalogue.publish(client, package, data))
    if output == "json":
        changed = [{"kind": change.kind, "name": change.name, "action": change.action} for change in changes]
        identity = {"name": package.name, "version": package.version, "digest": package.digest}
        print_json({**identity, "objects": changed})
        return
    for change in changes:
        click.echo(f"{change.action} {change.kind} {change.name}")
    click.echo(f"published {package.name} {package.version}")


def _read(path: Path) -> tuple[Package, bytes]:
    """The package at a path. One with errors is not published, even if it could be read."""
    data = read_subject(path) if not path.is_dir() else build_directory(path).data
    assert isinstance(data, bytes)
    package = read_package(data)
    if errors := errors_of(package.findings):
        raise InvalidMetadata(errors)
    tell(package.findings)
    return package, data
