"""`dovetail apiserver`: the gateway alone, control and workers, on a cluster that is there already."""

import asyncio
import signal
from pathlib import Path

import click

from dovetail.cli.audit_log import AuditLog, audit_options
from dovetail.cli.authentication import Authentication, authentication_options
from dovetail.cli.certificate import check_certificate
from dovetail.cli.datadir import DataDirectory, default_root
from dovetail.cli.errors import CommandError, first_of
from dovetail.cli.gateway_limits import gateway_limit_option
from dovetail.cli.layout import Address, Layout
from dovetail.cli.supervisor import Supervisor
from dovetail.cli.trusted_proxies import trusted_proxy_option

_PATH = click.Path(path_type=Path)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("apiserver")
@click.option("--kubeconfig", type=_FILE, required=True, help="The cluster.")
@click.option(
    "--data-dir",
    type=_PATH,
    default=default_root,
    show_default="$XDG_DATA_HOME/dovetail",
    help="Where sockets and logs lie. A console with the same directory is served.",
)
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=30880, show_default=True, help="The port to listen on.")
@click.option("--tls-cert", type=_FILE, help="Serve HTTPS with this certificate chain (PEM).")
@click.option("--tls-key", type=_FILE, help="The key of --tls-cert (PEM).")
@click.option("--workers", default=0, show_default="one a core", help="How many gateway processes to run.")
@trusted_proxy_option
@gateway_limit_option
@click.option("--verbose", is_flag=True, help="Log what is decided, not only what happens.")
@authentication_options
@audit_options
def apiserver(
    kubeconfig: Path, data_dir: Path, bind: str, port: int, tls_cert: Path | None, tls_key: Path | None,
    workers: int, trusted_proxies: tuple[str, ...], gateway_limits: tuple[str, ...], verbose: bool,
    authentication: Authentication, audit: AuditLog,
) -> None:  # fmt: skip
    """Run the gateway: one control process, and one worker a core."""
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    check_certificate(tls_cert, tls_key)
    data = DataDirectory(data_dir.expanduser().resolve())
    data.prepare()
    lock = data.lock()
    layout = Layout(
        data,
        Address(bind, port, tls_cert, tls_key),
        0,
        workers,
        kubeconfig.resolve(),
        verbose,
        audit=audit,
        authentication=authentication,
        trusted_proxies=trusted_proxies,
        gateway_limits=gateway_limits,
    )
    try:
        asyncio.run(_run(layout))
    except* CommandError as group:
        raise first_of(group) from None
    finally:
        lock.release()


async def _run(layout: Layout) -> None:
    supervisor = Supervisor(layout.data.logs)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await supervisor.start((layout.gateway_control(), *layout.gateway_workers()))
        click.echo(f"The gateway is up at {layout.gateway.url}")
        await stop.wait()
    finally:
        await supervisor.stop()
