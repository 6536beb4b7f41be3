"""`ksbuilder template`: the objects of an extension as the platform would install them."""

import asyncio
import fnmatch
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import click

from dovetail.cli.ksbuilder.check_errors import NoSuchTemplate, NotRendered
from dovetail.cli.ksbuilder.cluster import kubeconfig_option
from dovetail.cli.ksbuilder.rendering import Rendering, Situation, renderer
from dovetail.cli.ksbuilder.reporting import print_json
from dovetail.cli.ksbuilder.situations import situation, situation_options
from dovetail.cli.ksbuilder.subjects import read_subject, source_date
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.helm import HelmRefused
from dovetail.packaging.checking import Opened, opened
from dovetail.packaging.errors import InvalidMetadata
from dovetail.packaging.examined import AGENT, HOST, view_names
from dovetail.packaging.findings import errors_of
from dovetail.packaging.manifests import ManifestReader, load_objects, mapping
from dovetail.packaging.metadata import METADATA_FILE
from dovetail.packaging.places import place_of_render_error
from dovetail.packaging.versions import Constraint, Version

HOOK: Final = "helm.sh/hook"
_SEPARATOR = re.compile(r"(?:\A|\n)---\s*")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--view", type=click.Choice([HOST, AGENT]), help="Only this release. [default: all that there are]")
@click.option("-s", "--show-only", multiple=True, metavar="GLOB", help="Only templates that match. Repeatable.")
@click.option("--include-crds", is_flag=True, help="With the CRDs of crds/.")
@click.option("--skip-tests", is_flag=True, help="Without the objects of `helm test`.")
@click.option("--no-hooks", is_flag=True, help="Without hooks.")
@click.option("--is-upgrade", is_flag=True, help="As an upgrade, not as an installation.")
@click.option("--live", is_flag=True, help="Let the cluster answer `lookup`, and take its version.")
@kubeconfig_option
@click.option("--output-dir", type=click.Path(path_type=Path), help="Write files there instead of printing.")
@situation_options
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def template(path: Path, output: str, **options: Any) -> None:
    """Render the extension at PATH, a directory or a .tgz, for the host and, if it has agents, for a member cluster.

    Tags, conditions and global values are set as the platform sets them.
    """
    package = open_or_refuse(path)
    renderings = asyncio.run(render_all(package, world(options), options["view"]))
    chosen = {one.view: dict(_documents(one, options, package)) for one in renderings}
    _check_shown(options["show_only"], renderings, package)
    if options["output_dir"]:
        _write(options["output_dir"], chosen)
    elif output == "json":
        print_json(_as_objects(chosen, package))
    else:
        click.echo("".join(_printed(view, documents) for view, documents in chosen.items()), nl=False)


def open_or_refuse(path: Path) -> Opened:
    """The package at a path. Raises PackagingError if it has errors."""
    found = opened(read_subject(path), time=source_date(os.environ.get("SOURCE_DATE_EPOCH", "")))
    if found.package is None:
        raise InvalidMetadata(errors_of(found.findings))
    return found


def world(options: dict[str, Any]) -> Situation:
    """The situation of the options, with the cluster in it if `--live` asks for that."""
    from dataclasses import replace

    chosen = replace(situation(options), revision=2 if options.get("is_upgrade") else 1)
    if not options.get("live"):
        return chosen
    from dovetail.cli.ksbuilder.live import live_situation

    return live_situation(chosen, options["kubeconfig"])


async def render_all(found: Opened, chosen: Situation, view: str | None = None) -> list[Rendering]:
    """The releases of a package. Raises NotRendered."""
    assert found.package is not None
    wanted, at_hand = found.package.metadata.kube_version, Version.parse(chosen.kube_version)
    if wanted and not Constraint.parse(wanted).accepts(at_hand):
        raise NotRendered(METADATA_FILE, f"it asks for Kubernetes {wanted}, not {at_hand}")
    async with renderer(chosen) as helm, AsyncExitStack() as stack:
        stack.enter_context(waiting(f"rendering {found.package.name}"))
        names = [name for name in view_names(found.package) if view in (None, name)]
        try:
            return [await helm.render(found.package, found.archive, name) for name in names]
        except HelmRefused as refused:
            place, reason = place_of_render_error(refused.detail, found.package.name, found.package.files)
            raise NotRendered(place, reason) from refused


def _documents(one: Rendering, options: dict[str, Any], found: Opened) -> Iterator[tuple[str, str]]:
    """The templates to show: path in the package -> text. Empty ones say nothing."""
    texts = {**(dict(one.crds) if options["include_crds"] else {}), **one.manifests}
    for path, text in texts.items():
        short = _short(path, found)
        wanted = not options["show_only"] or any(fnmatch.fnmatch(short, glob) for glob in options["show_only"])
        kept = "\n---\n".join(part.strip("\n") for part in _SEPARATOR.split(text) if _is_kept(part, options))
        if wanted and kept and not path.endswith("NOTES.txt"):
            yield short, kept + "\n"


def _check_shown(globs: Sequence[str], renderings: Sequence[Rendering], found: Opened) -> None:
    """Every glob must be about a template. Raises NoSuchTemplate."""
    assert found.package is not None
    paths = {_short(path, found) for one in renderings for path in (*one.manifests, *dict(one.crds))}
    for glob in globs:
        if not fnmatch.filter(paths, glob):
            raise NoSuchTemplate(glob, sorted(paths))


def _short(path: str, found: Opened) -> str:
    """The path in the package of a template as Helm names it."""
    assert found.package is not None
    return path.removeprefix(f"{found.package.name}/")


def _is_kept(document: str, options: dict[str, Any]) -> bool:
    if not any(line.strip() and not line.lstrip().startswith("#") for line in document.splitlines()):
        return False
    if HOOK not in document:
        return True
    hooks = [str(mapping(mapping(obj.get("metadata")).get("annotations")).get(HOOK, "")) for obj in _loaded(document)]
    if not any(hooks):
        return True
    return not options["no_hooks"] and not (options["skip_tests"] and "test" in hooks[0])


def _loaded(document: str) -> list[Mapping[str, Any]]:
    try:
        return load_objects(document)
    except ValueError:
        return []  # what is no object is shown as it is


def _printed(view: str, documents: dict[str, str]) -> str:
    parts = [f"# Release: {view}\n"]
    for path, text in documents.items():
        parts += [f"---\n# Source: {path}\n{part.strip(chr(10))}\n" for part in _SEPARATOR.split(text) if part.strip()]
    return "".join(parts)


def _write(folder: Path, chosen: dict[str, dict[str, str]]) -> None:
    for view, documents in chosen.items():
        for path, text in documents.items():
            target = folder / view / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
            click.echo(f"wrote {target}")


def _as_objects(chosen: dict[str, dict[str, str]], found: Opened) -> Any:
    assert found.package is not None
    reader = ManifestReader(found.package.files, found.package.name)
    shown: dict[str, list[Any]] = {}
    for view, documents in chosen.items():
        objects, _ = reader.objects(documents)
        shown[view] = [{"source": obj.place, "object": _plain(mapping(obj.value))} for obj in objects]
    return shown


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
