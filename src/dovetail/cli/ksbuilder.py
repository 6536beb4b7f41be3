"""The `ksbuilder` command: package, check and publish extensions.

The tool that extension authors know, with the same words (reference/ksbuilder.md 1). Each command lives in a module
that is imported when it is called: `ksbuilder package` must not wait for a Kubernetes client. What the commands share:
a refusal is one red sentence on stderr with the way out and exit code 1 (2 for wrong usage), results go to stdout, as
text or, with `--output json`, as one JSON value; warnings go to stderr.
"""

import importlib
import os
import sys
from typing import Any

import click

from dovetail import __version__

_COMMANDS = {
    "package": "dovetail.cli.ksbuilder_local:package",
    "validate": "dovetail.cli.ksbuilder_local:validate",
    "publish": "dovetail.cli.ksbuilder_cluster:publish",
    "unpublish": "dovetail.cli.ksbuilder_cluster:unpublish",
    "version": "dovetail.cli.ksbuilder_local:version",
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
@click.version_option(__version__, "-v", "--version", prog_name="ksbuilder")
def ksbuilder() -> None:
    """Package, check and publish extensions of Dovetail and KubeSphere.

    An extension is a directory with an extension.yaml:

    \b
      ksbuilder validate greeter            say what is wrong with it
      ksbuilder package greeter             write greeter-0.1.0.tgz
      ksbuilder publish greeter-0.1.0.tgz   make it known to the platform
    """


def main() -> None:
    """Run the command and leave with its exit code; nothing ever ends in a traceback."""
    try:
        sys.exit(ksbuilder.main(standalone_mode=False) or 0)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads: say nothing more
        sys.exit(1)
    except Exception as error:
        refuse(error)


def refuse(error: Exception) -> None:
    """One red sentence, then exit code 1. `DOVETAIL_DEBUG=1` shows the traceback too, for whoever mends ksbuilder."""
    if os.environ.get("DOVETAIL_DEBUG"):
        import traceback

        traceback.print_exception(error)
    click.secho(_sentence(error), fg="red", err=True)
    sys.exit(1)


def _sentence(error: Exception) -> str:
    from dovetail.cli.errors import CommandError
    from dovetail.packaging.errors import PackagingError

    if isinstance(error, (CommandError, PackagingError)):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}. Check the path and its permissions."
    return (
        f"ksbuilder met something that it does not know: {type(error).__name__}: {error}. "
        "Run it again with DOVETAIL_DEBUG=1 and report what it prints."
    )


if __name__ == "__main__":
    main()
