"""How a command is entered and left: exit codes, and errors as one red sentence. Nothing ends in a traceback.

Exit code 1 for a refusal, 2 for wrong usage, 130 for Ctrl-C at a prompt. `DOVETAIL_DEBUG=1` shows the traceback of
whatever went wrong, for whoever mends it.
"""

import logging
import os
import sys
from typing import NoReturn

import click

from dovetail.cli.errors import CommandError, first_of


def enter(command: click.Command, name: str) -> NoReturn:
    """Run the command and leave with its exit code."""
    # A refused TLS handshake is told by our one sentence, not also by the event loop's ten.
    if not os.environ.get("DOVETAIL_DEBUG"):
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        sys.exit(command.main(standalone_mode=False, prog_name=name) or 0)
    except (click.exceptions.Abort, KeyboardInterrupt):
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads: say nothing more
        sys.exit(1)
    except Exception as error:
        refuse(error, name)


def refuse(error: Exception, name: str) -> NoReturn:
    """One red sentence, then exit code 1."""
    if os.environ.get("DOVETAIL_DEBUG"):
        import traceback

        traceback.print_exception(error)
    click.secho(_sentence(first_of(error), name), fg="red", err=True)
    sys.exit(1)


def _sentence(error: BaseException, name: str) -> str:
    from dovetail.kube.errors import KubeError
    from dovetail.packaging.errors import PackagingError

    if isinstance(error, (CommandError, PackagingError, KubeError)):
        return str(error)
    if _is_of_the_embedded_cluster(error):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be used: {error.strerror}. Check the path and its permissions."
    return (
        f"{name} met something that it does not know: {type(error).__name__}: {error}. "
        "Run it again with DOVETAIL_DEBUG=1 and report what it prints."
    )


def _is_of_the_embedded_cluster(error: BaseException) -> bool:
    from dovetail.embedded.apiserver import ApiServerError

    return isinstance(error, ApiServerError)
