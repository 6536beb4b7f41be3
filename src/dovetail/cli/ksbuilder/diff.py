"""`ksbuilder diff`: what a package changes, against another package or against what is installed."""

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from dovetail.cli.ksbuilder.cluster import kubeconfig_option
from dovetail.cli.ksbuilder.rendering import Rendering, Situation
from dovetail.cli.ksbuilder.reporting import print_json
from dovetail.cli.ksbuilder.situations import situation_options
from dovetail.cli.ksbuilder.template import HOOK, open_or_refuse, render_all, world
from dovetail.packaging.checking import Opened
from dovetail.packaging.differences import Differences, Side, compare
from dovetail.packaging.examined import HOST
from dovetail.packaging.manifests import ManifestReader, mapping
from dovetail.packaging.yaml11 import load

_SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="[OLD] NEW", type=click.Path(path_type=Path))
@click.option("--installed", is_flag=True, help="Compare NEW with what is installed. [default if OLD is not given]")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there are differences.")
@click.option("--live", is_flag=True, help="Let the cluster answer `lookup`, and take its version.")
@kubeconfig_option
@situation_options
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def diff(paths: tuple[Path, ...], installed: bool, exit_code: bool, output: str, **options: Any) -> None:
    """Say what the extension at NEW changes: objects, default values, permissions, images.

    OLD is another directory or .tgz; without it, NEW is compared with what is installed in the cluster, rendered with
    the same configuration.
    """
    if len(paths) > 2 or (installed and len(paths) > 1):
        raise click.UsageError("Give OLD and NEW, or NEW alone to compare it with what is installed.")
    former, new = paths[:-1], open_or_refuse(next(reversed(paths)))
    if former:
        chosen = world(options)
        old_side, new_side = (_side(one, chosen) for one in (open_or_refuse(former[0]), new))
    else:
        old_side, new_side = _against_installed(new, {**options, "live": True})
    found = compare(old_side, new_side)
    if output == "json":
        print_json(_as_json(found, old_side, new_side))
    else:
        _print(found, old_side, new_side)
    sys.exit(1 if exit_code and found else 0)


def _side(one: Opened, chosen: Situation) -> Side:
    """A package, rendered."""
    assert one.package is not None
    renderings = asyncio.run(render_all(one, chosen))
    values = mapping(load(one.package.values.encode(), "values.yaml").value)
    title = f"{one.package.name} {one.package.version}"
    return Side(title, _objects(one, renderings), values, one.package.permissions)


def _objects(one: Opened, renderings: Iterable[Rendering]) -> dict[str, list[Any]]:
    assert one.package is not None
    reader = ManifestReader(one.package.files, one.package.name)
    return {each.view: reader.objects({**dict(each.crds), **each.manifests})[0] for each in renderings}


def _against_installed(new: Opened, options: dict[str, Any]) -> tuple[Side, Side]:
    from dovetail.cli.ksbuilder import live

    assert new.package is not None
    package = new.package
    manifest, version, config = live.installed(package, options["kubeconfig"], options["namespace"])
    chosen = replace(world(options), config=config, object_labels=live.object_labels(package), revision=2)
    (rendering,) = asyncio.run(render_all(new, chosen, HOST))
    reader = ManifestReader({}, package.name)
    objects = [obj for obj in reader.objects(rendering.manifests)[0] if HOOK not in obj.annotations]
    old = Side(
        " ".join(filter(None, (package.name, version, "(installed)"))), {HOST: reader.objects({"": manifest})[0]}
    )
    return old, Side(f"{package.name} {package.version}", {HOST: objects})


def _as_json(found: Differences, old: Side, new: Side) -> dict[str, Any]:
    return {
        "old": old.title,
        "new": new.title,
        "objects": [
            {"view": one.view, "object": one.name, "change": one.change, "diff": list(one.diff)}
            for one in found.objects
        ],
        **{
            field: [{"change": change, "what": text} for change, text in getattr(found, field)]
            for field in ("values", "permissions", "images")
        },
    }


def _print(found: Differences, old: Side, new: Side) -> None:
    click.secho(f"{old.title} -> {new.title}", bold=True)
    if not found:
        click.echo("no differences")
    for field in ("images", "permissions", "values"):
        entries: tuple[tuple[str, str], ...] = getattr(found, field)
        if entries:
            click.echo(f"\n{field}:")
        for change, text in entries:
            sign, colour = _SIGNS[change]
            click.secho(f"  {sign} {text}", fg=colour)
    for one in found.objects:
        sign, colour = _SIGNS[one.change]
        click.secho(f"\n{sign} {one.name} ({one.view})", fg=colour, bold=True)
        for line in one.diff[2:] if one.change == "changed" else ():
            click.secho(f"  {line}", fg={"+": "green", "-": "red", "@": "cyan"}.get(line[:1]))
