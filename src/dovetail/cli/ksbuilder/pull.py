"""`ksbuilder pull`: get a package from a directory, a Helm repository or a registry, compared with what is promised."""

import asyncio
from pathlib import Path

import click

from dovetail.cli.ksbuilder.options import plain_http_option
from dovetail.cli.ksbuilder.places import Parcel, choose, place_of
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.subjects import write_whole
from dovetail.cli.ksbuilder.trusting import Trust, trust_options
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.packaging.package import Package, read_package


@click.command(short_help="Get a package from a repository.")
@click.argument("name")
@click.argument("place", required=False)
@click.option("--version", default="", help="Which version.  [default: the newest release]")
@click.option(
    "-d", "--destination", type=click.Path(path_type=Path), default=Path(), help="Where to write it.  [default: here]"
)
@plain_http_option
@trust_options
@output_option
def pull(
    name: str, place: str | None, version: str, destination: Path, plain_http: bool | None, output: str, trust: Trust
) -> None:
    """Get the package NAME from PLACE, or the one at an address such as oci://registry/path/NAME:VERSION.

    What comes is compared with the digest that the place promises. With --verify its signature counts, too.
    """
    with waiting(f"pulling {name}"):
        package, parcel = fetch(name, place, version, plain_http)
    trust.check(package, parcel)
    destination.mkdir(parents=True, exist_ok=True)
    target = destination.resolve() / f"{package.name}-{package.version}.tgz"
    write_whole(target, parcel.data)
    if parcel.provenance:
        write_whole(target.with_name(f"{target.name}.prov"), parcel.provenance)
    if output == "json":
        identity = {"name": package.name, "version": package.version, "digest": package.digest}
        print_json({**identity, "path": str(target), "signed": bool(parcel.provenance)})
        return
    click.echo(f"pulled {package.name} {package.version} to {target}")


def fetch(name: str, place: str | None, version: str, plain: bool | None) -> tuple[Package, Parcel]:
    """A package from wherever it is. Raises CommandError, PackagingError."""
    return asyncio.run(_fetch(name, place, version, plain))


async def _fetch(name: str, place: str | None, version: str, plain: bool | None) -> tuple[Package, Parcel]:
    if place is None:
        parcel = await _at_address(name, version, plain)
    else:
        async with place_of(place, plain=plain) as opened:
            parcel = await opened.get(choose(await opened.find(name), name, version, place))
    return read_package(parcel.data), parcel


async def _at_address(address: str, version: str, plain: bool | None) -> Parcel:
    """What is at `oci://host/path/name[:version]`."""
    from dovetail.cli.ksbuilder.place_registry import RegistryPlace
    from dovetail.packaging.registry.references import SCHEME, parse, tag_of

    if not address.startswith(SCHEME):
        raise click.UsageError(
            f"Say where {address} is: give PLACE, too, or an address like oci://HOST/PATH/NAME:VERSION."
        )
    reference = parse(address)
    async with RegistryPlace(address, plain) as opened:
        if version:
            reference = reference.tagged(tag_of(version))
        if not (reference.tag or reference.digest):
            chosen = choose(await opened.find(reference.name), reference.name, "", address)
            reference = reference.tagged(tag_of(chosen.version))
        return await opened.fetch(reference)
