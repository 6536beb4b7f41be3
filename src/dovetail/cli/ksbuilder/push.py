"""`ksbuilder push`: put a package into a directory, a Helm repository or a registry."""

import asyncio
from pathlib import Path

import click

from dovetail.cli.ksbuilder.options import plain_http_option
from dovetail.cli.ksbuilder.parcels import read_parcel
from dovetail.cli.ksbuilder.places import place_of
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.trusting import Trust, trust_options
from dovetail.cli.ksbuilder.waiting import waiting


@click.command(short_help="Put a package into a repository.")
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("place")
@plain_http_option
@trust_options
@output_option
def push(path: Path, place: str, plain_http: bool | None, output: str, trust: Trust) -> None:
    """Put the extension at PATH, a directory or a .tgz, into PLACE.

    \b
    ./charts                     a directory; its index.yaml is written again
    https://charts.example.org   a Helm repository that takes uploads, such as `ksbuilder serve`
    oci://registry/path          a registry; the package becomes path/NAME:VERSION

    A .prov file beside the .tgz goes along.
    """
    package, parcel = read_parcel(path)
    trust.check(package, parcel)

    async def send() -> str:
        async with place_of(place, plain=plain_http) as opened:
            return await opened.put(package, parcel)

    with waiting(f"pushing {package.name} {package.version} to {place}"):
        where = asyncio.run(send())
    if output == "json":
        identity = {"name": package.name, "version": package.version, "digest": package.digest}
        print_json({**identity, "place": where, "signed": bool(parcel.provenance)})
        return
    click.echo(f"pushed {package.name} {package.version} to {where}")
