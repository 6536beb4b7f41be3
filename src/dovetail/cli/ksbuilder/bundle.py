"""`ksbuilder bundle`: one file for a site without a network; and what to do with it there."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from dovetail.cli.ksbuilder.errors import NotAPackage
from dovetail.cli.ksbuilder.images import Gatherer, push_image
from dovetail.cli.ksbuilder.oci import Registry
from dovetail.cli.ksbuilder.options import plain_http_option
from dovetail.cli.ksbuilder.parcels import read_parcel
from dovetail.cli.ksbuilder.places import Parcel
from dovetail.cli.ksbuilder.reporting import output_option, print_json
from dovetail.cli.ksbuilder.trusting import Trust, trust_options
from dovetail.cli.ksbuilder.waiting import Waiting, waiting
from dovetail.packaging.bundling import verifying
from dovetail.packaging.bundling.contents import Contents
from dovetail.packaging.bundling.making import Boxed, Layout, make
from dovetail.packaging.package import Package, read_package
from dovetail.packaging.registry.references import Reference, parse_image, tag_of

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


class _Bundle(click.Group):
    """`bundle PATHS` makes one: the word for that may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Bundle)
def bundle() -> None:
    """Everything for a site without a network in one file.

    \b
      ksbuilder bundle greeter other.tgz -f site.tar    make it
      ksbuilder bundle verify site.tar                  is it whole, and does it lack nothing?
      ksbuilder bundle load site.tar registry:5000      put its images into the site's registry
      ksbuilder bundle unpack site.tar site/            then publish site/charts/*.tgz, or serve site/charts
    """


@bundle.command("make")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-f", "--file", "target", type=click.Path(path_type=Path), required=True, help="The bundle to write.")
@click.option("--platform", "platforms", multiple=True, help="Images for this alone, such as linux/amd64.  [all]")
@click.option("--no-images", is_flag=True, help="Leave the images out: the site has them.")
@click.option("--image", "extra", multiple=True, help="A further image.")
@plain_http_option
@trust_options
@output_option
def make_bundle(
    paths: tuple[Path, ...],
    target: Path,
    platforms: tuple[str, ...],
    no_images: bool,
    extra: tuple[str, ...],
    plain_http: bool | None,
    output: str,
    trust: Trust,
) -> None:
    """Write a bundle with the extensions at PATHS, and the images that they list and that their charts run."""
    if len(platforms) > 1:
        raise click.UsageError("Give one --platform, or none for all.")
    with waiting("reading the packages") as told:
        boxes = [_boxed(*found, images=not no_images) for found in _trusted(paths, trust)]
        names = sorted({name for box in boxes for name in box.images} | {str(parse_image(text)) for text in extra})
        contents = _written(target, boxes, names, told, platforms, plain_http, with_images=not no_images)
    _print(contents, target, "bundled", output)


@bundle.command()
@click.argument("file", type=_FILE)
@trust_options
@output_option
def verify(file: Path, output: str, trust: Trust) -> None:
    """Prove that FILE is as it was made, and that nothing that an installation needs is missing."""
    with waiting(f"verifying {file}"):
        found = _verified(file)
    for entry in found.contents.packages:
        data, prov = found.files[entry.file], found.files.get(f"{entry.file}.prov", b"")
        trust.check(read_package(data), Parcel(data, prov))
    _print(found.contents, file, "verified", output)


@bundle.command()
@click.argument("file", type=_FILE)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@output_option
def unpack(file: Path, directory: Path, output: str) -> None:
    """Prove FILE, then write what is in it into DIRECTORY."""
    with waiting(f"unpacking {file}"):
        contents = _unpacked(file, directory)
    _print(contents, directory, "unpacked", output)


@bundle.command()
@click.argument("file", type=_FILE)
@click.argument("registry")
@plain_http_option
@output_option
def load(file: Path, registry: str, plain_http: bool | None, output: str) -> None:
    """Prove FILE, then push its images into REGISTRY (HOST[:PORT]) under their own paths.

    The platform's `global.imageRegistry` is then REGISTRY.
    """
    with waiting(f"loading {file}") as told, tempfile.TemporaryDirectory(prefix="ksbuilder-bundle-") as folder:
        contents = _unpacked(file, Path(folder))
        blobs = Path(folder) / "images/blobs/sha256"
        asyncio.run(_load(contents, registry.removeprefix("oci://").rstrip("/"), blobs, plain_http, told))
    _print(contents, Path(registry), "loaded", output)


def _trusted(paths: Sequence[Path], trust: Trust) -> list[tuple[Package, Parcel]]:
    found = [read_parcel(path) for path in paths]
    for package, parcel in found:
        trust.check(package, parcel)
    return found


def _boxed(package: Package, parcel: Parcel, *, images: bool) -> Boxed:
    names = asyncio.run(_images(package, parcel.data)) if images else ()
    return Boxed(package, parcel.data, parcel.provenance, names)


async def _images(package: Package, archive: bytes) -> tuple[str, ...]:
    """The images that a package lists, and those that its charts run with their default values."""
    from dovetail.cli.ksbuilder.rendering import Situation, renderer
    from dovetail.packaging.images import images_of

    async with renderer(Situation()) as helm:
        examined = await helm.examine(package, archive)
    used = {image.text for image in images_of(examined.objects)} | set(package.metadata.images)
    return tuple(sorted({str(parse_image(text)) for text in used}))


def _written(
    target: Path,
    boxes: Sequence[Boxed],
    names: Sequence[str],
    told: Waiting,
    platforms: Sequence[str],
    plain: bool | None,
    *,
    with_images: bool,
) -> Contents:
    """Gather the images beside the target, then write it, all or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".ksbuilder-bundle-", dir=target.parent) as folder:
        gathered = Layout({}, {})
        if names:
            gathered = asyncio.run(Gatherer(Path(folder), told, platforms=platforms, plain=plain).gather(names))
        told.what = f"writing {target}"
        part = Path(folder) / "bundle.part"
        with part.open("wb") as file:
            contents = make(file, boxes, gathered, with_images=with_images)
        part.replace(target)
    return contents


def _verified(file: Path) -> verifying.Bundle:
    with file.open("rb") as source:
        return verifying.verify(source)


def _unpacked(file: Path, directory: Path) -> Contents:
    """Prove first, write then: nothing of a damaged bundle is left lying about."""
    contents = _verified(file).contents
    if directory.exists() and any(directory.iterdir()):
        raise NotAPackage(str(directory), "it is not empty, and would be mixed with the bundle")
    with file.open("rb") as source:
        verifying.read_contents(source)
        for path, chunks in verifying.members(source, contents):
            target = directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                for chunk in chunks:
                    out.write(chunk)
    return contents


async def _load(contents: Contents, host: str, blobs: Path, plain: bool | None, told: Waiting) -> None:
    for image in contents.images:
        source = parse_image(image.name)
        tag = source.tag or tag_of(image.digest.replace(":", "-"))
        target = Reference(host, source.repository, tag)
        told.what = f"pushing {target}"
        async with Registry(target, plain=plain) as registry:
            await push_image(registry, target, image.digest, blobs)


def _print(contents: Contents, where: Path, what: str, output: str) -> None:
    if output == "json":
        print_json(
            {
                "path": str(where),
                "packages": [{"name": one.name, "version": one.version} for one in contents.packages],
                "images": [{"name": one.name, "digest": one.digest} for one in contents.images],
                "files": len(contents.files),
            }
        )
        return
    for one in contents.packages:
        click.echo(f"package {one.name} {one.version}" + (" (signed)" if one.signed else ""))
    for image in contents.images:
        click.echo(f"image {image.name} {image.digest}")
    images = f", {len(contents.images)} images" if contents.with_images else "; the site has the images"
    click.echo(f"{what} {where}: {len(contents.packages)} packages{images}")
