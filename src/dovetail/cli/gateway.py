"""Commands around the gateway: bring the routes of another one along, check routes, explain where a request goes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

if TYPE_CHECKING:
    from dovetail.gateway.caddyfile import Imported
    from dovetail.routing.compiler import Compilation
    from dovetail.routing.explaining import Explanation


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


_FILES = click.option(
    "--file", "-f", "files", multiple=True, type=click.Path(exists=True, path_type=Path),
    help="Objects to look at, or a directory of them; may be repeated.",
)  # fmt: skip
_CLUSTER = click.option("--cluster/--no-cluster", default=None, help="The cluster's objects, too. Default: without -f.")
_KUBECONFIG = click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
_OUTPUT = click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)


@gateway.command("check")
@_FILES
@_CLUSTER
@_KUBECONFIG
@_OUTPUT
@click.pass_context
def check(
    context: click.Context, files: tuple[Path, ...], cluster: bool | None, kubeconfig: Path | None, output: str
) -> None:
    """Say what is wrong with routes, before they are applied: conflicts with a request that shows them, and mistakes.

    The exit code is 1 if an object, or a part of one, would not be in force.
    """
    problems = _compiled(files, cluster, kubeconfig).problems
    if output == "json":
        click.echo(orjson.dumps([{name: getattr(each, name) for name in _TOLD} for each in problems]).decode())
    for each in problems if output == "text" else ():
        where = f"{each.kind} {each.name}" + (f" {each.field}" if each.field else "")
        click.echo(f"{where}: {each.reason}: {each.message}")
    context.exit(1 if any(each.reason != "Remark" for each in problems) else 0)


_TOLD = ("kind", "name", "reason", "field", "message", "winner", "witness")


@gateway.command("explain")
@click.argument("method")
@click.argument("path")
@_FILES
@_CLUSTER
@_KUBECONFIG
@_OUTPUT
def explain(
    method: str, path: str, files: tuple[Path, ...], cluster: bool | None, kubeconfig: Path | None, output: str
) -> None:
    """Say which route takes a request, what its backend gets, and which routes would be next."""
    import msgspec

    from dovetail.routing.explaining import explain as explained

    found = explained(_compiled(files, cluster, kubeconfig).table, method.upper(), path)
    click.echo(msgspec.json.encode(found).decode() if output == "json" else _told(found))


def _told(found: "Explanation") -> str:
    if found.refused:
        return found.refused
    if not found.takers:
        return f"404: no route takes {found.path}"
    lines: list[str] = []
    for taker in found.takers:
        methods = ",".join(taker.methods) or "*"
        lines += [f"{'then' if lines else 'taken'} by {taker.object} ({methods} {taker.pattern}, {taker.access})"]
        lines += [f"  as {taker.target}"]
        lines += [f"  503: {taker.unavailable}"] if taker.unavailable else []
    return "\n".join(lines)


def _compiled(files: tuple[Path, ...], cluster: bool | None, kubeconfig: Path | None) -> "Compilation":
    import asyncio

    from dovetail.cli.gateway_objects import compiled, objects_in, objects_of

    objects = asyncio.run(objects_of(kubeconfig)) if (cluster if cluster is not None else not files) else []
    return compiled([*objects, *objects_in(files)])
