"""`ksbuilder dev`: the project as it is, on a running platform, a moment after every change.

What runs: the front end's own watcher, which builds the bundle when a source changes; the backend, restarted when its
sources change; and the loop of `development`, which packages, publishes and waits until the platform has brought the
installation in line. Pages that are open show it by themselves: the console replaces bundles that have changed.
"""

import asyncio
import contextlib
import signal
from pathlib import Path

import click

from dovetail.cli.ksbuilder.cluster import config_for, console_option, kubeconfig_option, refusal
from dovetail.cli.ksbuilder.development import Backend, Development, Frontend, Reporter
from dovetail.cli.ksbuilder.errors import NotAPackage
from dovetail.cli.ksbuilder.reporting import output_option
from dovetail.kube import Client, KubeError


@click.command(short_help="Install a project, and again at every change.")
@click.argument("directory", type=click.Path(path_type=Path), default=Path())
@click.option("--backend-url", default="", help="Where the backend runs already, instead of starting it here.")
@click.option("--no-backend", is_flag=True, help="Let the backend run in the cluster, from its image.")
@click.option("--set", "values", multiple=True, metavar="KEY=VALUE", help="Configuration of the installation.")
@click.option("--once", is_flag=True, help="Install it once and leave, without watching.")
@kubeconfig_option
@console_option
@output_option
def dev(
    directory: Path,
    backend_url: str,
    no_backend: bool,
    values: tuple[str, ...],
    once: bool,
    kubeconfig: Path | None,
    console: str,
    output: str,
) -> None:
    """Install the extension in DIRECTORY, and again whenever a file changes. Ctrl-C ends it; the extension stays.

    On a platform of this machine the backend runs here, too, and is restarted when it changes. A platform elsewhere
    (--console URL) cannot reach this machine: its backend runs there, or at --backend-url.
    """
    if not (directory / "extension.yaml").is_file():
        raise NotAPackage(str(directory), "there is no extension.yaml in it")
    config = config_for(kubeconfig, console)
    reporter = Reporter(as_json=output == "json")
    frontend = None if once else Frontend.of(directory, reporter)
    here = not (backend_url or no_backend or console)
    backend = Backend.of(directory, reporter) if here and not once else None

    async def session() -> None:
        # What was started here must not outlive this process, whoever ends it.
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with Client(config, user_agent="ksbuilder") as client:
            development = Development(client, directory, reporter, frontend, backend, backend_url, values)
            await development.run(once=once)

    try:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(session())
    except KubeError as error:
        raise refusal(error) from error
