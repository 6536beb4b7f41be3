"""`ksbuilder list` and `ksbuilder get`: what a place has. Without a place it is the platform's catalogue."""

import asyncio
from pathlib import Path
from typing import Any

import click

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.cli.ksbuilder.cluster import console_option, kubeconfig_option, run
from dovetail.cli.ksbuilder.errors import NoSuchPackage, NotPublished
from dovetail.cli.ksbuilder.options import plain_http_option
from dovetail.cli.ksbuilder.places import Listed, newest_first, place_of
from dovetail.cli.ksbuilder.reporting import output_option, print_json, table
from dovetail.cli.ksbuilder.waiting import waiting
from dovetail.kube import Client, NotFound, labels_of


@click.command("list", short_help="List what a place or a platform has.")
@click.argument("place", required=False)
@click.option("--all", "every", is_flag=True, help="Every version, not the newest of each.")
@kubeconfig_option
@console_option
@plain_http_option
@output_option
def list_packages(
    place: str | None, every: bool, kubeconfig: Path | None, console: str, plain_http: bool | None, output: str
) -> None:
    """List the extensions in PLACE: a directory, a Helm repository, an oci:// path; or the platform's catalogue."""
    with waiting("reading the list"):
        found = _of_place(place, "", plain_http) if place else run(kubeconfig, _catalogue, console)
    listed = newest_first(found)
    if not every:
        listed = list({one.name: one for one in reversed(listed)}.values())[::-1]
    rows = [{"name": one.name, "version": one.version, "description": one.description} for one in listed]
    if output == "json":
        print_json(rows)
        return
    table(("NAME", "VERSION", "DESCRIPTION"), [tuple(row.values()) for row in rows])


@click.command("get", short_help="Say what is known about an extension.")
@click.argument("name")
@click.argument("place", required=False)
@kubeconfig_option
@console_option
@plain_http_option
@output_option
def get_package(
    name: str, place: str | None, kubeconfig: Path | None, console: str, plain_http: bool | None, output: str
) -> None:
    """Say what PLACE, or the platform's catalogue, knows about the extension NAME."""
    with waiting(f"looking for {name}"):
        if place:
            about = _about_place(name, place, plain_http)
        else:
            about = run(kubeconfig, lambda client: _about(client, name), console)
    if output == "json":
        print_json(about)
        return
    for key in ("name", "status", "installed"):
        if about.get(key):
            click.echo(f"{key.capitalize() + ':':<12}{about[key]}")
    rows = [(one["version"], one.get("repository", ""), one.get("digest", "")[:19]) for one in about["versions"]]
    table(("VERSION", "FROM", "SHA256"), rows)


def _of_place(place: str, name: str, plain: bool | None) -> list[Listed]:
    async def read() -> list[Listed]:
        async with place_of(place, plain=plain) as opened:
            return list(await opened.find(name))

    return asyncio.run(read())


def _about_place(name: str, place: str, plain: bool | None) -> dict[str, Any]:
    versions = newest_first(_of_place(place, name, plain))
    if not versions:
        raise NoSuchPackage(name, place, [])
    return {"name": name, "versions": [{"version": one.version, "digest": one.digest} for one in versions]}


async def _catalogue(client: Client) -> list[Listed]:
    found = await client.list(EXTENSIONVERSIONS)
    return [
        Listed(
            labels_of(obj).get(labels.EXTENSION_REF, ""),
            str(obj.get("spec", {}).get("version", "")),
            str(obj.get("spec", {}).get("description", {}).get("en", "")),
        )
        for obj in found.items
    ]


async def _about(client: Client, name: str) -> dict[str, Any]:
    """What the catalogue and the plan say about an extension."""
    try:
        extension = await client.get(EXTENSIONS, name)
    except NotFound as error:
        raise NotPublished(name) from error
    found = await client.list(EXTENSIONVERSIONS, label_selector=f"{labels.EXTENSION_REF}={name}")
    details = {
        str(obj["spec"].get("version", "")): {
            "digest": str(obj["spec"].get("digest", "")),
            "repository": labels_of(obj).get(labels.REPOSITORY_REF, ""),
        }
        for obj in found.items
    }
    ordered = newest_first([Listed(name, version) for version in details])
    plan = await _plan(client, name)
    return {
        "name": name,
        "status": plan.get("state") or "Published",
        "installed": plan.get("version", ""),
        "recommended": extension.get("status", {}).get("recommendedVersion", ""),
        "versions": [{"version": one.version, **details[one.version]} for one in ordered],
    }


async def _plan(client: Client, name: str) -> dict[str, Any]:
    try:
        plan = await client.get(INSTALLPLANS, name)
    except NotFound:
        return {}
    return dict(plan.get("status", {}))
