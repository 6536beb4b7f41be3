"""ksbuilder's commands that talk to a cluster: publish, unpublish. What they do there is `ksbuilder_catalogue`."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from dovetail.cli import ksbuilder_catalogue as catalogue
from dovetail.cli.ksbuilder_errors import ClusterRefused
from dovetail.cli.ksbuilder_local import build_directory, output_option, print_json, read_subject, tell
from dovetail.kube import ApiError, Client, ClusterConfig, ConfigError, Forbidden, KubeError, Unauthorized, Unreachable
from dovetail.packaging.errors import InvalidMetadata
from dovetail.packaging.findings import errors_of
from dovetail.packaging.package import Package, read_package

T = TypeVar("T")

kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="Which cluster. [default: $KUBECONFIG, then ~/.kube/config, then the pod's account]",
)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@kubeconfig_option
@output_option
def publish(path: Path, kubeconfig: Path | None, output: str) -> None:
    """Make the extension at PATH, a directory or a .tgz, known to the platform.

    Publishing a version again replaces it. What is installed stays as it is.
    """
    if output == "text":
        click.echo(f"publish extension {path}")
    package, data = _read(path)
    changes = _run(kubeconfig, lambda client: catalogue.publish(client, package, data))
    if output == "json":
        changed = [{"kind": change.kind, "name": change.name, "action": change.action} for change in changes]
        identity = {"name": package.name, "version": package.version, "digest": package.digest}
        print_json({**identity, "objects": changed})
        return
    for change in changes:
        click.echo(f"{change.action} {change.kind} {change.name}")
    click.echo(f"published {package.name} {package.version}")


@click.command()
@click.argument("name")
@kubeconfig_option
@output_option
def unpublish(name: str, kubeconfig: Path | None, output: str) -> None:
    """Take every version of the extension NAME that was published by hand away again.

    Refuses while the extension is installed.
    """
    if output == "text":
        click.echo(f"unpublish extension {name}")
    changes = _run(kubeconfig, lambda client: catalogue.unpublish(client, name))
    if output == "json":
        changed = [{"kind": change.kind, "name": change.name, "action": change.action} for change in changes]
        print_json({"name": name, "objects": changed})
        return
    for change in changes:
        click.echo(f"{change.action} {change.kind} {change.name}")


def _read(path: Path) -> tuple[Package, bytes]:
    """The package at a path. One with errors is not published, even if it could be read."""
    data = read_subject(path) if not path.is_dir() else build_directory(path).data
    assert isinstance(data, bytes)
    package = read_package(data)
    if errors := errors_of(package.findings):
        raise InvalidMetadata(errors)
    tell(package.findings)
    return package, data


def _run(kubeconfig: Path | None, action: Callable[[Client], Awaitable[T]]) -> T:
    """Do something with a client; what goes wrong comes out as one sentence."""

    async def connected() -> T:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="ksbuilder") as client:
            return await action(client)

    try:
        return asyncio.run(connected())
    except KubeError as error:
        raise refusal(error) from error
    except ssl.SSLError as error:
        remedy = "Correct the certificates in the kubeconfig."
        raise ClusterRefused("The cluster's certificates cannot be used", str(error), remedy) from error


def refusal(error: KubeError) -> ClusterRefused:
    """What a person can do about an error of the cluster."""
    if isinstance(error, ConfigError):
        return ClusterRefused("The kubeconfig cannot be used", str(error), "Give another one with --kubeconfig.")
    if isinstance(error, Unreachable):
        return ClusterRefused("The cluster does not answer", str(error), "Start it, or give another --kubeconfig.")
    if isinstance(error, Unauthorized):
        return ClusterRefused("The cluster does not know you", error.message, "Log in, or give another --kubeconfig.")
    if isinstance(error, Forbidden):
        return ClusterRefused("You may not do this", error.message, "Ask an administrator of the platform.")
    message = error.message if isinstance(error, ApiError) else str(error)
    return ClusterRefused("The cluster refused", message, "Put the cause right and try again.")
