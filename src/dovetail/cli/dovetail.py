"""The `dovetail` command. Subcommands are imported when they are called, so that help and completion are quick."""

import importlib
import sys
from typing import Any

import click

from dovetail import __version__
from dovetail.cli.errors import CommandError

_COMMANDS = {
    "up": "dovetail.cli.up:up",
    "init": "dovetail.cli.initialise:init",
    "reset-password": "dovetail.cli.administration:reset_password",
    "crds": "dovetail.cli.administration:crds",
    "kube": "dovetail.cli.parts:kube",
    "apiserver": "dovetail.cli.apiserver:apiserver",
    "gateway-control": "dovetail.cli.parts:gateway_control",
    "gateway-worker": "dovetail.cli.parts:gateway_worker",
    "controller-manager": "dovetail.cli.parts:controller_manager",
    "console": "dovetail.cli.parts:console",
}


class _LazyGroup(click.Group):
    """A group whose subcommands are named by `module:attribute` and imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command: Any = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dovetail")
def dovetail() -> None:
    """Dovetail, the open extension platform for Kubernetes.

    `dovetail up` starts everything on this machine: an embedded cluster, the gateway, the controllers and the console.
    """


def main() -> None:
    """Run the command; a refusal is one red sentence and exit code 1."""
    try:
        dovetail.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CommandError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
