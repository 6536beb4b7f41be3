"""How the commands about extensions meet the cluster: with a kubeconfig, as kubectl does; its errors in a sentence."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dovetail.cli.errors import ClusterUnreachable, CommandError

if TYPE_CHECKING:
    from dovetail.kube import Client
    from dovetail.lifecycle.dependencies.catalogue import Situation

T = TypeVar("T")


class UnknownExtension(CommandError):
    """There is no such extension, or not in this version."""

    def __init__(self, name: str, version: str, known: list[str]) -> None:
        asked = f"{name} {version}".strip()
        there = f"There is {', '.join(known)}." if known else "Add a repository that has it, or publish it."
        super().__init__(f"No version {asked} is known. {there}")


def on_cluster(kubeconfig: Path | None, agent: str, work: "Callable[[Client], Awaitable[T]]") -> T:
    """Do something with the cluster. Raises CommandError."""
    import uvloop

    from dovetail.kube.errors import Forbidden, Invalid, KubeError
    from dovetail.lifecycle.dependencies.network import TooHard

    try:
        return uvloop.run(_connected(kubeconfig, agent, work))
    except (Forbidden, Invalid) as error:
        raise CommandError(f"The cluster does not take it: {error}") from error
    except TooHard as error:
        raise CommandError(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    except KubeError as error:
        raise ClusterUnreachable(kubeconfig, str(error)) from error


async def _connected(kubeconfig: Path | None, agent: str, work: "Callable[[Client], Awaitable[T]]") -> T:
    from dovetail.kube import Client, ClusterConfig

    async with Client(ClusterConfig.load(kubeconfig), user_agent=agent) as client:
        return await work(client)


async def surveyed(client: "Client") -> "Situation":
    """The cluster's situation, for the platform version that its controllers work with."""
    from dovetail.lifecycle.dependencies.survey import survey
    from dovetail.lifecycle.platform_settings import published_settings
    from dovetail.lifecycle.settings import LifecycleSettings

    settings = await published_settings(client, LifecycleSettings())
    return await survey(client, settings.platform_version)
