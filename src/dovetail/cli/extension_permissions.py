"""`dovetail extension permissions`: what a package's account needs against what its permissions.yaml declares.

The package is rendered as the platform would render it, for the host and for member clusters: from a file without any
cluster, or as the cluster's catalogue has it. Nothing is installed.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError
from dovetail.cli.extension_cluster import UnknownExtension

if TYPE_CHECKING:
    from dovetail.helm import HelmWorker
    from dovetail.kube import Client
    from dovetail.lifecycle.permissions_compared import Comparison, Declared
    from dovetail.lifecycle.settings import LifecycleSettings
    from dovetail.packaging.package import Package
    from dovetail.packaging.permissions import Rule

_MISSING = 2
_COLOURS = {"needed": None, "wider": "yellow", "unused": "red"}


class PackageUnusable(CommandError):
    """There is no package to look at, or it does not render."""


@click.command("permissions")
@click.argument("name")
@click.option("--version", default="", help="Of this version; by default the installed one, else the best there is.")
@click.option(
    "--values", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A YAML file of Helm values; by default none but the platform's own.",
)  # fmt: skip
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option(
    "--output", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True,
    help="yaml is the permissions.yaml that is enough, and no more.",
)  # fmt: skip
def permissions(name: str, version: str, values: Path | None, kubeconfig: Path | None, output: str) -> None:
    """Compare what the extension NAME, or the package in a file of this name, needs with what it declares.

    The exit code is 0 when everything that is needed is declared, 2 when something is missing.
    """
    config = values.read_text() if values is not None else ""
    data = Path(name).read_bytes() if Path(name).is_file() else None
    title, comparison = asyncio.run(_look(name, data, version, config, kubeconfig))
    if output == "yaml":
        from dovetail.lifecycle.permissions_compared import minimal

        click.echo(minimal(comparison.needed), nl=False)
    elif output == "json":
        click.echo(orjson.dumps({"package": title, **as_json(comparison)}).decode())
    else:
        _print(title, comparison)
    raise SystemExit(_MISSING if comparison.missing else 0)


async def _look(
    name: str, data: bytes | None, version: str, config: str, kubeconfig: Path | None
) -> "tuple[str, Comparison]":
    from dovetail.helm import HelmError, HelmWorker
    from dovetail.lifecycle.errors import LifecycleError
    from dovetail.lifecycle.settings import LifecycleSettings
    from dovetail.packaging.errors import PackagingError

    try:
        async with HelmWorker() as helm:
            if data is not None:
                from dovetail.packaging import read_package

                return await _compare(helm, read_package(data), data, config, LifecycleSettings())
            return await _of_catalogue(helm, name, version, config, kubeconfig)
    except (HelmError, LifecycleError, PackagingError) as error:
        raise PackageUnusable(f"The permissions of {name} cannot be told: {error}") from error


async def _of_catalogue(
    helm: "HelmWorker", name: str, version: str, config: str, kubeconfig: Path | None
) -> "tuple[str, Comparison]":
    from dovetail.apis.dialects import extension_version
    from dovetail.apis.errors import InvalidObject
    from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONVERSIONS
    from dovetail.cli.extension_cluster import surveyed
    from dovetail.kube import Client, ClusterConfig, KubeError
    from dovetail.lifecycle.dependencies.overview import chosen
    from dovetail.lifecycle.fetching import Fetcher
    from dovetail.lifecycle.platform_settings import published_settings
    from dovetail.lifecycle.preview.catalogue_source import package_source
    from dovetail.lifecycle.settings import LifecycleSettings

    try:
        async with (
            Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-permissions") as client,
            Fetcher() as fetcher,
        ):
            there = await surveyed(client)
            one = chosen(there, name, version)
            if one is None:
                raise UnknownExtension(name, version, [known.version for known in there.catalogue.versions(name)])
            found = extension_version(await client.get(EXTENSIONVERSIONS, f"{name}-{one.version}"))
            fetched = await (await package_source(client, fetcher, helm)).load(found)
            settings = await published_settings(client, LifecycleSettings())
            return await _compare(helm, fetched.package, fetched.data, config, settings, client, found.namespace)
    except InvalidObject as error:
        raise PackageUnusable(f"ExtensionVersion {name}-{version} cannot be read: {error}") from error
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error


async def _compare(
    helm: "HelmWorker", package: "Package", data: bytes, config: str, settings: "LifecycleSettings",
    client: "Client | None" = None, namespace: str = "",
) -> "tuple[str, Comparison]":  # fmt: skip
    from dovetail.helm import Render, Values
    from dovetail.lifecycle.existing_roles import existing_roles
    from dovetail.lifecycle.permissions_compared import compared
    from dovetail.lifecycle.permissions_needed import RoleKey, Scope, bound_roles, needed, scopes
    from dovetail.lifecycle.rendered import Rendered, read, read_templates
    from dovetail.lifecycle.values import injected_values
    from dovetail.packaging.metadata import MULTICLUSTER
    from dovetail.packaging.permissions import PERMISSIONS_FILE

    where = namespace or package.metadata.target_namespace
    objects: list[Rendered] = []
    definitions: list[Rendered] = []
    for agent in (False, True) if package.metadata.installation_mode == MULTICLUSTER else (False,):
        values = Values(config, injected_values(settings, package.dependencies, agent=agent))
        release = f"{package.name}-agent" if agent else package.name
        rendering = await helm.call(Render(release=release, chart=data, namespace=where, values=values))
        objects += read_templates(rendering["manifests"])
        definitions += read(text for _, text in rendering["crds"])
    served: dict[tuple[str, str], Scope] = {}
    roles: dict[RoleKey, tuple[Rule, ...]] = {}
    if client is not None:
        served = {
            (each.resource.group, each.resource.kind): Scope(each.resource.plural, each.resource.namespaced)
            for each in await client.discover_all()
        }
        roles = await existing_roles(client, bound_roles(objects, where))
    wants = needed(objects, definitions, where, scopes([*objects, *definitions], served), roles)
    return f"{package.name} {package.version}", compared(wants, package.files.get(PERMISSIONS_FILE, b""))


def as_json(comparison: "Comparison") -> dict[str, Any]:
    """Both sides, for programs."""
    lacking = {id(one.want): one.parts for one in comparison.missing}
    return {
        "needed": [
            {"role": "ClusterRole" if one.cluster else "Role", "rule": _plain(one.rule), "for": list(one.reasons),
             "declared": id(one) not in lacking, "missing": [_plain(part) for part in lacking.get(id(one), ())]}
            for one in comparison.needed.wants
        ],
        "declared": [
            {"role": one.kind, "rule": _plain(one.rule), "place": one.place, "use": one.use,
             "beyond": list(one.beyond), "risks": list(one.risks)}
            for one in comparison.declared
        ],
    }  # fmt: skip


def _plain(rule: "Rule") -> Any:
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(rule))


def _print(title: str, comparison: "Comparison") -> None:
    from dovetail.lifecycle.permissions_compared import words

    click.secho(f"{title} needs, beside the minimum in its own namespace:", bold=True)
    lacking = {id(one.want): one.parts for one in comparison.missing}
    for one in comparison.needed.wants:
        parts = lacking.get(id(one), ())
        where = "in the cluster" if one.cluster else "in its namespace"
        click.secho(f"  {'!' if parts else ' '} {words(one.rule)}, {where}", fg="red" if parts else None)
        click.echo(f"      for {_some(one.reasons)}")
        for part in parts:
            click.secho(f"      missing: {words(part)}", fg="red")
    click.secho("It declares:" if comparison.declared else "It declares nothing.", bold=True)
    for one in comparison.declared:
        click.secho(f"  {one.place} {one.kind}: {words(one.rule)}: {_use(one)}", fg=_COLOURS[one.use])
        if one.risks:
            click.echo(f"      with this rule the extension may {', '.join(one.risks)}")
    lacks, wide = len(comparison.missing), len(comparison.excess)
    told = (
        f"not declared: {lacks} of {len(comparison.needed.wants)} needs" if lacks else "everything needed is declared"
    )
    click.secho(f"In short: {told}; more than it takes: {wide} of {len(comparison.declared)} rules.", bold=True)


def _use(one: "Declared") -> str:
    if one.use == "wider":
        return f"more than needed ({_some(one.beyond)})"
    if one.use == "needed":
        return "needed"
    return "nothing needs it" + (" beside the minimum" if one.kind == "Role" else "")


def _some(texts: tuple[str, ...], most: int = 4) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
