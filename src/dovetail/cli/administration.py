"""Small commands for whoever runs a platform: print the resource kinds, make a new password."""

from pathlib import Path

import click
import orjson

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
    from dovetail.cli.user import new_password

    password = new_password(kubeconfig, user)
    if output == "json":
        click.echo(orjson.dumps({"user": user, "password": password}).decode())
    else:
        click.echo(f"New password of {user} (shown only now): {password}")
