"""The commands that run one process of the platform each. `dovetail up` starts them; a pod may too.

Every command takes plain paths and ports, wires its room's `serve` to the process's ties, and holds no logic.
Rooms are imported inside the commands, so that `dovetail --help` does not pay for any of them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from dovetail.cli.process import Ties, run

_PATH = click.Path(path_type=Path)


def tied(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that tie a process to its supervisor; hidden, since nobody types them."""
    command = click.option("--ready-fd", type=int, hidden=True)(command)
    command = click.option("--lifeline-fd", type=int, hidden=True)(command)
    return click.option("--verbose", is_flag=True, help="Log what is decided, not only what happens.")(command)


@click.command("kube")
@click.option("--data-dir", type=_PATH, required=True, help="Where the cluster's state, keys and kubeconfigs lie.")
@click.option("--bind", "host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=16443, show_default=True, help="The port of the Kubernetes API (always TLS).")
@tied
def kube(data_dir: Path, host: str, port: int, ready_fd: int | None, lifeline_fd: int | None, verbose: bool) -> None:
    """Run the embedded cluster: a Kubernetes-compatible API with its built-in controllers."""
    from dovetail.cli.embedded_cluster import serve

    run(lambda on_ready: serve(data_dir, host, port, on_ready), Ties(ready_fd, lifeline_fd), verbose=verbose)
