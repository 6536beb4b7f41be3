"""Small commands for whoever runs a platform: print the resource kinds, make a new password."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, UnknownUser

if TYPE_CHECKING:
    from dovetail.kube import Client

_KUBECONFIG = click.option(
    "--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's."
)  # fmt: skip


@click.command("crds")
@click.option("--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def crds(output: str) -> None:
    """Print the CustomResourceDefinitions of the platform's kinds, for kubectl apply."""
    from dovetail.apis.crds import crds as definitions

    if output == "json":
        click.echo(orjson.dumps({"apiVersion": "v1", "kind": "List", "items": definitions()}).decode())
        return
    import yaml

    click.echo(yaml.safe_dump_all(definitions(), sort_keys=False, allow_unicode=True), nl=False)


@click.command("reset-password")
@click.argument("user", default="admin")
@_KUBECONFIG
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def reset_password(user: str, kubeconfig: Path | None, output: str) -> None:
    """Give USER (by default admin) a new generated password and end the user's sessions."""
    import uvloop

    password = uvloop.run(_reset(user, kubeconfig))
    if output == "json":
        click.echo(orjson.dumps({"user": user, "password": password}).decode())
    else:
        click.echo(f"New password of {user} (shown only now): {password}")


async def _reset(user: str, kubeconfig: Path | None) -> str:
    from dovetail.iam.passwords import generate_password
    from dovetail.kube import Client, ClusterConfig
    from dovetail.kube.errors import KubeError, NotFound

    password = generate_password()
    try:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-reset-password") as client:
            await _store(client, user, password)
    except NotFound as error:
        raise UnknownUser(user) from error
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error
    return password


async def _store(client: "Client", user: str, password: str) -> None:
    """The hash and the time of the change: tokens issued before it are refused everywhere."""
    from dovetail.apis.iam_v1beta1 import USERS
    from dovetail.apis.labels import LAST_PASSWORD_CHANGE
    from dovetail.iam.passwords import hash_password
    from dovetail.kube import now, rfc3339

    changed = {LAST_PASSWORD_CHANGE: rfc3339(now())}
    body = {"metadata": {"annotations": changed}, "spec": {"password": hash_password(password)}}
    await client.patch(USERS, user, body)
