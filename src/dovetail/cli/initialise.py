"""Prepares a cluster for the platform: resource kinds, namespaces, built-in roles, the administrator.

It is a short-lived process (`dovetail init`), so that the supervisor stays small and an operator can run it alone
against a real cluster. It is idempotent. The generated password leaves it once, on standard output.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from dovetail.cli.errors import ClusterUnreachable, CommandError

_TIMEOUT = 60.0


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
        out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT)
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
    from dovetail.kube.errors import ApiError, ConfigError, Unreachable

    try:
        async with Client(ClusterConfig.load(kubeconfig), user_agent="dovetail-init") as client:
            await _install_kinds(client)
            result = await bootstrap.ensure(client)
    except (ApiError, ConfigError, Unreachable) as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error
    return Initialised(result.admin_name, result.admin_password)


async def _install_kinds(client: "object") -> None:
    """Apply our CRDs and wait until each is established."""
    from dovetail.apis.crds import crds
    from dovetail.kube import Client
    from dovetail.kube.resources import CRDS

    assert isinstance(client, Client)
    wanted = crds()
    async with asyncio.TaskGroup() as group:
        for crd in wanted:
            group.create_task(client.apply(CRDS, crd, field_manager="dovetail-init", force=True))
    async with asyncio.timeout(30):
        while not all(
            map(_established, (await client.list(CRDS)).items_by_name(c["metadata"]["name"] for c in wanted))
        ):
            await asyncio.sleep(0.1)


def _established(crd: dict[str, object]) -> bool:
    status = crd.get("status") or {}
    assert isinstance(status, dict)
    conditions = status.get("conditions") or []
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
