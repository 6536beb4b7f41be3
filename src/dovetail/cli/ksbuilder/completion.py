"""`ksbuilder completion`: the script with which a shell completes commands and options."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_KSBUILDER_COMPLETE"


@click.command(short_help="Print a shell's completion script.")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash    source <(ksbuilder completion bash)          in ~/.bashrc
    zsh     source <(ksbuilder completion zsh)           in ~/.zshrc
    fish    ksbuilder completion fish | source           in ~/.config/fish/config.fish
    """
    from dovetail.cli.ksbuilder import ksbuilder

    maker = get_completion_class(shell)
    assert maker is not None
    click.echo(maker(ksbuilder, {}, "ksbuilder", VARIABLE).source())
