"""The `dovetail` command. Subcommands are imported when they are called, so that help and completion are quick."""

import click

from dovetail import __version__
from dovetail.cli.entry import enter
from dovetail.cli.lazy import LazyGroup

_COMMANDS = {
    "up": "dovetail.cli.up:up",
    "init": "dovetail.cli.initialise:init",
    "user": "dovetail.cli.user:user",
    "reset-password": "dovetail.cli.administration:reset_password",
    "whoami": "dovetail.cli.whoami:whoami",
    "extension": "dovetail.cli.extension:extension",
    "doctor": "dovetail.cli.doctor:doctor",
    "crds": "dovetail.cli.administration:crds",
    "gateway": "dovetail.cli.gateway:gateway",
    "kube": "dovetail.cli.parts:kube",
    "apiserver": "dovetail.cli.apiserver:apiserver",
    "gateway-control": "dovetail.cli.parts:gateway_control",
    "gateway-worker": "dovetail.cli.parts:gateway_worker",
    "controller-manager": "dovetail.cli.parts:controller_manager",
    "console": "dovetail.cli.parts:console",
}


class _Commands(LazyGroup):
    places = _COMMANDS


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dovetail")
def dovetail() -> None:
    """Dovetail, the open extension platform for Kubernetes.

    `dovetail up` starts everything on this machine: an embedded cluster, the gateway, the controllers and the console.
    """


def main() -> None:
    """Run the command and leave with its exit code."""
    enter(dovetail, "dovetail")


if __name__ == "__main__":
    main()
