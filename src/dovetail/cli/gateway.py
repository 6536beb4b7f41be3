"""Commands around the gateway: bring the routes of another one along."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

if TYPE_CHECKING:
    from dovetail.gateway.caddyfile import Imported


@click.group("gateway")
def gateway() -> None:
    """Around the gateway's routes."""


@gateway.command("import")
@click.argument("caddyfile", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option("--output-dir", type=click.Path(file_okay=False, path_type=Path), help="One file an object, in here.")
@click.option("--name-prefix", default="caddy", show_default=True, help="What the objects' names begin with.")
def import_(caddyfile: Path, output: str, output_dir: Path | None, name_prefix: str) -> None:
    """Write the routes of a CADDYFILE (`-`: standard input) as objects for kubectl apply.

    Reads Caddy 1 with the plugins of KubeSphere 2.x, and Caddy 2. Objects go to standard output; each line that did
    not become part of one is told, with the reason, on standard error (with `--output json`: under `notes`).
    """
    from dovetail.cli.errors import CaddyfileUnreadable
    from dovetail.gateway.caddyfile import CaddyfileError, import_caddyfile

    name = "-" if str(caddyfile) == "-" else caddyfile.name
    try:
        text = sys.stdin.read() if name == "-" else caddyfile.read_text()
        found = import_caddyfile(text, name, prefix=name_prefix)
    except (CaddyfileError, UnicodeDecodeError) as error:
        raise CaddyfileUnreadable(name, error) from error
    if output == "json":
        notes = [{"line": n.line, "directive": n.directive, "effect": n.effect, "why": n.why} for n in found.notes]
        click.echo(orjson.dumps({"objects": found.objects, "notes": notes}).decode())
    elif output_dir is None:
        click.echo(_yaml(found.objects), nl=False)
    if output_dir is not None:
        _write(found, output_dir, output)
    if output == "yaml":
        for note in found.notes:
            click.echo(f"{name}:{note}", err=True)


def _yaml(objects: list[dict[str, object]]) -> str:
    import yaml

    plain = orjson.loads(orjson.dumps(objects))  # a list that two objects share would become an anchor
    return str(yaml.safe_dump_all(plain, sort_keys=False, allow_unicode=True))


def _write(found: "Imported", place: Path, output: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for obj in found.objects:
        path = place / f"{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"
        path.write_text(_yaml([obj]))
        if output == "yaml":
            click.echo(path)
