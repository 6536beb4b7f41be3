"""`dovetail up`: the whole platform on this machine, in the foreground, under one supervisor."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import click
import orjson

from dovetail.cli.announcement import announce
from dovetail.cli.audit_log import AuditLog, audit_options
from dovetail.cli.authentication import Authentication, authentication_options
from dovetail.cli.certificate import check_certificate
from dovetail.cli.datadir import DataDirectory, default_root
from dovetail.cli.errors import CommandError, PageNotBuilt, PortTaken, UnsafeBind, first_of
from dovetail.cli.gateway_limits import gateway_limit_option
from dovetail.cli.initialise import Initialised, initialise
from dovetail.cli.layout import Address, Layout
from dovetail.cli.logs import follow
from dovetail.cli.progress import Progress, progress
from dovetail.cli.supervisor import Supervisor
from dovetail.cli.trusted_proxies import trusted_proxy_option

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command("up")
@click.option(
    "--data-dir",
    type=_PATH,
    default=default_root,
    show_default="$XDG_DATA_HOME/dovetail",
    help="Where everything lies: the embedded cluster's state, keys, kubeconfigs, logs.",
)
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address of the console and the gateway.")
@click.option("--port", default=30880, show_default=True, help="Their port; 0 picks a free one.")
@click.option(
    "--kube-port",
    default=16443,
    show_default=True,
    help="The embedded cluster's port, on 127.0.0.1; 0 picks a free one.",
)
@click.option(
    "--kubeconfig", type=_FILE, help="Use the Kubernetes cluster of this kubeconfig instead of the embedded one."
)
@click.option("--tls-cert", type=_FILE, help="Serve HTTPS with this certificate chain (PEM).")
@click.option("--tls-key", type=_FILE, help="The key of --tls-cert (PEM).")
@click.option(
    "--ingress-domain",
    help="The domain below which extensions get host names for their Ingresses (by default localhost, unless "
    "--kubeconfig names a cluster).",
)
@click.option("--workers", default=0, show_default="one a core", help="How many gateway processes to run.")
@trusted_proxy_option
@gateway_limit_option
@click.option("--dev", is_flag=True, help="For working on Dovetail or an extension: log decisions, show logs here.")
@click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the addresses when all is up; json is one line.",
)
@click.option("--lifeline-fd", type=int, hidden=True)
@authentication_options
@audit_options
def up(
    data_dir: Path, bind: str, port: int, kube_port: int, kubeconfig: Path | None, tls_cert: Path | None,
    tls_key: Path | None, ingress_domain: str | None, workers: int, trusted_proxies: tuple[str, ...],
    gateway_limits: tuple[str, ...], dev: bool, output: str, lifeline_fd: int | None,
    authentication: Authentication, audit: AuditLog,
) -> None:  # fmt: skip
    """Start the platform here and keep it running until Ctrl-C.

    The first start makes an administrator and prints the password once. A later start goes on with the same data.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    check_certificate(tls_cert, tls_key)
    if bind not in _LOOPBACK and tls_cert is None:
        raise UnsafeBind(bind)
    data = DataDirectory(data_dir.expanduser().resolve())
    data.prepare()
    lock = data.lock()
    try:
        gateway = Address(bind, _free(bind, port, "--port"), tls_cert, tls_key)
        kube = 0 if kubeconfig else _free("127.0.0.1", kube_port, "--kube-port")
        layout = Layout(
            data, gateway, kube, workers, kubeconfig.resolve() if kubeconfig else None, dev,
            ingress_domain if ingress_domain is not None else "" if kubeconfig else "localhost",
            audit, authentication, trusted_proxies, gateway_limits,
        )  # fmt: skip
        _check_page()
        asyncio.run(_run(layout, json_output=output == "json", show_logs=dev))
    except* CommandError as group:
        raise first_of(group) from None
    finally:
        lock.release()


def _free(host: str, port: int, option: str) -> int:
    """The port, picked when it is 0. Raises PortTaken when something else listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortTaken(host, port, option) from error
        return int(probe.getsockname()[1])


def _check_page() -> None:
    page = Path(__file__).parents[1] / "console" / "static" / "index.html"
    if not page.exists():
        raise PageNotBuilt


async def _run(layout: Layout, *, json_output: bool, show_logs: bool) -> None:
    begun = time.monotonic()
    stop = _stop_event()
    with progress(quiet=json_output) as shown:
        async with _until(stop, quiet=json_output), _platform(layout, shown) as initialised:
            shown.close()
            announce(layout, initialised, time.monotonic() - begun, as_json=json_output)
            await (follow(layout.data.logs) if show_logs else asyncio.Event().wait())
    if not json_output:
        click.echo("Stopped.")


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop


@contextlib.asynccontextmanager
async def _until(stop: asyncio.Event, *, quiet: bool) -> AsyncGenerator[None]:
    """End what runs inside when the event is set, also in the middle of a start."""
    inside = asyncio.current_task()
    assert inside is not None

    async def end() -> None:
        await stop.wait()
        if not quiet:
            click.echo("Stopping ...")
        inside.cancel()

    watcher = asyncio.create_task(end(), name="stop on a signal")
    try:
        yield
    except asyncio.CancelledError:
        if not stop.is_set() or inside.uncancel() > 0:
            raise
    finally:
        watcher.cancel()


@contextlib.asynccontextmanager
async def _platform(layout: Layout, shown: Progress) -> AsyncGenerator[Initialised]:
    """All processes, started side by side where they do not need one another, and stopped at the end."""

    def changed(name: str, state: str) -> None:
        shown.update(name, state)
        _write_state(layout, supervisor)

    supervisor = Supervisor(layout.data.logs, on_change=changed)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(supervisor.start(layout.gateway_workers()), name="workers")
            await supervisor.start(layout.cluster())
            rest = (layout.gateway_control(), layout.console(), layout.controllers())
            if layout.kubeconfig:
                initialised = await initialise(layout.kubeconfig)
                await supervisor.start(rest)
            else:
                group.create_task(supervisor.start(rest), name="rest")
                initialised = await initialise(layout.data.kubeconfig)
        yield initialised
    finally:
        await supervisor.stop()
        _state_file(layout).unlink(missing_ok=True)


def _state_file(layout: Layout) -> Path:
    return layout.data.run / "platform.json"


def _write_state(layout: Layout, supervisor: Supervisor) -> None:
    """What runs now, for people and scripts that look: addresses and process ids, no secrets."""
    state = {"console": layout.gateway.url, "supervisor": os.getpid(), "pids": supervisor.pids}
    fresh = _state_file(layout).with_suffix(".new")
    fresh.write_bytes(orjson.dumps(state))
    fresh.replace(_state_file(layout))
