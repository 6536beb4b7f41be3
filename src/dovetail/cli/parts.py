"""The commands that run one process of the platform each. `dovetail up` starts them; a pod may too.

Every command takes plain paths and ports, wires its room's `serve` to the process's ties, and holds no logic.
Rooms are imported inside the commands, so that `dovetail --help` does not pay for any of them.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import click

from dovetail.cli.audit_log import AuditLog, audit_options
from dovetail.cli.authentication import Authentication, authentication_options
from dovetail.cli.gateway_limits import gateway_limit_option, limits
from dovetail.cli.lazy import LazyGroup
from dovetail.cli.process import Ties, run
from dovetail.cli.trusted_proxies import trusted_proxy_option

_PATH = click.Path(path_type=Path)


async def _with_kinds(kubeconfig: Path | None, serve: Callable[[], Awaitable[None]]) -> None:
    from dovetail.cli.kinds import wait_for_kinds

    await wait_for_kinds(kubeconfig)
    await serve()


def tied(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that tie a process to its supervisor; hidden, since nobody types them."""
    command = click.option("--ready-fd", type=int, hidden=True)(command)
    command = click.option("--lifeline-fd", type=int, hidden=True)(command)
    return click.option("--verbose", is_flag=True, help="Log what is decided, not only what happens.")(command)


class _KubeCommands(LazyGroup):
    places: ClassVar = {
        "backup": "dovetail.cli.kube_backup:backup",
        "restore": "dovetail.cli.kube_backup:restore",
    }


@click.group("kube", cls=_KubeCommands, invoke_without_command=True)
@click.option("--data-dir", type=_PATH, help="Where the cluster's state, keys and kubeconfigs lie (required).")
@click.option("--bind", "host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=16443, show_default=True, help="The port of the Kubernetes API (always TLS).")
@tied
@click.pass_context
def kube(
    context: click.Context, data_dir: Path | None, host: str, port: int, ready_fd: int | None, lifeline_fd: int | None,
    verbose: bool,
) -> None:  # fmt: skip
    """Run the embedded cluster: a Kubernetes-compatible API with its built-in controllers. Or save and restore it."""
    if context.invoked_subcommand is not None:
        return
    if data_dir is None:
        raise click.MissingParameter(ctx=context, param_type="option", param_hint="'--data-dir'")
    from dovetail.cli.embedded_cluster import serve

    run(lambda on_ready: serve(data_dir, host, port, on_ready), Ties(ready_fd, lifeline_fd), verbose=verbose)


@click.command("gateway-control")
@click.option("--kubeconfig", type=_PATH, help="The cluster; by default kubectl's, or the pod's.")
@click.option("--issuer", required=True, help="The platform's public address, which tokens name as their issuer.")
@click.option("--run-dir", type=_PATH, required=True, help="Where the sockets between the processes lie.")
@authentication_options
@audit_options
@tied
def gateway_control(
    kubeconfig: Path | None,
    issuer: str,
    run_dir: Path,
    authentication: Authentication,
    audit: AuditLog,
    ready_fd: int | None,
    lifeline_fd: int | None,
    verbose: bool,
) -> None:
    """Run the gateway's control: snapshots, health, log-in and the platform's own API."""
    from dovetail.cli.gateway_control import ControlSettings, file_settings, serve

    settings = ControlSettings(kubeconfig, issuer, run_dir, file_settings(audit), authentication)
    run(
        lambda on_ready: _with_kinds(kubeconfig, lambda: serve(settings, on_ready)),
        Ties(ready_fd, lifeline_fd),
        verbose=verbose,
    )


@click.command("gateway-worker")
@click.option("--bind", "host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=30880, show_default=True, help="The port; all workers share it.")
@click.option("--snapshot-socket", type=_PATH, required=True, help="Where control hands out snapshots.")
@click.option("--metrics-socket", type=_PATH, help="A Unix socket on which to answer scrapes, for Prometheus.")
@click.option("--tls-cert", type=_PATH, help="Serve HTTPS with this certificate chain (PEM).")
@click.option("--tls-key", type=_PATH, help="The key of --tls-cert (PEM).")
@trusted_proxy_option
@gateway_limit_option
@tied
def gateway_worker(
    host: str, port: int, snapshot_socket: Path, metrics_socket: Path | None, tls_cert: Path | None,
    tls_key: Path | None, trusted_proxies: tuple[str, ...], gateway_limits: tuple[str, ...], ready_fd: int | None,
    lifeline_fd: int | None, verbose: bool,
) -> None:  # fmt: skip
    """Run one gateway worker: the data plane."""
    from dovetail.gateway.proxy import WorkerSettings, serve

    settings = WorkerSettings(
        host=host, port=port, snapshot_socket=snapshot_socket, metrics_socket=metrics_socket,
        tls_cert=tls_cert, tls_key=tls_key, trusted_proxies=trusted_proxies, limits=limits(gateway_limits),
    )  # fmt: skip
    run(lambda on_ready: serve(settings, on_ready), Ties(ready_fd, lifeline_fd), verbose=verbose)


@click.command("controller-manager")
@click.option("--kubeconfig", type=_PATH, help="The cluster; by default kubectl's, or the pod's.")
@click.option("--leader-elect", is_flag=True, help="Work only while holding the lease; for more than one replica.")
@click.option(
    "--ingress-domain",
    default="",
    help="The domain below which extensions get host names for their Ingresses (the value "
    "global.extension.ingress.domainSuffix of every release).",
)
@click.option(
    "--local-repositories",
    multiple=True,
    type=_PATH,
    help="A directory below which Repositories with file:/// addresses may be; may be given again. Without it none "
    "may: who writes a Repository could read this machine's files.",
)
@tied
def controller_manager(
    kubeconfig: Path | None,
    leader_elect: bool,
    ingress_domain: str,
    local_repositories: tuple[Path, ...],
    ready_fd: int | None,
    lifeline_fd: int | None,
    verbose: bool,
) -> None:
    """Run every reconciler: repositories, extensions, install plans, roles."""
    from dovetail.cli.controller_manager import serve
    from dovetail.lifecycle.settings import LifecycleSettings

    ingress = {"domainSuffix": ingress_domain} if ingress_domain else {}
    settings = LifecycleSettings(
        kubeconfig=kubeconfig, leader_elect=leader_elect, ingress=ingress, local_repositories=local_repositories
    )
    run(
        lambda on_ready: _with_kinds(kubeconfig, lambda: serve(settings, on_ready)),
        Ties(ready_fd, lifeline_fd),
        verbose=verbose,
    )


@click.command("console")
@click.option("--kubeconfig", type=_PATH, help="The cluster; by default kubectl's, or the pod's.")
@click.option("--socket", "socket_path", type=_PATH, required=True, help="The Unix socket that the gateway calls.")
@tied
def console(
    kubeconfig: Path | None, socket_path: Path, ready_fd: int | None, lifeline_fd: int | None, verbose: bool
) -> None:
    """Run the console: the page, its boot data, the bundles of the extensions."""
    from dovetail.console import ConsoleSettings, serve

    settings = ConsoleSettings(socket_path=socket_path, kubeconfig=kubeconfig)
    run(
        lambda on_ready: _with_kinds(kubeconfig, lambda: serve(settings, on_ready)),
        Ties(ready_fd, lifeline_fd),
        verbose=verbose,
    )
