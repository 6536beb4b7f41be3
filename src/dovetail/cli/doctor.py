"""`dovetail doctor`: why an extension does not work, or what of the platform is not well.

It talks to the cluster with a kubeconfig, as kubectl does, and may only see what that user may see. Without --fix it
writes nothing.
"""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError

if TYPE_CHECKING:
    from dovetail.kube import Client
    from dovetail.lifecycle.doctor.findings import Ref
    from dovetail.lifecycle.doctor.ranking import Diagnosis
    from dovetail.lifecycle.doctor.waiting import Patience

_TIMEOUT = 15.0
_HEAL_SECONDS = 30.0
_LOOK_AGAIN = 1.0


@click.command("doctor")
@click.argument("extension", default="")
@click.option("--fix", is_flag=True, help="Ask the controllers to try again where that can help, and look once more.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default=None, help="By default the language of the terminal.")
@click.option("--patience", type=float, default=8.0, show_default=True, help="Seconds in which a controller must move.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(extension: str, fix: bool, lang: str | None, patience: float, kubeconfig: Path | None, output: str) -> None:
    """Say why EXTENSION does not work: the root cause, what shows it, and the way out.

    Without a name: the platform's own parts, the repositories, and every extension that is not well. The exit code is
    0 when all is well, 1 when something is not, 2 when not everything could be looked at.
    """
    import uvloop

    from dovetail.kube.errors import KubeError
    from dovetail.lifecycle.doctor import report
    from dovetail.lifecycle.doctor.waiting import Patience

    try:
        found, mended = uvloop.run(_examined(kubeconfig, extension, fix, Patience(still=patience)))
    except KubeError as error:
        click.secho(str(ClusterUnreachable(kubeconfig, str(error))), fg="red", err=True)
        raise SystemExit(2) from error
    if output == "json":
        click.echo(orjson.dumps(report.as_json(found, mended)).decode())
    else:
        for ref in mended:
            click.echo(f"asked to try again: {ref}")
        click.echo(report.as_text(found, lang or _language()))
    raise SystemExit(report.exit_code(found))


async def _examined(
    kubeconfig: Path | None, extension: str, fix: bool, patience: "Patience"
) -> "tuple[list[Diagnosis], list[Ref]]":
    from dovetail.kube import Client, ClusterConfig, Forbidden, now
    from dovetail.lifecycle.doctor import mending

    async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-doctor", timeout=_TIMEOUT) as client:
        found = await _look(client, extension, patience)
        if not fix or not (todo := mending.actions(found)):
            return found, []
        try:
            mended = await mending.mend(client, todo, now())
        except Forbidden as error:
            raise CommandError(f"The fix may not be written: {error}. Ask an administrator to run it.") from error
        return await _until_well(client, extension, patience), mended


async def _until_well(client: "Client", extension: str, patience: "Patience") -> "list[Diagnosis]":
    """Look until nothing is wrong any more, or it has been given its time."""
    until = asyncio.get_running_loop().time() + _HEAL_SECONDS
    while True:
        await asyncio.sleep(_LOOK_AGAIN)
        found = await _look(client, extension, patience)
        if not any(each.problems for each in found) or asyncio.get_running_loop().time() > until:
            return found


async def _look(client: "Client", extension: str, patience: "Patience") -> "list[Diagnosis]":
    from dovetail.lifecycle.doctor.diagnosing import examine, examine_platform

    if extension:
        return [await examine(client, extension, patience)]
    return await examine_platform(client, patience)


def _language() -> str:
    told = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if told.lower().startswith("zh") else "en"
