"""`dovetail extension plan`: what an install or an upgrade would change, before anything changes.

It renders and compares on this machine with the platform's own code, so it needs a kubeconfig of the cluster and no
running platform. Nothing is created, but for the approval that is asked for with --approve.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError

if TYPE_CHECKING:
    from dovetail.kube import Client
    from dovetail.lifecycle.preview.document import Plan
    from dovetail.lifecycle.preview.gathering import Asked
    from dovetail.lifecycle.preview.previewing import Preview

_BLOCKED = 2
_COLOURS = {"+": "green", "-": "red", "~": "yellow", "!": "red", "?": "magenta"}


class PlanImpossible(CommandError):
    """There is nothing that a plan could be made of."""


@click.command("plan")
@click.argument("name")
@click.option("--version", required=True, help="The version to install, or to change to.")
@click.option(
    "--values", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A YAML file of Helm values; by default the configuration of the InstallPlan.",
)  # fmt: skip
@click.option("--namespace", default="", help="Where to install it; by default where it is, or the package's own.")
@click.option("--approve", is_flag=True, help="Approve this plan: write its hash into the InstallPlan.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def plan(
    name: str, version: str, values: Path | None, namespace: str, approve: bool, kubeconfig: Path | None, output: str
) -> None:  # fmt: skip
    """Show what installing VERSION of the extension NAME would change, and whether anything blocks it.

    The exit code is 0 when nothing blocks it, 2 when something does. With --approve exactly this plan may be carried
    out from then on: if anything has moved by the time, it is refused as PlanStale. The InstallPlan is created if there
    is none, and its version and configuration are set to what was shown.
    """
    from dovetail.lifecycle.preview.gathering import Asked

    asked = Asked(name, version, None if values is None else values.read_text(), namespace)
    shown = asyncio.run(_run(asked, kubeconfig, approve=approve))
    if output == "json":
        click.echo(orjson.dumps(shown.as_json(), option=orjson.OPT_INDENT_2))
    else:
        _print(shown)
        if approve and not shown.blocked:
            click.secho(f"approved: InstallPlan {name} carries this hash", fg="green")
    if approve and shown.blocked:
        click.echo(f"The plan for {name} is blocked, so it is not approved. Solve what blocks it first.", err=True)
    raise SystemExit(_BLOCKED if shown.blocked else 0)


async def _run(asked: "Asked", kubeconfig: Path | None, *, approve: bool) -> "Plan":
    from dovetail.apis.errors import InvalidObject
    from dovetail.helm import HelmError
    from dovetail.kube import Client, ClusterConfig
    from dovetail.kube.errors import KubeError
    from dovetail.lifecycle.errors import Refused
    from dovetail.lifecycle.preview.gathering import NoSuchVersion

    try:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-extension-plan") as client:
            preview = await _preview(client, asked, kubeconfig)
            if approve and not preview.plan.blocked:
                await _approve(client, preview)
            return preview.plan
    except (NoSuchVersion, InvalidObject, Refused, HelmError) as error:
        raise PlanImpossible(f"No plan can be made for {asked.extension} {asked.version}: {error}") from error
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error


async def _preview(client: "Client", asked: "Asked", kubeconfig: Path | None) -> "Preview":
    from dovetail.helm import HelmWorker
    from dovetail.kube.config import default_files
    from dovetail.lifecycle.fetching import Fetcher
    from dovetail.lifecycle.platform_settings import published_settings
    from dovetail.lifecycle.preview.catalogue_source import package_source
    from dovetail.lifecycle.preview.previewing import Asker, Previewer
    from dovetail.lifecycle.settings import LifecycleSettings

    used = kubeconfig or next(iter(default_files()), None)
    settings = await published_settings(client, LifecycleSettings(kubeconfig=used))
    async with HelmWorker() as helm, Fetcher() as fetcher:
        packages = await package_source(client, fetcher, helm)
        previewer = Previewer(client, client, helm, packages, settings, Asker("your own account"))
        return await previewer.preview(asked)


async def _approve(client: "Client", preview: "Preview") -> None:
    """Set the InstallPlan to what was shown, with its hash."""
    from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS

    wanted = preview.subject.plan
    approval = {"required": True, "planHash": preview.plan.hash}
    spec: dict[str, Any] = {
        "extension": {"name": wanted.extension, "version": wanted.version},
        "config": wanted.config,
        "approval": approval,
    }
    if wanted.target_namespace:
        spec["targetNamespace"] = wanted.target_namespace
    if preview.subject.exists:
        await client.patch(INSTALLPLANS, wanted.extension, {"spec": spec})
        return
    obj = {
        "apiVersion": INSTALLPLANS.api_version,
        "kind": INSTALLPLANS.kind,
        "metadata": {"name": wanted.extension},
        "spec": {**spec, "enabled": True, "upgradeStrategy": "Manual"},
    }
    await client.create(INSTALLPLANS, obj)


def _print(shown: "Plan") -> None:
    from dovetail.lifecycle.preview.words import lines

    for number, line in enumerate(lines(shown)):
        sign = line.strip()[:1] if line.startswith("  ") else ""
        click.secho(line, fg=_COLOURS.get(sign), bold=number == 0 or (line.endswith(":") and not line.startswith(" ")))
