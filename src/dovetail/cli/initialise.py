"""Prepares a cluster for the platform: resource kinds, namespaces, built-in roles, the administrator.

It is a short-lived process (`dovetail init`), so that the supervisor stays small and an operator can run it alone
against a real cluster. It is idempotent. The generated password leaves it once, on standard output.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError, first_of

if TYPE_CHECKING:
    from dovetail.kube import Client

_TIMEOUT = 60.0
_ESTABLISH_TIMEOUT = 30.0
_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Initialised:
    """What came of it. `password` is None when the administrator existed before."""

    admin: str
    password: str | None


async def initialise(kubeconfig: Path) -> Initialised:
    """Run `dovetail init` for a cluster. Raises CommandError with its sentence when it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dovetail.cli.dovetail", "init", "--kubeconfig", str(kubeconfig), "--output", "json",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_TIMEOUT):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise CommandError(err.decode(errors="replace").strip() or "dovetail init failed.")
    result = orjson.loads(out)
    return Initialised(result["admin"], result["password"])


@click.command("init")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="The cluster; by default kubectl's.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def init(kubeconfig: Path | None, output: str) -> None:
    """Prepare a cluster: resource kinds, namespaces, built-in roles, the administrator. Safe to repeat."""
    import uvloop

    done = uvloop.run(_prepare(kubeconfig))
    if output == "json":
        click.echo(orjson.dumps({"admin": done.admin, "password": done.password}).decode())
        return
    click.echo(f"The cluster is ready. Administrator: {done.admin}")
    if done.password:
        click.echo(f"Password (shown only now): {done.password}")


async def _prepare(kubeconfig: Path | None) -> Initialised:
    from dovetail.iam import bootstrap
    from dovetail.kube import Client, ClusterConfig
    from dovetail.kube.errors import KubeError

    try:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-init") as client:
            await _install_kinds(client)
            result = await bootstrap.ensure(client)
            done = Initialised(result.admin_name, result.admin_password)
    except* (KubeError, TimeoutError) as group:
        raise ClusterUnreachable(kubeconfig, str(first_of(group))) from group
    return done


async def _install_kinds(client: "Client") -> None:
    """Apply our CRDs and wait until each is established, some side by side: each costs a connection."""
    from dovetail.apis.crds import crds

    left = iter(crds())

    async def install_some() -> None:
        for crd in left:
            await _install_kind(client, crd)

    async with asyncio.TaskGroup() as group:
        for _ in range(_SIDE_BY_SIDE):
            group.create_task(install_some())


async def _install_kind(client: "Client", crd: dict[str, Any]) -> None:
    from dovetail.kube import CRDS, is_true

    applied = await client.apply(CRDS, crd, field_manager="dovetail-init", force=True)
    async with asyncio.timeout(_ESTABLISH_TIMEOUT):
        while not is_true(applied.get("status", {}).get("conditions", ()), "Established"):
            await asyncio.sleep(0.05)
            applied = await client.get(CRDS, crd["metadata"]["name"])
