"""Talking to a cluster from a command: which one, and what goes wrong as one sentence."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from dovetail.cli.ksbuilder.errors import ClusterRefused
from dovetail.kube import ApiError, Client, ClusterConfig, ConfigError, Forbidden, KubeError, Unauthorized, Unreachable

T = TypeVar("T")

kubeconfig_option = click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path),
    help="Which cluster. [default: $KUBECONFIG, then ~/.kube/config, then the pod's account]",
)


console_option = click.option(
    "--console", default="", metavar="URL", help="The platform at this address instead, where you logged in."
)


def config_for(kubeconfig: Path | None, console: str) -> ClusterConfig:
    """Which cluster is meant. Raises ClusterRefused, NotLoggedIn, PlatformRefused."""
    if not console:
        try:
            return ClusterConfig.load(kubeconfig)
        except ConfigError as error:
            raise refusal(error) from error
    from dovetail.cli.ksbuilder.platform_login import config_of

    return config_of(console)


def run(kubeconfig: Path | None, action: Callable[[Client], Awaitable[T]], console: str = "") -> T:
    """Do something with a client; what goes wrong comes out as one sentence."""

    async def connected(config: ClusterConfig) -> T:
        async with Client(config, user_agent="ksbuilder") as client:
            return await action(client)

    try:
        return asyncio.run(connected(config_for(kubeconfig, console)))
    except KubeError as error:
        raise refusal(error) from error
    except ssl.SSLError as error:
        remedy = "Correct the certificates in the kubeconfig."
        raise ClusterRefused("The cluster's certificates cannot be used", str(error), remedy) from error


def refusal(error: KubeError) -> ClusterRefused:
    """What a person can do about an error of the cluster."""
    if isinstance(error, ConfigError):
        remedy = error.remedy or "give another one with --kubeconfig"
        reason = f"{error.source}: {error.problem}"
        return ClusterRefused("The kubeconfig cannot be used", reason, f"{remedy[0].upper()}{remedy[1:]}.")
    if isinstance(error, Unreachable):
        return ClusterRefused("The cluster does not answer", str(error), "Start it, or give another --kubeconfig.")
    if isinstance(error, Unauthorized):
        return ClusterRefused("The cluster does not know you", error.message, "Log in, or give another --kubeconfig.")
    if isinstance(error, Forbidden):
        return ClusterRefused("You may not do this", error.message, "Ask an administrator of the platform.")
    message = error.message if isinstance(error, ApiError) else str(error)
    return ClusterRefused("The cluster refused", message, "Put the cause right and try again.")
