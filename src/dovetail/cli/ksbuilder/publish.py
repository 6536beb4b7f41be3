"""`ksbuilder publish`: make an extension known to a platform. What happens there is `catalogue`."""

from pathlib import Path

import click

from dovetail.cli.ksbuilder import catalogue, cluster
from dovetail.cli.ksbuilder.cluster import console_option, kubeconfig_option
from dovetail.cli.ksbuilder.options import plain_http_option
from dovetail.cli.ksbuilder.parcels import read_parcel
from dovetail.cli.ksbuilder.places import Parcel
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.trusting import Trust, trust_options
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.packaging.errors import InvalidMetadata
from dovetail.packaging.findings import errors_of
from dovetail.packaging.package import Package


@click.command(short_help="Make an extension known to a platform.")
@click.argument("path")
@click.option("--from", "place", metavar="PLACE", help="Get the package PATH from there: a repository, a registry.")
@click.option("--version", default="", help="Which version of it.  [default: the newest release]")
@kubeconfig_option
@console_option
@plain_http_option
@trust_options
@output_option
def publish(
    path: str,
    place: str | None,
    version: str,
    kubeconfig: Path | None,
    console: str,
    plain_http: bool | None,
    output: str,
    trust: Trust,
) -> None:
    """Make an extension known to the platform: PATH is a directory, a .tgz, or oci://registry/path/NAME:VERSION.

    Publishing a version again replaces it; where it is installed, the platform brings the installation in line. All of
    it is written or nothing. A package over 1 MiB goes into several ConfigMaps.
    """
    if output == "text":
        click.echo(f"publish extension {path}")
    package, parcel = _read(path, place, version, plain_http)
    trust.check(package, parcel)
    with waiting(f"publishing {package.name} {package.version}"):
        changes = cluster.run(kubeconfig, lambda client: catalogue.publish(client, package, parcel.data), console)
    if output == "json":
        changed = [{"kind": change.kind, "name": change.name, "action": change.action} for change in changes]
        identity = {"name": package.name, "version": package.version, "digest": package.digest}
        print_json({**identity, "objects": changed})
        return
    for change in changes:
        click.echo(f"{change.action} {change.kind} {change.name}")
    click.echo(f"published {package.name} {package.version}")


def _read(path: str, place: str | None, version: str, plain: bool | None) -> tuple[Package, Parcel]:
    """The package at a path, or in a place. One with errors is not published, even if it could be read."""
    if place is None and not path.startswith("oci://"):
        return read_parcel(Path(path))
    from dovetail.cli.ksbuilder.pull import fetch

    with waiting(f"pulling {path}"):
        package, parcel = fetch(path, place, version, plain)
    if errors := errors_of(package.findings):
        raise InvalidMetadata(errors)
    return package, parcel
