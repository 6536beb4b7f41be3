"""The situation of a cluster: its catalogue, what its plans hold, and the versions it runs on.

A plan that has nothing in force yet counts with the version it asks for, a paused one as pinned, and one that is being
deleted not at all.
"""

import asyncio
from collections.abc import Iterable

import orjson

from dovetail.apis.kubesphere_v1alpha1 import EXTENSIONS, EXTENSIONVERSIONS, INSTALLPLANS
from dovetail.kube import Client, key_of
from dovetail.kube.resources import Object
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.dependencies.catalogue import Installed, Situation, catalogue
from dovetail.lifecycle.dependencies.standing import FindVersion, held, standing
from dovetail.lifecycle.objects import spec_of


def situation(
    versions: Iterable[Object], extensions: Iterable[Object], plans: Iterable[Object], platform: Platform
) -> Situation:
    """From the objects of a cluster; what cannot be read is not offered."""
    offered, made = [*versions], [*plans]
    by_name = {key_of(obj).name: obj for obj in offered}
    return Situation(catalogue(offered, extensions), installed(made, by_name.get), platform)


def installed(plans: Iterable[Object], find_version: FindVersion) -> dict[str, Installed]:
    """What the plans hold, by extension."""
    made = [*plans]
    now = standing(made, find_version)
    pinned = {key_of(plan).name for plan in made if spec_of(plan).get("paused") is True}
    there = {name: one.version for name, one in {**now.planned, **now.installed}.items() if name not in now.leaving}
    return {
        name: Installed(version, held(name, version, find_version).dependencies, name in pinned)
        for name, version in there.items()
    }


async def survey(client: Client, platform_version: str) -> Situation:
    """Read a cluster. Raises KubeError."""
    versions, extensions, plans, kubernetes = await asyncio.gather(
        client.list(EXTENSIONVERSIONS), client.list(EXTENSIONS), client.list(INSTALLPLANS), _kubernetes(client)
    )
    return situation(versions.items, extensions.items, plans.items, Platform(kubernetes, platform_version))


async def _kubernetes(client: Client) -> str:
    """`v1.36.0`, or empty when the API does not say."""
    answer = await client.request("GET", "/version")
    return str(orjson.loads(answer.body).get("gitVersion") or "") if answer.status == 200 else ""
