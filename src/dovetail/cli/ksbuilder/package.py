"""`ksbuilder package`: the archive of an extension, with its signature and its annex on demand."""

import os
from pathlib import Path
from typing import Any

import click

from dovetail.cli.ksbuilder.reporting import as_json, output_option, print_json, tell
from dovetail.cli.ksbuilder.subjects import build_directory, source_date, write
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.packaging.builder import Archive


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "-d", "--destination", type=click.Path(path_type=Path), default=Path(), help="Where to write it. [default: here]"
)
@click.option("--sign", is_flag=True, help="Sign it with gpg, as `helm package --sign` does: NAME-VERSION.tgz.prov.")
@click.option("--key", default="", help="The secret key to sign with. [default: gpg's]")
@click.option("--keyring", type=click.Path(path_type=Path, exists=True), help="A file with the secret key.")
@click.option("--passphrase-file", type=click.Path(path_type=Path, exists=True), help="A file with its passphrase.")
@click.option("--annex", is_flag=True, help="Write the list of images and a bill of materials (CycloneDX) beside it.")
@click.option("--digests", is_flag=True, help="Ask the registries for the images' digests. Implies --annex.")
@output_option
def package(
    directory: Path, destination: Path, sign: bool, key: str, keyring: Path | None, passphrase_file: Path | None,
    annex: bool, digests: bool, output: str,
) -> None:  # fmt: skip
    """Write the package of the extension in DIRECTORY, NAME-VERSION.tgz.

    The same directory always gives the same bytes; SOURCE_DATE_EPOCH sets the time inside.
    """
    if output == "text":
        click.echo(f"package extension {directory}")
    archive = build_directory(directory)
    tell(archive.findings)
    path = write(archive, destination)
    written = [path]
    if annex or digests:
        import asyncio  # most runs need no loop

        with waiting("asking registries" if digests else "rendering"):
            written += asyncio.run(_annex(archive, path, digests))
    if sign:
        from dovetail.cli.ksbuilder import signing
        from dovetail.packaging.package import read_package

        opened = read_package(archive.data)
        written.append(signing.sign(path, opened, key, keyring=keyring, passphrase_file=passphrase_file))
    if output == "json":
        print_json(_report(archive, path, written))
        return
    for file in written:
        click.echo(
            f"{'package' if file == path else 'annex' if file.suffix == '.json' else 'signature'} saved to {file}"
        )


def _report(archive: Archive, path: Path, written: list[Path]) -> dict[str, Any]:
    return {
        "name": archive.metadata.name,
        "version": archive.metadata.version,
        "path": str(path),
        "size": len(archive.data),
        "digest": archive.digest,
        "members": list(archive.members),
        "written": [str(file) for file in written],
        "findings": as_json(archive.findings),
    }


async def _annex(archive: Archive, path: Path, digests: bool) -> list[Path]:
    """Render the package, ask for digests if wanted, and write the two files beside the archive."""
    from dovetail import __version__
    from dovetail.cli.ksbuilder.rendering import Situation, renderer
    from dovetail.packaging import annex
    from dovetail.packaging.images import images_of
    from dovetail.packaging.package import read_package

    opened = read_package(archive.data)
    async with renderer(Situation()) as helm:
        used = images_of((await helm.examine(opened, archive.data)).objects)
    facts: dict[str, annex.ImageFacts] = {}
    if digests:
        from dovetail.cli.ksbuilder.registries import facts_of

        facts = await facts_of([*(image.text for image in used), *opened.metadata.images])
    images = annex.image_list(opened, used, facts)
    bill = annex.sbom(opened, images, __version__, source_date(os.environ.get("SOURCE_DATE_EPOCH", "")))
    written: list[Path] = []
    for suffix, value in (("images.json", images), ("sbom.json", bill)):
        file = path.with_name(f"{path.name.removesuffix('.tgz')}.{suffix}")
        file.write_bytes(annex.as_file(value))
        written.append(file)
    return written
