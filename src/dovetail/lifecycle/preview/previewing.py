"""From a wish to its plan: gather, render, gather what the rendering needs, decide. Nothing is created.

async with HelmWorker() as helm:
    preview = await Previewer(client, client, helm, packages, settings, asker=Asker("you")).preview(asked)
    preview.plan.as_json()
"""

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from dovetail.helm import Connection, HelmRefused, HelmWorker, Values, errors
from dovetail.helm.expecting import Expected
from dovetail.kube import CLUSTERROLES, ROLES, SERVICEACCOUNTS, Client, NotFound
from dovetail.kube.resources import Object
from dovetail.lifecycle.access import account_name, account_user, is_protected, role_name
from dovetail.lifecycle.capabilities import capabilities_if_told
from dovetail.lifecycle.constraints import Platform
from dovetail.lifecycle.packages import Fetched, PackageSource
from dovetail.lifecycle.preview.document import Plan
from dovetail.lifecycle.preview.gathering import Asked, Gatherer, Subject
from dovetail.lifecycle.preview.objects_delta import object_changes
from dovetail.lifecycle.preview.planning import dependency_problem, make_plan
from dovetail.lifecycle.preview.rendering import Recipe, answered, looks_up, render
from dovetail.lifecycle.preview.resolving import resolve
from dovetail.lifecycle.preview.rights_delta import rule_of
from dovetail.lifecycle.preview.trial import trial
from dovetail.lifecycle.preview.world import InForce, World
from dovetail.lifecycle.settings import LifecycleSettings
from dovetail.lifecycle.values import injected_values
from dovetail.packaging.granting import uncovered
from dovetail.packaging.manifests import items, mapping
from dovetail.packaging.permissions import Rule

if TYPE_CHECKING:
    from dovetail.packaging.package import Package

_PASSING: Final = frozenset({errors.UNREACHABLE, errors.CANCELLED, errors.INTERNAL, errors.STORAGE})
"""Helm's words that are not about the package: another try may do."""


@dataclass(frozen=True)
class Asker:
    """Whoever asks for the preview. `user` None: the kubeconfig's own; else who Helm acts as for `lookup`.

    `trusted`: what the extension's account reads may be shown to him. Values can be templates, and a plan shows what
    they render to: for others than those who may act as the account, `lookup` answers what they may read themselves.
    """

    name: str
    user: str | None = None
    groups: tuple[str, ...] = ()
    trusted: bool = True


@dataclass(frozen=True)
class Preview:
    """A plan; `expected` is the rendering that it is about, None when it does not render."""

    plan: Plan
    subject: Subject
    expected: Expected | None = None
    target: str = ""
    """What the newest revision of the release was made from."""


class Previewer:
    """Makes previews. `platform` reads the catalogue and Helm's records, `reader` the objects that are shown."""

    def __init__(
        self, platform: Client, reader: Client, helm: HelmWorker, packages: PackageSource,
        settings: LifecycleSettings, asker: Asker,
    ) -> None:  # fmt: skip
        self._platform = platform
        self._reader = reader
        self._helm = helm
        self._packages = packages
        self._settings = settings
        self._asker = asker

    async def preview(self, asked: Asked, fetched: Fetched | None = None, *, tries: bool = True) -> Preview:
        """`tries`: ask the API server whether it would take the objects.

        Raises NoSuchVersion, InvalidObject, Refused (the package cannot be had or used), KubeError, HelmError."""
        gatherer = Gatherer(self._platform, self._reader)
        subject = await gatherer.subject(asked)
        if fetched is None:
            fetched = await self._packages.load(subject.version)
        world, api_versions = await self._world(gatherer, subject, fetched)
        if tries and dependency_problem(world) is not None:
            version = world.version.version
            found = await resolve(self._platform, world.extension, version, self._settings.platform_version)
            world = replace(world, answer=found)
        world = await gatherer.complete(await self._rendered(world, fetched, api_versions))
        if tries and world.rendering is not None:
            changes = await asyncio.to_thread(object_changes, world)
            world = replace(world, refused=await trial(self._reader, world, changes))
        plan = await asyncio.to_thread(make_plan, world)
        expected = world.rendering.expected if world.rendering is not None else None
        return Preview(plan, subject, expected, world.in_force.target)

    async def _world(self, gatherer: Gatherer, subject: Subject, fetched: Fetched) -> tuple[World, tuple[str, ...]]:
        in_force = InForce() if is_protected(subject.namespace) else await gatherer.in_force(subject)
        kubernetes, api_versions = await capabilities_if_told(self._platform)
        needed = subject.version.external_dependencies
        world = World(
            extension=subject.plan.extension,
            version=subject.version,
            package=fetched.package,
            namespace=subject.namespace,
            namespace_state=await gatherer.namespace_state(subject.namespace),
            config=subject.plan.config,
            injected=injected_values(self._settings, fetched.package.dependencies),
            policies=subject.plan.policies,
            platform=Platform(kubernetes, self._settings.platform_version),
            in_force=in_force,
            kinds=await gatherer.kinds(),
            standing=await gatherer.standing(),
            published={one.name: await gatherer.published(one.name) for one in needed},
            annotations=subject.annotations,
            leaving=subject.leaving,
        )
        return world, api_versions

    async def _rendered(self, world: World, fetched: Fetched, api_versions: tuple[str, ...]) -> World:
        account = account_user(world.extension, world.namespace)
        connection = await self._connection(world, account) if looks_up(fetched.package, world.config) else None
        recipe = Recipe(
            world.extension,
            fetched.data,
            world.namespace,
            Values(world.config, dict(world.injected)),
            world.in_force.newest + 1,
            world.platform.kubernetes,
            api_versions,
        )
        world = replace(world, answered=answered(connection, account, self._asker.name))
        try:
            rendering = await render(self._helm, fetched.package, world.config, recipe, connection)
        except HelmRefused as refused:
            if refused.reason in _PASSING:
                raise
            return replace(world, refusal=refused.detail)
        return replace(world, rendering=rendering)

    async def _connection(self, world: World, account: str) -> Connection:
        own = self._asker.trusted and await self._account_is_ready(world.extension, world.namespace, world.package)
        kubeconfig = self._settings.kubeconfig
        return Connection(
            namespace=world.namespace,
            kubeconfig=None if kubeconfig is None else str(kubeconfig),
            context=self._settings.context,
            user=account if own else self._asker.user,
            groups=() if own else self._asker.groups,
        )

    async def _account_is_ready(self, extension: str, namespace: str, package: "Package") -> bool:
        """Whether the account is there and holds what the version declares: then it sees what the install would."""
        name = role_name(extension)
        try:
            await self._platform.get(SERVICEACCOUNTS, account_name(extension), namespace, metadata_only=True)
            cluster = _held(await self._platform.get(CLUSTERROLES, name))
            local = _held(await self._platform.get(ROLES, name, namespace))
        except NotFound:
            return False
        lacking = (*uncovered(cluster, package.permissions.cluster), *uncovered(local, package.permissions.namespace))
        return not lacking


def _held(role: Object) -> tuple[Rule, ...]:
    return tuple(map(rule_of, map(mapping, items(role.get("rules")))))
